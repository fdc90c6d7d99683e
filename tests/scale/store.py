"""Cost of a dataset of many results: listing, index, query, summary, audit of all but arrays.

    python -m tests.scale.store --results 10000 100000

Records are real ones with other ids; their attempts are empty folders, so arrays are not read.
Each size runs in a process of its own, which reports its peak memory.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from easi3r.config import StoreSettings
from easi3r.store import (
    CommitRecord,
    audit,
    committed_set,
    inspect,
    prepare_dataset,
    query,
    result_id,
    result_names,
    unpack_clip_ids,
    update_index,
    write_clip,
)
from tests.store.annotations import make_annotation


def main() -> None:
    """Print one JSON line per size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, nargs="+", default=[10_000])
    parser.add_argument("--folder", type=Path, help="where datasets are made, and then deleted")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for results in arguments.results:
        with (
            tempfile.TemporaryDirectory(dir=arguments.folder) as folder,
            context.Pool(1, maxtasksperchild=1) as pool,
        ):
            pool.apply(make_dataset, (folder, results))
            print(json.dumps(pool.apply(measure, (folder, results))), flush=True)


def clip_ids(results: int) -> np.ndarray:
    """Random packed clip ids, the same in every process."""
    return np.frombuffer(np.random.default_rng(0).bytes(16 * results), "S16")


def make_dataset(folder: str, results: int) -> None:
    """A dataset of so many results without arrays."""
    prepare_dataset(folder, "{}")
    with tempfile.TemporaryDirectory() as other:
        prepare_dataset(other, "{}")
        record = write_clip(other, make_annotation(), StoreSettings()).record
    for clip_id in unpack_clip_ids(clip_ids(results)):
        result = result_id(clip_id, record.weights_sha256, record.settings_digest)
        path = f"clips/{clip_id[:2]}/{clip_id}/{'0' * 32}"
        changes = {"clip_id": clip_id, "result_id": result, "path": path}
        copy: CommitRecord = record.model_copy(update=changes)
        Path(folder, path).mkdir(parents=True)
        commit = Path(folder, copy.commit_path)
        commit.parent.mkdir(parents=True, exist_ok=True)
        commit.write_text(copy.model_dump_json(indent=1))


def measure(folder: str, results: int) -> dict[str, float]:
    """Seconds of each operation, wall and CPU, and the memory that all of them took."""
    ids = clip_ids(results)
    wanted = result_names(ids, "a" * 64, "b" * 64)
    steps: dict[str, Callable[[], object]] = {
        "result_names": lambda: result_names(ids, "a" * 64, "b" * 64),
        "committed_set": lambda: committed_set(folder),
        "contains": lambda: committed_set(folder).contains(wanted).all(),
        "update_index_from_nothing": lambda: update_index(folder),
        "update_index_up_to_date": lambda: update_index(folder),
        "query": lambda: query(folder, "frames >= 4 and final_objective < 1", ("count(*)",)),
        "inspect": lambda: inspect(folder),
        "audit_sample_0": lambda: audit(folder, sample=0),
    }
    figures: dict[str, float] = {"results": results, "imported_mb": _peak_mb()}
    for name, step in steps.items():
        wall, cpu = time.perf_counter(), time.process_time()
        step()
        figures[f"{name}_s"] = round(time.perf_counter() - wall, 2)
        figures[f"{name}_cpu_s"] = round(time.process_time() - cpu, 2)
        figures[f"{name}_peak_mb"] = _peak_mb()
    return figures


def _peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    main()
