"""True depths: metres where known, 0 where not, at the size that they are stored in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from easi3r.errors import TruthError
from easi3r.evaluation.datasets.true_images import header, open_image
from easi3r.evaluation.sequence import LeftOut

LEAST_DEPTH_M = 0.05
"""No sensor measures a depth below it, and relative errors of one would outweigh all others."""

MILLIMETRE = 0.001
_ASPECT_TOLERANCE = 0.01
_SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")

ReadFile = Callable[[Path], Float32[np.ndarray, "rows columns"]]


@dataclass(frozen=True)
class DepthFiles:
    """Depths of a sequence, read one at a time by the frame's place; None where there is none.

    Attributes:
        paths: one a frame.
        read: metres in one file; 0, NaN and infinity are not known.
        width, height: pixels of the images; a depth may have others of the same aspect.
        least, most: depths beyond are left out.

    Raises:
        TruthError: when called: the file is missing, damaged, or of another aspect than the image.
    """

    paths: tuple[Path | None, ...]
    read: ReadFile
    width: int
    height: int
    least: float = LEAST_DEPTH_M
    most: float = np.inf

    def __call__(self, at: int) -> Float32[np.ndarray, "rows columns"] | None:
        known = self._known(at)
        if known is None:
            return None
        return np.where((known >= self.least) & (known <= self.most), known, np.float32(0))

    def left_out(self, at: int) -> int:
        """How many known depths of a frame are below `least`."""
        known = self._known(at)
        return 0 if known is None else int(((known > 0) & (known < self.least)).sum())

    def _known(self, at: int) -> Float32[np.ndarray, "rows columns"] | None:
        path = self.paths[at]
        if path is None:
            return None
        depth = self.read(path)
        require_aspect(path, depth.shape[1], depth.shape[0], self.width, self.height)
        return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0))


def require_aspect(path: Path, columns: int, rows: int, width: int, height: int) -> None:
    """Depth and image show the same picture, whatever their sizes.

    Raises:
        TruthError: their aspects differ by more than 1 %.
    """
    if abs(columns * height / (rows * width) - 1) > _ASPECT_TOLERANCE:
        problem = f"is {columns}x{rows}, its image {width}x{height}: not the same picture"
        raise TruthError(str(path), problem, "Give depths of the images' aspect")


@dataclass(frozen=True)
class PngDepth:
    """Reads depths of 16 bits a pixel.

    Attributes:
        step_m: metres of one step.
        unknown: values that say that a depth is not known.
        eight_bits: whether images of 8 bits are read too; their step must be the caller's.
    """

    step_m: float
    unknown: tuple[int, ...] = (0,)
    eight_bits: bool = False

    def __call__(self, path: Path) -> Float32[np.ndarray, "rows columns"]:
        self.require_mode(path)
        steps = np.asarray(open_image(path))
        known = ~np.isin(steps, self.unknown)
        return (np.where(known, steps, 0) * np.float64(self.step_m)).astype(np.float32)

    def require_mode(self, path: Path) -> None:
        """Check a file's header.

        Raises:
            TruthError: it has colours, or steps of an unknown length.
        """
        mode = header(path).mode
        if mode in _SIXTEEN_BITS or (mode == "L" and self.eight_bits):
            return
        if mode == "L":
            problem = "has 8 bits a pixel, whose unit is not known"
            remedy = "Say how many metres one step is (--depth-step), or save 16 bits"
            raise TruthError(str(path), problem, remedy)
        problem = f"is no depth: an image of mode {mode}, not one channel of 16 bits"
        raise TruthError(str(path), problem, "Save depths as one channel of 16 bits, or remove it")


def npy_depth(path: Path) -> Float32[np.ndarray, "rows columns"]:
    """Depths of a NumPy file, (rows, columns) or (rows, columns, 1).

    Raises:
        TruthError: it is missing, damaged, or of another shape.
    """
    try:
        depth = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise TruthError(str(path), f"cannot be read ({error})", "Restore the file") from error
    if depth.ndim == 3 and depth.shape[2] == 1:
        depth = depth[..., 0]
    if depth.ndim != 2 or depth.dtype.kind != "f":
        problem = f"holds {depth.dtype} of shape {depth.shape}, not metres of (rows, columns)"
        raise TruthError(str(path), problem, "Restore the file")
    return np.asarray(depth, np.float32)


def usable(
    candidates: Sequence[Path | None], reader: PngDepth | None, width: int, height: int
) -> tuple[tuple[Path | None, ...], tuple[LeftOut, ...]]:
    """The depth files that are there, one a frame, and what is missing or damaged.

    Args:
        reader: of images; None where the files are none, so that their headers say nothing.

    Raises:
        TruthError: a file is of a kind that is no depth, or shows another picture.
    """
    chosen: list[Path | None] = []
    left_out = []
    for path in candidates:
        here = path if path is not None and path.exists() else None
        if here is not None and reader is not None:
            try:
                columns, rows = header(here).size
            except TruthError as error:
                left_out.append(LeftOut(error.subject, error.problem))
                here = None
            else:
                reader.require_mode(here)
                require_aspect(here, columns, rows, width, height)
        chosen.append(here)
    missing = sum(path is None for path in chosen) - len(left_out)
    if 0 < missing < len(chosen):
        words = f"{missing} of {len(chosen)} frames have no depth"
        left_out.append(LeftOut("depths", words))
    return tuple(chosen), tuple(left_out)
