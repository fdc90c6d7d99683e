"""Error against bytes against speed of ways to store depth and points:

    python -m tests.benchmarks.encodings [--video FILE] [--plot docs/encodings.png]

Values are what the embedded model makes of a video (rendered here without `--video`) and rendered
truth with texture and noise (512x288). Errors are relative to what was to be stored: of depth by
its own size, of points by their distance from the camera. Speeds are of one thread, in raw float32
bytes a CPU second. The decision it was measured for: docs/decisions/013-encodings.md.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numcodecs import blosc
from numcodecs.abc import Codec
from numcodecs.blosc import Blosc
from numcodecs.zstd import Zstd
from rich.progress import track
from rich.table import Table

from easi3r.cli.consoles import answer_console
from easi3r.config import Settings
from easi3r.geometry import fill_world_planes
from easi3r.model import load_checkpoint
from easi3r.pipeline import annotate_clip
from easi3r.store.encode import round_mantissa
from easi3r.synthetic import write_clip
from easi3r.types import Reconstruction
from easi3r.video import plan_clips, probe
from tests.benchmarks.results import machine
from tests.benchmarks.stored_clips import HEIGHT, WIDTH, made_clip, rendered_scene

FRAMES = 8
DEFAULT = "12 bits, blosc zstd 3, bitshuffle"
_MARKERS = "osv^D<>PX"
_EXACT = 1e-6  # errors below are of float32, not of what was chosen


@dataclass(frozen=True)
class Encoding:
    """One way to store float32 values.

    Attributes:
        rounded: rounds values, in the type that is compressed.
        frames: of a chunk.
        planar: x, y and z of points lie apart.
    """

    name: str
    rounded: Callable[[np.ndarray], np.ndarray]
    codec: Codec
    frames: int = 4
    planar: bool = True


@dataclass(frozen=True)
class Measured:
    """Errors, size and speed of an encoding on the values of one source.

    Attributes:
        values: "depth" or "points".
        bits: stored, of each pixel; of points for all three coordinates.
        p99, worst: relative error.
        write, read: MB a CPU second; NaN where nothing is written.
    """

    source: str
    values: str
    encoding: str
    bits: float
    p99: float
    worst: float
    write: float
    read: float


def encodings() -> list[Encoding]:
    """Those that are compared; pcodec only where the package is installed."""
    rounding = {bits: partial(round_mantissa, bits=bits) for bits in (8, 10, 12)}

    def shuffled(level: int = 3, shuffle: int = Blosc.BITSHUFFLE, cname: str = "zstd") -> Blosc:
        return Blosc(cname, level, shuffle, typesize=4)

    half = Blosc("zstd", 3, Blosc.BITSHUFFLE, typesize=2)
    without_pcodec = [
        Encoding("float32, blosc zstd 3, bitshuffle", np.asarray, shuffled()),
        Encoding("float16, blosc zstd 3, bitshuffle", _half, half),
        *(
            Encoding(f"{n} bits, blosc zstd 3, bitshuffle", rounding[n], shuffled())
            for n in rounding
        ),
        Encoding("12 bits, blosc zstd 1, bitshuffle", rounding[12], shuffled(1)),
        Encoding("12 bits, blosc zstd 5, bitshuffle", rounding[12], shuffled(5)),
        Encoding("12 bits, blosc zstd 3, byte shuffle", rounding[12], shuffled(3, Blosc.SHUFFLE)),
        Encoding("12 bits, blosc lz4 5, bitshuffle", rounding[12], shuffled(5, cname="lz4")),
        Encoding("12 bits, zstd 3 alone", rounding[12], Zstd(level=3)),
        Encoding(f"{DEFAULT}, interleaved", rounding[12], shuffled(), planar=False),
        Encoding(f"{DEFAULT}, chunks of 1 frame", rounding[12], shuffled(), frames=1),
        Encoding(f"{DEFAULT}, chunks of 8 frames", rounding[12], shuffled(), frames=8),
    ]
    try:
        from numcodecs.pcodec import PCodec
    except ImportError:
        return without_pcodec
    return [
        *without_pcodec,
        Encoding("12 bits, pcodec", rounding[12], PCodec()),
        Encoding("float16, pcodec", _half, PCodec()),
    ]


def _half(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16)


def world_planes(reconstruction: Reconstruction, depth: np.ndarray) -> np.ndarray:
    """Points, planes apart, in float64."""
    planes = np.empty((len(depth), 3, *depth.shape[1:]))
    fill_world_planes(planes, depth, reconstruction.intrinsics, reconstruction.camera_to_world)
    return planes


def measure(source: str, reconstruction: Reconstruction) -> Iterator[Measured]:
    """Every encoding of a clip's depth and points."""
    points = world_planes(reconstruction, reconstruction.depth)
    centres = reconstruction.camera_to_world[:, :3, 3, None, None]
    distance = np.linalg.norm(points - centres, axis=1, keepdims=True)
    for encoding in track(encodings(), description=source):
        if encoding.planar:
            yield _measured(
                source, "depth", encoding, reconstruction.depth, reconstruction.depth, 1
            )
            yield _measured(source, "points", encoding, points, distance, 3)
        else:
            last = np.moveaxis(points, 1, -1), np.moveaxis(distance, 1, -1)
            yield _measured(source, "points", encoding, *last, 3)
    for bits in (8, 10, 12):
        derived = world_planes(reconstruction, round_mantissa(reconstruction.depth, bits))
        error = np.abs(derived - points) / distance
        worst, p99 = float(error.max()), float(np.quantile(error, 0.99))
        name = f"derived from depth of {bits} bits"
        yield Measured(source, "points", name, 0.0, p99, worst, np.nan, np.nan)


