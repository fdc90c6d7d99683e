"""Requests to an object store per clip: `python -m tests.scale.requests`.

Runs of the null engine into a real S3 server, behind a proxy that counts and spoils nothing. Two
sizes tell what each clip costs from what a run costs.
"""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from tests.engines import null_settings
from tests.faults.collection import Run, annotate, finish, start
from tests.faults.network import ObjectStore, object_store
from tests.scale.videos import write_videos

METHODS = ("PUT", "GET", "HEAD", "DELETE", "POST")


def requests(store: ObjectStore, folder: Path, clips: int, name: str) -> Counter[str]:
    """Requests by method of one run over so many clips; `name` is that of its dataset."""
    source = write_videos(folder / f"videos-{clips}", clips)
    settings = null_settings(execution={"device": "cpu", "clips_per_batch": 25})
    run = Run(
        source,
        f"{store.arena.datasets}/{name}",
        folder / name,
        settings=settings,
        environment=store.arena.environment,
    )
    store.proxy.begin()
    if finish(start(annotate, run)) != 0:
        raise RuntimeError(run.output.read_text())
    return Counter(request.partition(" ")[0] for request in store.proxy.requests)


def main() -> None:
    """Print a table of runs of two sizes, and of a second run of the larger with nothing to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs=2, default=[100, 500])
    few, many = parser.parse_args().clips
    with tempfile.TemporaryDirectory(prefix="requests-") as made:
        folder = Path(made)
        with object_store(folder / "s3") as store:
            of_few = requests(store, folder, few, "few")
            of_many = requests(store, folder, many, "many")
            again = requests(store, folder, many, "many")
    print(f"| requests | {few} clips | {many} clips | each further clip | {many} clips again |")
    print("|---|---:|---:|---:|---:|")
    for method in METHODS:
        each = (of_many[method] - of_few[method]) / (many - few)
        print(f"| {method} | {of_few[method]} | {of_many[method]} | {each:.2f} | {again[method]} |")


if __name__ == "__main__":
    main()
