"""What a user knows of a video, as arrays or files, from Python."""

import os
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64

from easi3r.errors import KnownInputError
from easi3r.knowledge import KnownInputs
from easi3r.known.array_masks import ArrayMasks
from easi3r.known.known_video import KnownVideo
from easi3r.known.pose_table import pose_of_matrix
from easi3r.known.reading import digest_of, read_known
from easi3r.types import Video

PathOrArray = str | os.PathLike[str] | np.ndarray
_ARRAY = "an array"


def known_of_video(
    video: Video,
    intrinsics: PathOrArray | None = None,
    poses: PathOrArray | None = None,
    metric: bool = False,
    motion_masks: PathOrArray | None = None,
) -> KnownVideo | None:
    """What files and arrays say about a video, checked; None where there are none.

    Args:
        intrinsics: a path, or (3, 3) or (frames, 3, 3), in pixels of the upright video.
        poses: a path, or (frames, 4, 4), camera-to-world in OpenCV axes; NaN: not known.
        metric: `poses` are in metres.
        motion_masks: a path, or (frames, height, width), not 0 where something moves.

    Raises:
        KnownInputError: it is not of this video, or cannot be.
        StorageUnavailableError: storage fails for now.
    """
    given = {"intrinsics": intrinsics, "poses": poses, "motion_masks": motion_masks}
    arrays = {name: one for name, one in given.items() if isinstance(one, np.ndarray)}
    paths = {
        name: os.fspath(one)
        for name, one in given.items()
        if one is not None and not isinstance(one, np.ndarray)
    }
    if metric and poses is None:
        raise KnownInputError("metric", "there are no poses to be in metres", "Give poses too")
    if not arrays and not paths:
        return None
    files = KnownInputs(
        paths.get("intrinsics"),
        paths.get("poses"),
        metric and "poses" in paths,
        paths.get("motion_masks"),
    )
    return _with_arrays(read_known(files, video), arrays, metric, video)


def _with_arrays(
    known: KnownVideo, arrays: dict[str, np.ndarray], metric: bool, video: Video
) -> KnownVideo:
    if not arrays:
        return known
    if "intrinsics" in arrays:
        known = replace(known, intrinsics=_intrinsics(arrays["intrinsics"], video))
    if "poses" in arrays:
        known = replace(known, camera_to_world=_poses(arrays["poses"], video))
    if "motion_masks" in arrays:
        known = replace(known, masks=ArrayMasks(_masks(arrays["motion_masks"], video)))
    files = known.inputs
    inputs = KnownInputs(
        _ARRAY if "intrinsics" in arrays else files.intrinsics,
        _ARRAY if "poses" in arrays else files.poses,
        metric,
        _ARRAY if "motion_masks" in arrays else files.motion_masks,
    )
    cameras = known.intrinsics, known.camera_to_world
    whole = digest_of(inputs, *cameras, known.distortion, known.masks)
    return replace(known, inputs=inputs, metric=metric, digest=whole)


def _intrinsics(array: np.ndarray, video: Video) -> Float64[np.ndarray, "frames 3 3"]:
    if array.shape == (3, 3):
        array = np.tile(array, (len(video), 1, 1))
    _require_shape("intrinsics", array, (len(video), 3, 3), "(3, 3) or one for each frame")
    focal, rest = array[:, [0, 1], [0, 1]], array[:, [0, 1, 2, 2, 2], [1, 0, 0, 1, 2]]
    wrong = ~np.isfinite(array).all(axis=(1, 2)) | (focal <= 0).any(axis=1)
    wrong |= (rest != (0, 0, 0, 0, 1)).any(axis=1)
    if wrong.any():
        frame = int(np.flatnonzero(wrong)[0])
        problem = f"{array[frame].tolist()} of frame {frame} is no pinhole without skew"
        raise KnownInputError("intrinsics", problem, "Give [fx 0 cx; 0 fy cy; 0 0 1] in pixels")
    return array.astype(np.float64)


def _poses(array: np.ndarray, video: Video) -> Float64[np.ndarray, "frames 4 4"]:
    _require_shape("poses", array, (len(video), 4, 4), "one for each frame, NaN where unknown")
    unknown = np.isnan(array).any(axis=(1, 2))
    poses = np.full(array.shape, np.nan)
    for frame in np.flatnonzero(~unknown):
        poses[frame] = pose_of_matrix("poses", f"frame {frame}", array[frame])
    return poses


def _masks(array: np.ndarray, video: Video) -> Bool[np.ndarray, "frames height width"]:
    shape = (len(video), video.height, video.width)
    _require_shape("motion_masks", array, shape, "one for each frame, of the video's size")
    return array != 0


def _require_shape(name: str, array: np.ndarray, shape: tuple[int, ...], remedy: str) -> None:
    if array.shape != shape:
        problem = f"has the shape {array.shape}, not {shape}"
        raise KnownInputError(name, problem, f"Give {remedy}")
