"""From the files that a user gave to what is known of each frame of a video."""

import hashlib
import json

import numpy as np
from jaxtyping import Float64

from easi3r.errors import KnownInputError
from easi3r.knowledge import KnownInputs
from easi3r.known.array_masks import ArrayMasks
from easi3r.known.distortion import Distortion
from easi3r.known.formats import read_lenses, read_poses
from easi3r.known.known_video import KnownVideo
from easi3r.known.motion_masks import MaskFolder, find_masks
from easi3r.known.pose_table import PoseTable
from easi3r.types import Video

_HALF = 32


def read_known(inputs: KnownInputs, video: Video) -> KnownVideo:
    """What files say about a video, checked, for every frame of it.

    With `inputs.digest` the cameras must still be the same; masks are then not read again, so that
    a worker opens only those of its own frames.

    Args:
        inputs: files or folders of the formats of docs/known-inputs.md, on any fsspec URL.
        video: probed; its size, its number of frames and their times are what is compared.

    Raises:
        KnownInputError: a file is missing, damaged, of no known format, of another video or of
            another size, or it has changed; names the file, its row and a remedy.
        StorageUnavailableError: storage fails for now.
    """
    _refuse_blank(inputs)
    poses = None if inputs.poses is None else read_poses(inputs.poses)
    _check_unit(inputs, poses)
    intrinsics, distortion = None, None
    if inputs.intrinsics is not None:
        lenses = read_lenses(inputs.intrinsics)
        intrinsics, distortion = lenses.intrinsics(video), lenses.distortion(video)
    elif poses is not None:
        _refuse_unused_distortion(poses)
    camera_to_world = None if poses is None else poses.of_frames(video)
    masks = None if inputs.motion_masks is None else find_masks(inputs.motion_masks, video)
    return KnownVideo(
        inputs=inputs,
        intrinsics=intrinsics,
        camera_to_world=camera_to_world,
        metric=inputs.metric,
        distortion=distortion,
        masks=masks,
        digest=digest_of(inputs, intrinsics, camera_to_world, distortion, masks),
    )


def _refuse_blank(inputs: KnownInputs) -> None:
    """An empty URL, of an unset shell variable for example, would be the current folder."""
    for name in inputs.names:
        if not getattr(inputs, name).strip():
            raise KnownInputError(name, "is empty", "Name a file or folder, or leave it out")


def _check_unit(inputs: KnownInputs, poses: PoseTable | None) -> None:
    if inputs.metric and poses is not None and poses.rescaled != 1:
        problem = f"its poses were multiplied by {poses.rescaled:g} (applied_scale), so no metres"
        raise KnownInputError(poses.url, problem, "Give poses in metres, or leave metric out")


def _refuse_unused_distortion(poses: PoseTable) -> None:
    """Poses whose file says that the lens distorts are of a video that is to be undistorted."""
    if poses.lenses is not None and any(lens.coefficients for lens in poses.lenses.lenses):
        problem = "says that the lens distorts, and no intrinsics are given to undo it"
        raise KnownInputError(poses.lenses.url, problem, "Give the same file as intrinsics too")


def digest_of(
    inputs: KnownInputs,
    intrinsics: Float64[np.ndarray, "frames 3 3"] | None,
    camera_to_world: Float64[np.ndarray, "frames 4 4"] | None,
    distortion: Distortion | None,
    masks: MaskFolder | ArrayMasks | None,
) -> str:
    """64 hex digits: half of them of the arrays and flags, half of the masks' names and bytes.

    Two halves, so that cameras that have changed are noticed without reading all masks again.

    Raises:
        KnownInputError: the cameras are not those of the digest that `inputs` holds.
    """
    lens = None if distortion is None else [distortion.matrix, distortion.coefficients]
    cameras = hashlib.sha256(json.dumps([inputs.metric, lens]).encode())
    for array in (intrinsics, camera_to_world):
        cameras.update(b"none" if array is None else str(array.shape).encode() + _canonical(array))
    half = cameras.hexdigest()[:_HALF]
    if inputs.digest is None:
        return half + ("0" * _HALF if masks is None else masks.digest()[:_HALF])
    if inputs.digest[:_HALF] != half:
        urls = " and ".join(url for url in (inputs.intrinsics, inputs.poses) if url is not None)
        raise KnownInputError(urls, "has changed since it was planned", "Restore it, or plan anew")
    return inputs.digest


def _canonical(array: Float64[np.ndarray, "*shape"]) -> bytes:
    """Equal numbers give equal bytes: no -0, one NaN, little-endian."""
    return np.where(np.isnan(array), np.nan, array + 0.0).astype("<f8").tobytes()
