"""DyCheck's iPhone recordings as packed for Shape of Motion: cameras, sensor depth, masks."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from easi3r.errors import KnownInputError, TruthError
from easi3r.evaluation.datasets.frame_choice import Stride, strided
from easi3r.evaluation.datasets.true_depths import DepthFiles, npy_depth, usable
from easi3r.evaluation.datasets.true_images import ImageFiles, image_files, readable
from easi3r.evaluation.datasets.true_masks import mask_files
from easi3r.evaluation.datasets.true_poses import exact_poses, require_inside
from easi3r.evaluation.sequence import LeftOut, ReadMotion, TrueSequence, no_motion
from easi3r.known.formats import read_poses
from easi3r.known.lens import Lens
from easi3r.known.matching import ByNumber

LAYOUT = "SEQ/rgb/1x/*.png, SEQ/splits/train.json, SEQ/camera/*.json, SEQ/depth/1x/*.npy"
_EVERY = 10
_CLAMP = 2.5
_NOMINAL_RATE_HZ = 30.0
_REFINED = "flow3d_preprocessed/colmap"
_MASKS = ("flow3d_preprocessed/track_anything/1x", "dynamic/1x", "masks/1x", "mask/1x")


def find(root: Path) -> dict[str, Path]:
    """Folders that hold `rgb/1x` and `splits/train.json`, up to two levels down, by their names."""
    folders = [root, *sorted(root.glob("*")), *sorted(root.glob("*/*"))]
    return {
        folder.resolve().name: folder
        for folder in folders
        if (folder / "rgb" / "1x").is_dir() and (folder / "splits" / "train.json").is_file()
    }


def listed(root: Path) -> tuple[str, ...]:
    """None: every folder is read."""
    return ()


def read(name: str, folder: Path, stride: Stride, least_depth_m: float) -> TrueSequence:
    """The training camera's frames; in the paper's protocol every 10th.

    Cameras are COLMAP's refined ones where they are there, else the recorded ones. Depths are
    clamped at 2.5 times the median of the maxima of the frames that are read.

    Raises:
        TruthError, FrameSizeError: it cannot be used.
    """
    split = _json(folder / "splits" / "train.json")
    names, times = split.get("frame_names", []), split.get("time_ids", [])
    if not isinstance(names, list) or not names:
        raise TruthError(str(folder / "splits/train.json"), "names no frame", "Restore the file")
    if len(times) != len(names):
        times = list(range(len(names)))
    places = strided(len(names), stride, slice(None, None, _EVERY))
    paths = [folder / "rgb" / "1x" / f"{names[at]}.png" for at in places]
    kept, unreadable = readable(paths)
    places = [places[at] for at in kept]
    images = image_files(folder, [paths[at] for at in kept])
    stems = [str(names[at]) for at in places]
    intrinsics, poses, lost = _cameras(folder, stems, images)
    candidates = [folder / "depth" / "1x" / f"{stem}.npy" for stem in stems]
    chosen, no_depths = usable(candidates, None, images.width, images.height)
    depths = DepthFiles(chosen, npy_depth, images.width, images.height, least_depth_m)
    motion, no_masks = _motion(folder, stems, images)
    seconds = np.array([times[at] for at in places], np.float64) / _rate_hz(folder)
    return TrueSequence(
        name=name,
        dataset="dycheck",
        frame_names=tuple(stems),
        pts_seconds=seconds - seconds[0],
        width=images.width,
        height=images.height,
        image=images,
        motion=motion,
        depth=ClampedDepth(depths),
        camera_to_world=poses,
        intrinsics=intrinsics,
        depth_left_out=depths.left_out,
        left_out=(*unreadable, *lost, *no_depths, *no_masks),
    )


@dataclass(frozen=True)
class ClampedDepth:
    """Depths none of which is farther than 2.5 times the median of the frames' maxima."""

    depths: DepthFiles

    def __call__(self, at: int) -> Float32[np.ndarray, "rows columns"] | None:
        depth = self.depths(at)
        return None if depth is None else np.minimum(depth, np.float32(self.most))

    @cached_property
    def most(self) -> float:
        """Metres; the first call reads all frames."""
        read = (self.depths(at) for at in range(len(self.depths.paths)))
        maxima = [float(depth.max()) for depth in read if depth is not None and depth.any()]
        return _CLAMP * float(np.median(maxima)) if maxima else np.inf


