"""Compare this implementation with a folder of reference numbers (docs/method.md §7).

    python -m tests.golden [DIR]

Prints one row per array and exits with 1 when anything is over its bound.
"""

import argparse
import sys
from pathlib import Path

import torch

from tests.golden import REFERENCE, alignment, attention, network
from tests.golden.comparison import Comparison, print_table


def compare(folder: Path, device: str = "cpu") -> list[Comparison]:
    """Every comparison the files in `folder` allow; network and alignment on a device."""
    rows = network.compare(folder, device) + attention.compare(folder)
    return rows + alignment.compare(folder, device)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument(
        "folder", type=Path, nargs="?", default=REFERENCE, help="of .npz and .json files"
    )
    parser.add_argument("--device", default="cpu", help="of the network and the alignment")
    arguments = parser.parse_args()
    folder = arguments.folder
    if not folder.is_dir():
        parser.error(f"{folder} is not a folder")
    torch.backends.cudnn.allow_tf32 = False  # as docs/method.md §7 asks
    comparisons = compare(folder, arguments.device)
    print_table(comparisons)
    failures = [row for row in comparisons if not row.passed]
    print(f"{len(comparisons)} compared, {len(failures)} over their bound")
    if not comparisons:
        print(f"{folder} holds no file of the reference format")
    return 1 if failures or not comparisons else 0


if __name__ == "__main__":
    sys.exit(main())
