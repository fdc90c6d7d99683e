"""Growth of planning and resume-scanning: `python -m tests.scale.plan --clips 1000000`.

Real videos of small frames are written, planned on this machine, and the plan is scanned against
as many commit names (empty files under their real names: a scan reads no record). Each step runs
in a process of its own, so that its peak memory is its own. Prints one row of `docs/scale.md`.
"""

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from easi3r.config import Settings
from easi3r.executor import InProcess
from easi3r.plan import plan_collection, read_plan
from easi3r.plan.parts import clip_ids
from easi3r.store import (
    ResultSet,
    committed_set,
    prepare_dataset,
    result_names,
    unpack_clip_ids,
)
from easi3r.store.schema import commit_path
from easi3r.video import scan_source
from tests.plan.videos import unique_video
from tests.video.encoding import Recipe, encode

WEIGHTS = "0" * 64
NOTHING = ResultSet(np.empty(0, "S24"))


def scale_settings(frames_per_clip: int) -> Settings:
    """Clips of 24 frames, a new one every `frames_per_clip` frames."""
    sampling = {"clip_frames": 24, "overlap_frames": 24 - frames_per_clip}
    return Settings.parse({"sampling": sampling, "model": {"sha256": WEIGHTS}})


def write_videos(folder: Path, videos: int, frames: int) -> None:
    """Videos of 32x32 pixels, each with bytes of its own."""
    folder.mkdir()
    content = encode(Recipe(frames=frames, width=32, height=32, options={"g": "250", "bf": "0"}))
    for number in range(videos):
        (folder / f"{number:08}.mp4").write_bytes(unique_video(number, content))


def list_manifest(path: str) -> int:
    """A manifest of many rows, each URL once."""
    return sum(1 for _ in scan_source(path))


def make_plan(source: str, destination: str, settings: Settings) -> str:
    """Plan, or plan again where the parts are there."""
    return plan_collection(source, destination, settings, InProcess()).plan_id


def write_commits(destination: str, plan_id: str, settings: Settings) -> int:
    """The name of a commit for every clip of the plan, with nothing in it."""
    for prefix in range(256):
        os.makedirs(f"{destination}/commits/{prefix:02x}", exist_ok=True)
    count = 0
    for table in read_plan(destination, plan_id)._tables(["clip_id"]):
        names = result_names(clip_ids(table), WEIGHTS, settings.digest)
        results = names.tobytes().hex()
        for place, clip_id in enumerate(unpack_clip_ids(clip_ids(table))):
            result = results[place * 48 + 32 : place * 48 + 48]
            os.close(os.open(f"{destination}/{commit_path(clip_id, result)}", os.O_CREAT))
            count += 1
    return count


def list_commits(destination: str) -> int:
    """Only the listing of what is committed."""
    return len(committed_set(destination))


def resume_scan(destination: str, plan_id: str, settings: Settings) -> int:
    """A rerun of a finished collection: list the commits; nothing is pending."""
    plan = read_plan(destination, plan_id)
    return sum(len(batch) for batch in plan.batches(committed_set(destination), settings, 8))


def tell_state(destination: str, plan_id: str, settings: Settings) -> int:
    """Counts of `easi3r plan` once a collection is planned."""
    plan = read_plan(destination, plan_id)
    return plan.state(committed_set(destination), NOTHING, settings).committed


def stream_all(destination: str, plan_id: str, settings: Settings) -> int:
    """The specs of every clip, as the first run of a collection takes them."""
    plan = read_plan(destination, plan_id)
    return sum(len(batch) for batch in plan.batches(NOTHING, settings, 8))


def in_own_process(run: Callable[[], object]) -> tuple[object, float, float]:
    """Answer, seconds, and peak memory in MB of a function in a fresh process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_measured, run).result()


def _measured(run: Callable[[], object]) -> tuple[object, float, float]:
    start, cpu = time.perf_counter(), time.process_time()
    answer = run()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"    ({time.process_time() - cpu:.1f} s of processor time)", flush=True)
    return answer, seconds, peak


def main() -> None:
    """Run the steps and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--clips-per-video", type=int, default=1000)
    parser.add_argument("--frames-per-clip", type=int, default=2, help="frames that are new in it")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    arguments = parser.parse_args()
    top = Path(tempfile.mkdtemp(prefix="easi3r-scale-", dir=arguments.folder))
    settings = scale_settings(arguments.frames_per_clip)
    source, destination = top / "videos", str(top / "out.zarr")
    try:
        videos = arguments.clips // arguments.clips_per_video
        frames = 24 + (arguments.clips_per_video - 1) * arguments.frames_per_clip
        write_videos(source, videos, frames)
        prepare_dataset(destination, settings.model_dump_json())
        manifest = top / "manifest.csv"
        rows = (f"s3://bucket/{number:012}.mp4" for number in range(arguments.clips))
        manifest.write_text("\n".join(["url", *rows]))
        _show("list a manifest", partial(list_manifest, str(manifest)))
        planning = partial(make_plan, str(source), destination, settings)
        plan_id = str(_show("plan", planning))
        _show("plan again", planning)
        parts = list(Path(destination, "plans").rglob("*.parquet"))
        size = sum(path.stat().st_size for path in parts)
        print(f"{len(parts)} parts, {size / 1e6:.1f} MB, {size / arguments.clips:.0f} B/clip")
        read = (destination, plan_id, settings)
        _show("stream all specs", partial(stream_all, *read))
        _show("write commit names", partial(write_commits, *read))
        _show("list commits", partial(list_commits, destination))
        _show("resume scan", partial(resume_scan, *read))
        _show("state", partial(tell_state, *read))
    finally:
        shutil.rmtree(top)


def _show(label: str, run: Callable[[], object]) -> object:
    answer, seconds, peak = in_own_process(run)
    print(f"{label:<20} {answer!s:>17} {seconds:9.1f} s {peak:8.0f} MB", flush=True)
    return answer


if __name__ == "__main__":
    main()
