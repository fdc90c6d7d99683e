"""How fast clips are read and encoded: `python -m tests.benchmarks.storage`.

Reads random windows, whole clips and single frames of local clips of 512x288 (rendered truth with
texture and noise) with `ClipWindows`, beside plain zarr with its arrays held open and xarray, in
one process; then encodes and checks a clip beside zarr's own writing and reading.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import zarr
from rich.progress import track

from easi3r.config import StoreSettings
from easi3r.store import ClipWindows, Dataset, open_dataset, prepare_dataset, write_clip
from easi3r.store.encode import (
    ClipArray,
    clip_arrays,
    clip_attributes,
    decoded_differences,
    encode_clip,
)
from easi3r.types import ClipAnnotation
from tests.benchmarks.results import Row, report
from tests.benchmarks.stored_clips import FRAMES, made_clip
from tests.store.zarr_writing import bytes_of_zarr, differences_of_zarr

WINDOW = 8
VARIABLES = ("dynamic_mask", "camera_to_world", "point_map")
TINY = (4, 48, 64)
GOAL = 80  # windows a second


@dataclass(frozen=True)
class Draw:
    """Frames [start, stop) of a clip."""

    clip_id: str
    start: int
    stop: int


def write_clips(url: str, count: int, settings: StoreSettings) -> Dataset:
    """A dataset of so many clips; one scene, other noise in each."""
    prepare_dataset(url, "{}")
    for seed in track(range(count), description=f"{count} clips"):
        write_clip(url, made_clip(seed), settings)
    return open_dataset(url)


@dataclass(frozen=True)
class Rate:
    """How fast windows were read; `cpu_ms` of one, whatever else the machine did meanwhile."""

    per_second: float
    cpu_ms: float


def rate(read: Callable[[Draw], object], draws: list[Draw]) -> Rate:
    """Of reading these windows, after the first few."""
    for draw in draws[:3]:
        read(draw)
    start, start_cpu = time.perf_counter(), time.process_time()
    for draw in draws:
        read(draw)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return Rate(len(draws) / seconds, 1e3 * cpu / len(draws))


def per_second(read: Callable[[Draw], object], draws: list[Draw]) -> float:
    """How many of these windows are read in a second."""
    return rate(read, draws).per_second


def reading(dataset: Dataset, count: int) -> list[Row]:
    """Rates of reading, ours beside zarr's and xarray's on the same draws."""
    rng = np.random.default_rng(0)
    ids = list(dataset)

    def draws(number: int, frames: int) -> list[Draw]:
        starts = rng.integers(0, FRAMES - frames + 1, number)
        return [Draw(ids[rng.integers(len(ids))], int(s), int(s) + frames) for s in starts]

    paths = {record.clip_id: record.path for record in dataset.clips}
    groups = {i: zarr.open_group(f"{dataset.url}/{paths[i]}", mode="r") for i in ids}
    arrays = {i: [group[name] for name in VARIABLES] for i, group in groups.items()}
    reader = ClipWindows(dataset)

    def ours(draw: Draw) -> object:
        return reader.read(draw.clip_id, draw.start, draw.stop, VARIABLES)

    def by_zarr(draw: Draw) -> object:
        return [array[draw.start : draw.stop] for array in arrays[draw.clip_id]]

    def by_xarray(draw: Draw) -> object:
        frames = dataset[draw.clip_id].isel(time=slice(draw.start, draw.stop))
        return frames[list(VARIABLES)].load()

    start = time.perf_counter()
    for clip_id in ids:
        reader.read(clip_id, 0, WINDOW, VARIABLES)
    first = (time.perf_counter() - start) / len(ids)
    windows = draws(count, WINDOW)
    own, zarrs = rate(ours, windows), rate(by_zarr, windows[: count // 2])
    by_label = per_second(by_xarray, draws(20, WINDOW))
    figure = f"random windows of {WINDOW} frames: mask, pose, point map"
    return [
        Row(figure, own.per_second, "/s", GOAL, ">="),
        Row("the same by zarr, arrays held open", zarrs.per_second, "/s"),
        Row("the same by xarray, clips opened each time", by_label, "/s"),
        Row("windows a second, ours over zarr's", own.per_second / zarrs.per_second),
        Row("CPU time of a window", own.cpu_ms, "CPU ms"),
        Row("CPU time of a window by zarr", zarrs.cpu_ms, "CPU ms"),
        Row("first window of a clip", 1e3 * first, "ms"),
        Row("random single frames", per_second(ours, draws(count, 1)), "/s"),
        Row("single frames by zarr", per_second(by_zarr, draws(count // 2, 1)), "/s"),
        Row("whole clips", per_second(ours, draws(count // 8, FRAMES)), "/s"),
        Row("whole clips by zarr", per_second(by_zarr, draws(count // 8, FRAMES)), "/s"),
    ]


def cpu_ms(work: Callable[[], object], repeats: int) -> float:
    """CPU milliseconds, the least of the repeats: others may use the machine meanwhile."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return 1e3 * min(spent)


def writing(name: str, annotation: ClipAnnotation, repeats: int) -> list[Row]:
    """CPU time of rounding, encoding and checking one clip, beside zarr's."""
    settings = StoreSettings()
    arrays: tuple[ClipArray, ...] = clip_arrays(annotation, settings)
    attributes = clip_attributes(annotation, settings)
    objects = encode_clip(arrays, attributes, settings)
    rounding = cpu_ms(lambda: clip_arrays(annotation, settings), repeats)
    encoding = cpu_ms(lambda: encode_clip(arrays, attributes, settings), repeats)
    checking = cpu_ms(lambda: list(decoded_differences(objects, arrays)), repeats)
    by_zarr = cpu_ms(lambda: bytes_of_zarr(arrays, attributes, settings), repeats)
    checking_by_zarr = cpu_ms(lambda: differences_of_zarr(objects, arrays), repeats)
    return [
        Row(f"{name}: point map and rounding", rounding, "CPU ms"),
        Row(f"{name}: encode", encoding, "CPU ms"),
        Row(f"{name}: decode and compare", checking, "CPU ms"),
        Row(f"{name}: encode, ours over zarr's", encoding / by_zarr),
        Row(f"{name}: decode and compare, ours over zarr's", checking / checking_by_zarr),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--windows", type=int, default=400)
    parser.add_argument("--frames-per-chunk", type=int, default=StoreSettings().frames_per_chunk)
    arguments = parser.parse_args()
    settings = StoreSettings(frames_per_chunk=arguments.frames_per_chunk)
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_clips(f"{folder}/clips.zarr", arguments.clips, settings)
        rows = reading(dataset, arguments.windows)
    rows += writing("24 frames 512x288", made_clip(0), 3)
    rows += writing("4 frames 64x48", made_clip(0, *TINY), 20)
    report("storage", rows)


if __name__ == "__main__":
    main()
