"""MPI Sintel, training, final pass: rendered film with exact cameras and depths."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from easi3r.errors import TruthError
from easi3r.evaluation.datasets.frame_choice import Stride, strided
from easi3r.evaluation.datasets.true_depths import DepthFiles, usable
from easi3r.evaluation.datasets.true_images import image_files, images_in, readable
from easi3r.evaluation.datasets.true_poses import exact_poses
from easi3r.evaluation.sequence import LeftOut, TrueSequence, no_motion
from easi3r.geometry import invert_rigid

LAYOUT = "final/SEQ/frame_*.png, camdata_left/SEQ/frame_*.cam, depth/SEQ/frame_*.dpt"
_TAG = np.float32(202021.25)
_CAMERA_BYTES = 4 + 9 * 8 + 12 * 8
_MOST_DEPTH_M = 70.0
_RATE_HZ = 24.0
_SEQUENCES = (
    *("alley_2", "ambush_4", "ambush_5", "ambush_6", "cave_2", "cave_4", "market_2"),
    *("market_5", "market_6", "shaman_3", "sleeping_1", "sleeping_2", "temple_2", "temple_3"),
)


def find(root: Path) -> dict[str, Path]:
    """Folders of frames under `final`, in a folder that holds `camdata_left`, by their names."""
    bases = [root, *(root.glob("*")), *(root.glob("*/training"))]
    found: dict[str, Path] = {}
    for base in bases:
        if (base / "camdata_left").is_dir() and (base / "final").is_dir():
            for folder in sorted((base / "final").iterdir()):
                if images_in(folder):
                    found.setdefault(folder.name, folder)
    return found


def listed(root: Path) -> tuple[str, ...]:
    """The 14 sequences that methods for moving scenes report."""
    return _SEQUENCES


def read(name: str, folder: Path, stride: Stride, least_depth_m: float) -> TrueSequence:
    """A sequence, every frame of it in the paper's protocol; depths over 70 m are left out.

    Raises:
        TruthError, FrameSizeError: it cannot be used.
    """
    training = folder.parent.parent
    paths = images_in(folder)
    places = strided(len(paths), stride, slice(None))
    kept, unreadable = readable([paths[at] for at in places])
    places = [places[at] for at in kept]
    images = image_files(folder, [paths[at] for at in places])
    stems = [paths[at].stem for at in places]
    intrinsics, poses, lost = _cameras(training / "camdata_left" / name, stems)
    candidates = [training / "depth" / name / f"{stem}.dpt" for stem in stems]
    chosen, depths_left_out = usable(candidates, None, images.width, images.height)
    depths = DepthFiles(chosen, read_dpt, images.width, images.height, least_depth_m, _MOST_DEPTH_M)
    return TrueSequence(
        name=name,
        dataset="sintel",
        frame_names=tuple(stems),
        pts_seconds=np.array(places) / _RATE_HZ,
        width=images.width,
        height=images.height,
        image=images,
        motion=no_motion,
        depth=depths,
        camera_to_world=poses,
        intrinsics=intrinsics,
        depth_left_out=depths.left_out,
        left_out=(*unreadable, *lost, *depths_left_out),
    )


def read_cam(path: Path) -> tuple[Float64[np.ndarray, "3 3"], Float64[np.ndarray, "4 4"]]:
    """Intrinsics and camera-to-world of a `.cam` file, which holds world-to-camera.

    Raises:
        TruthError: it is damaged, or no such file.
    """
    content = path.read_bytes()
    if len(content) != _CAMERA_BYTES or np.frombuffer(content, "<f4", 1)[0] != _TAG:
        raise TruthError(str(path), "is no camera file of Sintel", "Restore the file")
    numbers = np.frombuffer(content, "<f8", offset=4)
    world_to_camera = np.eye(4)
    world_to_camera[:3] = numbers[9:].reshape(3, 4)
    return numbers[:9].reshape(3, 3).copy(), invert_rigid(
        exact_poses(str(path), world_to_camera[None])[0]
    )


def read_dpt(path: Path) -> Float32[np.ndarray, "rows columns"]:
    """Metres of a `.dpt` file.

    Raises:
        TruthError: it is missing, damaged, or no such file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TruthError(str(path), f"cannot be read ({error})", "Restore the file") from error
    if len(content) < 12 or np.frombuffer(content, "<f4", 1)[0] != _TAG:
        raise TruthError(str(path), "is no depth file of Sintel", "Restore the file")
    width, height = (int(side) for side in np.frombuffer(content, "<i4", 2, 4))
    if width < 1 or height < 1 or len(content) != 12 + 4 * width * height:
        problem = f"says {width}x{height} and holds {len(content) - 12} bytes"
        raise TruthError(str(path), problem, "Restore the file")
    return np.frombuffer(content, "<f4", offset=12).reshape(height, width).astype(np.float32)


def _cameras(
    folder: Path, stems: list[str]
) -> tuple[
    Float64[np.ndarray, "frames 3 3"] | None,
    Float64[np.ndarray, "frames 4 4"] | None,
    tuple[LeftOut, ...],
]:
    """Of every frame; a frame without a file has no pose and its neighbour's intrinsics."""
    poses = np.full((len(stems), 4, 4), np.nan)
    intrinsics = np.full((len(stems), 3, 3), np.nan)
    for at, stem in enumerate(stems):
        if (file := folder / f"{stem}.cam").is_file():
            intrinsics[at], poses[at] = read_cam(file)
    known = np.flatnonzero(np.isfinite(poses).all(axis=(1, 2)))
    lost = len(stems) - len(known)
    words = f"{lost} of {len(stems)} frames have no camera"
    left_out = (LeftOut(str(folder), words),) if lost else ()
    if not len(known):
        return None, None, left_out
    nearest = known[np.abs(np.arange(len(stems))[:, None] - known).argmin(axis=1)]
    return intrinsics[nearest], poses, left_out
