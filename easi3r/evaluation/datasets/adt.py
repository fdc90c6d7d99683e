"""Aria Digital Twin as TAPVid-3D packs it: a `.npz` a sequence, frames as JPEG bytes."""

import io
import pickle
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from easi3r.errors import TruthError
from easi3r.evaluation.datasets.frame_choice import Stride, strided
from easi3r.evaluation.datasets.true_poses import exact_poses, one_camera, require_inside
from easi3r.evaluation.sequence import LeftOut, TrueSequence, no_depth, no_motion
from easi3r.geometry import invert_rigid

LAYOUT = "*.npz with images_jpeg_bytes, fx_fy_cx_cy and extrinsics_w2c"
_IMAGES, _CAMERA, _POSES = "images_jpeg_bytes", "fx_fy_cx_cy", "extrinsics_w2c"
_EVERY = 5
_RATE_HZ = 30.0


def find(root: Path) -> dict[str, Path]:
    """The `.npz` files of this layout at a path or below it, by their stems."""
    files = [root] if root.is_file() else sorted(root.rglob("*.npz")) if root.is_dir() else []
    return {path.stem: path for path in files if path.suffix == ".npz" and _has_keys(path)}


def listed(root: Path) -> tuple[str, ...]:
    """None: every file of the minival set is read."""
    return ()


def read(name: str, path: Path, stride: Stride, least_depth_m: float) -> TrueSequence:
    """A sequence; in the paper's protocol every 5th frame. The frames' bytes are held.

    Raises:
        TruthError: it cannot be used.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            camera = np.asarray(arrays[_CAMERA], np.float64).ravel()
            poses = np.asarray(arrays[_POSES], np.float64)
        encoded = _encoded_images(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise TruthError(str(path), f"cannot be read ({error})", "Restore the file") from error
    if poses.shape not in ((len(encoded), 4, 4), (len(encoded), 3, 4)) or camera.shape != (4,):
        problem = f"holds {len(encoded)} images, poses of shape {poses.shape}"
        raise TruthError(str(path), problem, "Give one world-to-camera matrix for every image")
    places = strided(len(encoded), stride, slice(None, None, _EVERY))
    images = EncodedImages.of(str(path), [encoded[at] for at in places])
    intrinsics = np.array([[camera[0], 0, camera[2]], [0, camera[1], camera[3]], [0, 0, 1]])
    require_inside(str(path), intrinsics[None], images.width, images.height)
    world_to_camera = np.tile(np.eye(4), (len(places), 1, 1))
    world_to_camera[:, :3] = poses[places, :3]
    lost = ~np.isfinite(world_to_camera).all(axis=(1, 2))
    world_to_camera[lost] = np.nan
    words = f"{lost.sum()} of {len(places)} poses are not finite: the camera was lost"
    return TrueSequence(
        name=name,
        dataset="adt",
        frame_names=tuple(f"{at:05d}" for at in places),
        pts_seconds=np.array(places) / _RATE_HZ,
        width=images.width,
        height=images.height,
        image=images,
        motion=no_motion,
        depth=no_depth,
        camera_to_world=invert_rigid(exact_poses(str(path), world_to_camera)),
        intrinsics=one_camera(intrinsics, len(places)),
        left_out=(LeftOut(_POSES, words),) if lost.any() else (),
    )


@dataclass(frozen=True)
class EncodedImages:
    """Images as the bytes of files, decoded one at a time.

    Raises:
        TruthError: when called: the bytes are damaged, or the size is another.
    """

    name: str
    encoded: tuple[bytes, ...]
    width: int
    height: int

    @classmethod
    def of(cls, name: str, encoded: Sequence[bytes]) -> "EncodedImages":
        """Images of the first one's size."""
        if not encoded:
            raise TruthError(name, "holds no image", "Restore the file")
        width, height = _decoded(f"{name}, image 0", encoded[0]).size
        return cls(name, tuple(encoded), width, height)

    def __call__(self, at: int) -> UInt8[np.ndarray, "height width 3"]:
        image = _decoded(f"{self.name}, image {at}", self.encoded[at])
        if image.size != (self.width, self.height):
            problem = f"image {at} is {image.size}, the first {(self.width, self.height)}"
            raise TruthError(self.name, problem, "Restore the file")
        return np.array(image)


def _decoded(name: str, encoded: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(encoded)).convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise TruthError(name, f"cannot be decoded ({error})", "Restore the file") from error


def _has_keys(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return False
    return {_IMAGES, _CAMERA, _POSES} <= names


class _BytesUnpickler(pickle.Unpickler):
    """Builds arrays of bytes and nothing else: a pickle may otherwise run any code."""

    _ALLOWED = frozenset(
        {
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "scalar"),
            ("numpy.core.multiarray", "scalar"),
            ("numpy._core.numeric", "_frombuffer"),
            ("numpy.core.numeric", "_frombuffer"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which images do not need")
        return super().find_class(module, name)


def _encoded_images(path: Path) -> list[bytes]:
    """The JPEG bytes of all frames: an array of fixed-size bytes, or of objects, as published."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{_IMAGES}.npy") as file:
        version = np.lib.format.read_magic(file)
        reader = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if reader is None:
            raise ValueError(f"NumPy's format {version} is not known")
        _, _, dtype = reader(file)
        if dtype.hasobject:
            array = np.asarray(_BytesUnpickler(file).load(), dtype=object)
        else:
            array = np.load(io.BytesIO(archive.read(f"{_IMAGES}.npy")), allow_pickle=False)
    images = [one if isinstance(one, bytes) else bytes(one) for one in array.ravel()]
    if not images or array.ndim != 1:
        raise ValueError(f"{_IMAGES} of shape {array.shape} is no list of images")
    return images