def _measured(
    source: str, name: str, encoding: Encoding, exact: np.ndarray, size: np.ndarray, per_pixel: int
) -> Measured:
    rounded = encoding.rounded(exact.astype(np.float32))
    error = np.abs(rounded.astype(np.float64) - exact) / size
    steps = range(0, len(rounded), encoding.frames)
    chunks = [np.ascontiguousarray(rounded[step : step + encoding.frames]) for step in steps]
    raw = 4 * exact.size / 1e6
    encoded, writing = _timed(lambda: [encoding.codec.encode(chunk) for chunk in chunks])
    decoded, reading = _timed(lambda: [encoding.codec.decode(chunk) for chunk in encoded])
    for before, after in zip(chunks, decoded, strict=True):
        assert np.asarray(after).tobytes() == before.tobytes(), encoding.name
    stored = sum(len(chunk) for chunk in encoded)
    bits, p99 = 8 * stored * per_pixel / exact.size, float(np.quantile(error, 0.99))
    worst = float(error.max())
    return Measured(source, name, encoding.name, bits, p99, worst, raw / writing, raw / reading)


def _timed(work: Callable[[], list]) -> tuple[list, float]:
    """Result of a function, and its least CPU seconds of three calls."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        made = work()
        seconds.append(time.process_time() - start)
    return made, min(seconds)


def model_output(video: Path) -> Reconstruction:
    """Reconstruction of a video's first frames by the embedded model."""
    settings = Settings.parse({"sampling": {"clip_frames": FRAMES}, "alignment": {"max_steps": 20}})
    spec = plan_clips(probe(str(video)), settings.sampling, settings.video)[0]
    return annotate_clip(spec, load_checkpoint("nano"), settings).reconstruction


def draw(figures: list[Measured], path: Path) -> None:
    """Bytes against error of what loses some of them: filled for depth, hollow for points."""
    lossy = [figure for figure in figures if figure.p99 > _EXACT]
    names = list(dict.fromkeys(f.encoding for f in lossy if "chunks" not in f.encoding))
    sources = list(dict.fromkeys(figure.source for figure in figures))
    sheet = Figure(figsize=(4 * len(sources) + 3.5, 4), layout="constrained")
    for axes, source in zip(sheet.subplots(1, len(sources), sharey=True), sources, strict=True):
        for number, name in enumerate(names):
            shown = [f for f in lossy if (f.source, f.encoding) == (source, name)]
            for figure in shown:
                face = colormaps["tab20"](number) if figure.values == "depth" else "none"
                axes.plot(
                    figure.bits,
                    figure.p99,
                    _MARKERS[number % len(_MARKERS)],
                    color=colormaps["tab20"](number),
                    markerfacecolor=face,
                    label=name if figure is shown[0] else None,
                )
        axes.set(title=source, xlabel="stored bits a pixel", yscale="log")
    sheet.axes[0].set_ylabel("relative error, 99th percentile")
    handles, labels = sheet.axes[0].get_legend_handles_labels()
    title = "filled: depth; hollow: points"
    sheet.legend(handles, labels, loc="outside right", fontsize=7, title=title)
    sheet.savefig(path, dpi=90)


def main() -> None:
    """Print the table; draw it where a path is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    blosc.use_threads = False
    figures: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        scene = rendered_scene(FRAMES, HEIGHT, WIDTH)
        video = arguments.video or write_clip(scene, Path(folder), "scene")
        figures += measure(f"nano on {video.name}", model_output(video))
    figures += measure("rendered truth", made_clip(0, FRAMES).reconstruction)
    for source in dict.fromkeys(figure.source for figure in figures):
        table = Table(title=f"{source}, {FRAMES} frames; {machine()}")
        for column in ("", "encoding", "bits a pixel", "p99", "worst", "write MB/s", "read MB/s"):
            table.add_column(column, justify="left" if column in ("", "encoding") else "right")
        for figure in figures:
            if figure.source == source:
                errors = (f"{figure.p99:.1e}", f"{figure.worst:.1e}")
                speeds = (f"{figure.write:.0f}", f"{figure.read:.0f}")
                cells = (figure.values, figure.encoding, f"{figure.bits:.2f}")
                table.add_row(*cells, *errors, *speeds)
        answer_console().print(table)
    if arguments.plot:
        draw(figures, arguments.plot)


if __name__ == "__main__":
    main()
