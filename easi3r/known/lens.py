"""Cameras as a file holds them: focal, principal point, lens distortion, size of the image."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from easi3r.errors import KnownInputError
from easi3r.known.distortion import Distortion
from easi3r.known.matching import NO_ROW, Matching
from easi3r.types import Video

PARAMETERS: dict[str, tuple[str, ...]] = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
    "FULL_OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
}
"""Camera models that can be undistorted: COLMAP's names, and the order of its parameters."""

OPENCV_ORDER = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
"""Coefficients of OpenCV's radial-tangential and rational model, in its order."""

_CORNER = 0.5  # where pixel corners are integers, the centre of the first pixel is at .5
_LARGEST_OFFSET = 0.15  # of a side: of a principal point from the centre, where no size is said


@dataclass(frozen=True)
class Lens:
    """One camera.

    Attributes:
        model: its name in the file.
        size: width and height of its images in pixels; None where the file does not say.
        matrix: focal lengths and principal point; pixel centres at integers.
        coefficients: in `OPENCV_ORDER`, as many as the model has; empty without distortion.
    """

    model: str
    size: tuple[int, int] | None
    matrix: tuple[float, float, float, float]
    coefficients: tuple[float, ...] = ()

    @property
    def intrinsics(self) -> Float64[np.ndarray, "3 3"]:
        """As a matrix."""
        fx, fy, cx, cy = self.matrix
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)


@dataclass(frozen=True)
class LensTable:
    """The cameras of a file.

    Attributes:
        url: of the file or folder.
        lenses: one a row of the file; where all are the same it is that of every frame.
        matching: which frames the rows are of; None with a single one.
    """

    url: str
    lenses: tuple[Lens, ...]
    matching: Matching | None = None

    def intrinsics(self, video: Video) -> Float64[np.ndarray, "frames 3 3"]:
        """Of every frame of a video, in its upright pixels; NaN where the file has no camera.

        Raises:
            KnownInputError: a camera is of images of another size, or the rows are not those of
                this video.
        """
        lenses = tuple(dict.fromkeys(self.lenses))
        for lens in lenses:
            self._require_size(lens, video)
        if self.matching is None or len(lenses) == 1:
            return np.tile(lenses[0].intrinsics, (len(video), 1, 1))
        matrices = np.stack([lens.intrinsics for lens in self.lenses])
        rows = self.matching.rows_of_frames(self.url, video)
        of_frames = matrices[rows]
        of_frames[rows == NO_ROW] = np.nan
        return of_frames

    def distortion(self, video: Video) -> Distortion | None:
        """What the lens does to the pixels of a video; None where it is a pinhole.

        Raises:
            KnownInputError: several cameras, and one of them distorts.
        """
        lenses = tuple(dict.fromkeys(self.lenses))
        if not any(lens.coefficients for lens in lenses):
            return None
        if len(lenses) > 1:
            problem = f"holds {len(lenses)} cameras with lens distortion, a video has one lens"
            remedy = (
                "Give one camera (COLMAP: --ImageReader.single_camera 1), or undistort the video"
                " first and give pinholes"
            )
            raise KnownInputError(self.url, problem, remedy)
        lens = lenses[0]
        return Distortion(lens.model, lens.matrix, lens.coefficients, (video.width, video.height))

    def _require_size(self, lens: Lens, video: Video) -> None:
        size = (video.width, video.height)
        if lens.size is not None and lens.size != size:
            problem = (
                f"is of images of {lens.size[0]}x{lens.size[1]} pixels, {video.url} has"
                f" {size[0]}x{size[1]} (after its rotation metadata)"
            )
            remedy = "Give the intrinsics of the video's own size: scale them, or calibrate anew"
            raise KnownInputError(self.url, problem, remedy)
        off_centre = np.abs(np.array(lens.matrix[2:]) / size - 0.5)
        if lens.size is None and off_centre.max() > _LARGEST_OFFSET:
            centre = f"({lens.matrix[2]:g}, {lens.matrix[3]:g})"
            problem = (
                f"has the principal point {centre}, far from the centre of {video.url},"
                f" {size[0]}x{size[1]}: it may be of images of another size"
            )
            remedy = "Give a JSON file with width and height, see docs/known-inputs.md"
            raise KnownInputError(self.url, problem, remedy)


def lens_of(
    url: str,
    place: str,
    model: str,
    size: tuple[float, float] | None,
    values: Mapping[str, float],
) -> Lens:
    """A checked camera whose pixel centres are at integers.

    Args:
        place: where it stands in the file, for messages.
        values: by name: `fx` and `fy`, or `f`; `cx`, `cy`; any of `OPENCV_ORDER`.

    Raises:
        KnownInputError: a focal or a size that is not positive.
    """
    focal = (values["f"],) * 2 if "f" in values else (values["fx"], values["fy"])
    if min(focal) <= 0:
        problem = f"{place}: its focal length is {min(focal):g} pixels"
        raise KnownInputError(url, problem, "Give focal lengths in pixels, above 0")
    if size is not None and (min(size) < 1 or any(side != int(side) for side in size)):
        problem = f"{place}: its images are of {size[0]:g}x{size[1]:g} pixels"
        raise KnownInputError(url, problem, "Give the width and height of the images")
    named = [name for name in OPENCV_ORDER if values.get(name, 0.0) != 0]
    length = next(n for n in (0, 4, 5, 8) if all(name in OPENCV_ORDER[:n] for name in named))
    return Lens(
        model=model,
        size=None if size is None else (int(size[0]), int(size[1])),
        matrix=(*focal, values["cx"], values["cy"]),
        coefficients=tuple(values.get(name, 0.0) for name in OPENCV_ORDER[:length]),
    )


def centres_at_integers(values: Mapping[str, float]) -> dict[str, float]:
    """A principal point counted from pixel corners, as COLMAP does, brought to pixel centres."""
    return {**values, "cx": values["cx"] - _CORNER, "cy": values["cy"] - _CORNER}


def refuse_model(url: str, place: str, model: str) -> None:
    """Refuse by name a camera model that is no pinhole after OpenCV's undistortion.

    Raises:
        KnownInputError: `model` is none of `PARAMETERS`.
    """
    if model in PARAMETERS:
        return
    kind = "a fisheye" if "FISHEYE" in model.upper() or model.upper() == "FOV" else "a camera"
    problem = f"{place}: {kind} of the model {model}, which is not undistorted here"
    models = ", ".join(PARAMETERS)
    remedy = f"Undistort the video first and give a pinhole, or a model of {models}"
    raise KnownInputError(url, problem, remedy)
