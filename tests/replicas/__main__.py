"""`python -m tests.replicas --out FOLDER`: one folder for each data set."""

import argparse
from pathlib import Path

from tests.replicas import WRITERS, write_replica


def main() -> None:
    """Writes the replicas of all data sets, or of those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", choices=[*WRITERS, []], default=[])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    for dataset in arguments.datasets or WRITERS:
        folder = arguments.out / dataset
        clips = write_replica(dataset, folder)
        print(
            f"{folder}: {', '.join(f'{name} ({len(clip)} frames)' for name, clip in clips.items())}"
        )


if __name__ == "__main__":
    main()