def _motion(
    folder: Path, stems: list[str], images: ImageFiles
) -> tuple[ReadMotion, tuple[LeftOut, ...]]:
    for place in _MASKS:
        paths = tuple(_existing(folder / place / f"{stem}.png") for stem in stems)
        if any(paths):
            return mask_files(folder / place, paths, images.width, images.height)
    return no_motion, ()


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _cameras(
    folder: Path, stems: list[str], images: ImageFiles
) -> tuple[
    Float64[np.ndarray, "frames 3 3"] | None,
    Float64[np.ndarray, "frames 4 4"] | None,
    tuple[LeftOut, ...],
]:
    """Of every frame; a frame without a camera has no pose and its neighbour's intrinsics."""
    model = _refined_model(folder)
    refined = _refined_cameras(model, images) if model is not None else {}
    poses = np.full((len(stems), 4, 4), np.nan)
    intrinsics = np.full((len(stems), 3, 3), np.nan)
    for at, stem in enumerate(stems):
        file = folder / "camera" / f"{stem}.json"
        if model is not None:
            camera = refined.get(stem)
        else:
            camera = _recorded_camera(file, images) if file.is_file() else None
        if camera is not None:
            intrinsics[at], poses[at] = camera
    known = np.flatnonzero(np.isfinite(poses).all(axis=(1, 2)))
    lost = len(stems) - len(known)
    source = str(folder / "camera" if model is None else model)
    left_out = (LeftOut(source, f"{lost} of {len(stems)} frames have no camera"),) if lost else ()
    if not len(known):
        return None, None, left_out
    nearest = known[np.abs(np.arange(len(stems))[:, None] - known).argmin(axis=1)]
    require_inside(source, intrinsics[nearest], images.width, images.height)
    return intrinsics[nearest], poses, left_out


Camera = tuple[Float64[np.ndarray, "3 3"], Float64[np.ndarray, "4 4"]]


def _refined_model(folder: Path) -> Path | None:
    """The folder of COLMAP's files."""
    base = folder / _REFINED
    places = (base / "sparse", base / "sparse" / "0", base)
    return next((one for one in places if any(one.glob("images.*"))), None)


def _refined_cameras(model: Path, images: ImageFiles) -> dict[str, Camera]:
    """Intrinsics and camera-to-world of a model, by the stems of its images' names."""
    try:
        poses = read_poses(str(model))
    except KnownInputError as error:
        raise TruthError(error.subject, error.problem, error.remedy) from error
    if poses.lenses is None or not isinstance(poses.matching, ByNumber):
        raise TruthError(
            str(model), "holds no cameras", "Restore COLMAP's cameras and images files"
        )
    lenses = poses.lenses.lenses
    names = poses.matching.names
    if len(lenses) == 1:
        lenses *= len(names)
    return {
        Path(name).stem: (_resized(lens.intrinsics, *_size(lens, images), images), pose)
        for name, lens, pose in zip(names, lenses, poses.camera_to_world)
    }


def _size(lens: Lens, images: ImageFiles) -> tuple[int, int]:
    return lens.size or (images.width, images.height)


def _recorded_camera(path: Path, images: ImageFiles) -> Camera:
    """Intrinsics and camera-to-world: `orientation` is world-to-camera, `position` the centre.

    The recorder's pixel centres are at halves.
    """
    camera = _json(path)
    try:
        focal = float(camera["focal_length"])
        x, y = (float(number) for number in camera["principal_point"])
        ratio = float(camera.get("pixel_aspect_ratio", 1.0))
        width, height = (int(number) for number in camera["image_size"])
        pose = np.eye(4)
        pose[:3, :3] = np.array(camera["orientation"], np.float64).reshape(3, 3).T
        pose[:3, 3] = np.array(camera["position"], np.float64).reshape(3)
    except (KeyError, TypeError, ValueError) as error:
        raise TruthError(str(path), f"is no camera ({error!r})", "Restore the file") from error
    matrix = np.array([[focal, 0, x - 0.5], [0, focal * ratio, y - 0.5], [0, 0, 1]])
    return _resized(matrix, width, height, images), exact_poses(str(path), pose[None])[0]


def _resized(
    intrinsics: Float64[np.ndarray, "3 3"], width: int, height: int, images: ImageFiles
) -> Float64[np.ndarray, "3 3"]:
    scale = np.array([images.width / width, images.height / height, 1.0])
    return intrinsics * scale[:, None]


def _rate_hz(folder: Path) -> float:
    extra = folder / "extra.json"
    return float(_json(extra).get("fps", _NOMINAL_RATE_HZ)) if extra.is_file() else _NOMINAL_RATE_HZ


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise TruthError(str(path), f"cannot be read ({error})", "Restore the file") from error
    if not isinstance(content, dict):
        raise TruthError(str(path), "holds no object", "Restore the file")
    return content
