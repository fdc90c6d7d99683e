"""Folders of images with poses and depths: 7-Scenes' layout, and ScanNet's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from easi3r.errors import TruthError
from easi3r.evaluation.datasets.frame_choice import FrameChoice
from easi3r.evaluation.datasets.mask_pairs import masks_of_images
from easi3r.evaluation.datasets.masked_videos import NOMINAL_RATE_HZ
from easi3r.evaluation.datasets.true_depths import (
    LEAST_DEPTH_M,
    MILLIMETRE,
    DepthFiles,
    PngDepth,
    usable,
)
from easi3r.evaluation.datasets.true_images import (
    ImageFiles,
    image_files,
    images_in,
    is_image,
    natural_key,
    readable,
)
from easi3r.evaluation.datasets.true_masks import mask_files
from easi3r.evaluation.datasets.true_poses import (
    calibration_beside,
    read_matrix,
    read_poses,
    require_inside,
    scaled_intrinsics,
)
from easi3r.evaluation.sequence import LeftOut, ReadMotion, TrueSequence, no_motion

_COLOUR, _DEPTH, _POSE = ".color", ".depth.png", ".pose.txt"
_ASK_FOR_INTRINSICS = (
    "Give --focal-px and --principal-px, or camera-intrinsics.txt beside the images"
)
_UNKNOWN_STEPS = (0, 65535)
_CALIBRATED = (640, 480)
SEVEN_SCENES_INTRINSICS = np.array([[585.0, 0, 320], [0, 585.0, 240], [0, 0, 1]])
"""Of 7-Scenes' published calibration, pixels of 640x480."""

_LayoutIntrinsics = Callable[[Path, ImageFiles], Float64[np.ndarray, "3 3"]]


@dataclass(frozen=True)
class PosedOptions:
    """How folders with poses are read.

    Attributes:
        choice: which frames.
        intrinsics: pixels of the images; None takes `camera-intrinsics.txt` in or beside the
            folder, else what its layout says.
        least_depth_m: nearer true depths are left out.
        depth_step_m: metres of one step of a depth; None: a millimetre, of 16 bits only.
    """

    choice: FrameChoice
    intrinsics: Float64[np.ndarray, "3 3"] | None = None
    least_depth_m: float = LEAST_DEPTH_M
    depth_step_m: float | None = None

    @property
    def depth_reader(self) -> PngDepth:
        step = self.depth_step_m
        return PngDepth(step or MILLIMETRE, _UNKNOWN_STEPS, eight_bits=step is not None)


@dataclass(frozen=True)
class _PosedFiles:
    """Where the truth of each image of a folder would be."""

    images: Sequence[Path]
    names: Sequence[str]
    poses: Sequence[Path]
    depths: Sequence[Path]

    def of(self, places: Sequence[int]) -> "_PosedFiles":
        """Those of some images."""
        return _PosedFiles(
            images=[self.images[at] for at in places],
            names=[self.names[at] for at in places],
            poses=[self.poses[at] for at in places],
            depths=[self.depths[at] for at in places],
        )


def is_seven_scenes(folder: Path) -> bool:
    """Whether a folder holds `frame-*.color.png` or `.color.jpg`."""
    return next((path for path in folder.glob("frame-*") if _is_colour(path)), None) is not None


def is_scannet(folder: Path) -> bool:
    """Whether a folder holds `color/`, and `pose/` or `depth/` beside it."""
    inside = (folder / "pose").is_dir() or (folder / "depth").is_dir()
    return inside and (folder / "color").is_dir()


def seven_scenes_sequence(name: str, folder: Path, options: PosedOptions) -> TrueSequence:
    """Images `frame-*.color.png|jpg` with `.pose.txt` (camera-to-world, metres) and `.depth.png`.

    Every file but the images may be missing. Masks are those of `masks/` or `NAME_masks/` beside
    the folder; without them nothing moves. The focal length of 7-Scenes is taken where nothing
    says another, at the images' size.

    Raises:
        TruthError: a pose or a depth is none; the intrinsics are not known; masks do not fit.
        FrameSizeError: images differ in size.
    """
    images = sorted((path for path in folder.iterdir() if _is_colour(path)), key=natural_key)
    stems = [str(path)[: -len(path.suffix) - len(_COLOUR)] for path in images]
    files = _PosedFiles(
        images=images,
        names=[Path(stem).name for stem in stems],
        poses=[Path(stem + _POSE) for stem in stems],
        depths=[Path(stem + _DEPTH) for stem in stems],
    )
    return _sequence(name, folder, files, options, _seven_scenes_intrinsics)


def scannet_sequence(name: str, folder: Path, options: PosedOptions) -> TrueSequence:
    """`color/N.jpg`, `pose/N.txt` (`-inf` where lost), `depth/N.png` (mm), `intrinsic/`.

    Raises:
        TruthError, FrameSizeError: as `seven_scenes_sequence`.
    """
    images = images_in(folder / "color")
    files = _PosedFiles(
        images=images,
        names=[path.stem for path in images],
        poses=[folder / "pose" / f"{path.stem}.txt" for path in images],
        depths=[folder / "depth" / f"{path.stem}.png" for path in images],
    )
    return _sequence(name, folder / "color", files, options, _scannet_intrinsics)


def masks_beside(folder: Path) -> Path | None:
    """Masks of a folder's images: in `NAME_masks/`, `masks/NAME/` or `masks/` beside it."""
    beside = folder.parent
    places = (beside / f"{folder.name}_masks", beside / "masks" / folder.name, beside / "masks")
    return next((place for place in places if images_in(place)), None)


def _sequence(
    name: str,
    folder: Path,
    files: _PosedFiles,
    options: PosedOptions,
    layout_intrinsics: _LayoutIntrinsics,
) -> TrueSequence:
    """A sequence of images in `folder`, where their masks and their calibration are looked for."""
    kept, unreadable = readable(files.images)
    places = [kept[at] for at in options.choice.of(len(kept))]
    chosen = files.of(places)
    images = image_files(folder, chosen.images)
    reader = options.depth_reader
    depth_paths, depths_left_out = usable(chosen.depths, reader, images.width, images.height)
    depths = DepthFiles(depth_paths, reader, images.width, images.height, options.least_depth_m)
    poses, poses_left_out = read_poses(str(folder), chosen.poses)
    masks = _masks_of(folder)
    motion, masks_left_out = _motion(masks, files.names, places, images)
    return TrueSequence(
        name=name,
        dataset="real",
        frame_names=tuple(chosen.names),
        pts_seconds=np.array(places) / NOMINAL_RATE_HZ,
        width=images.width,
        height=images.height,
        image=images,
        motion=motion,
        depth=depths,
        camera_to_world=poses,
        intrinsics=_intrinsics(folder, options, layout_intrinsics, images, len(places)),
        depth_left_out=depths.left_out,
        nothing_moves=masks is None,
        left_out=(*unreadable, *poses_left_out, *depths_left_out, *masks_left_out),
    )


def _motion(
    masks: Path | None, names: Sequence[str], places: Sequence[int], images: ImageFiles
) -> tuple[ReadMotion, tuple[LeftOut, ...]]:
    if masks is None:
        return no_motion, ()
    belonging = masks_of_images(masks, images_in(masks), names)
    return mask_files(masks, [belonging[at] for at in places], images.width, images.height)


def _masks_of(folder: Path) -> Path | None:
    """See `masks_beside`.

    Raises:
        TruthError: one folder of masks stands beside several sequences.
    """
    masks = masks_beside(folder)
    if masks == folder.parent / "masks":
        beside = [one for one in folder.parent.iterdir() if one.is_dir() and is_seven_scenes(one)]
        if len(beside) > 1:
            problem = f"stands beside {len(beside)} sequences: whose masks these are is not known"
            raise TruthError(str(masks), problem, f"Name it as its frames: {folder.name}_masks")
    return masks


def _intrinsics(
    folder: Path,
    options: PosedOptions,
    layout_intrinsics: _LayoutIntrinsics,
    images: ImageFiles,
    frames: int,
) -> Float64[np.ndarray, "frames 3 3"]:
    """The caller's, or those of `camera-intrinsics.txt`, or of the layout."""
    matrix = options.intrinsics
    if matrix is None:
        matrix = calibration_beside(folder)
    if matrix is None:
        matrix = layout_intrinsics(folder, images)
    intrinsics = np.tile(np.asarray(matrix, np.float64), (frames, 1, 1))
    require_inside(str(folder), intrinsics, images.width, images.height)
    return intrinsics


def _seven_scenes_intrinsics(folder: Path, images: ImageFiles) -> Float64[np.ndarray, "3 3"]:
    size = (images.width, images.height)
    matrix = scaled_intrinsics(SEVEN_SCENES_INTRINSICS, _CALIBRATED, *size)
    if matrix is None:
        problem = (
            f"its images are {images.width}x{images.height}: the focal length of 7-Scenes,"
            " of 640x480, is not theirs"
        )
        raise TruthError(str(folder), problem, _ASK_FOR_INTRINSICS)
    return matrix


def _scannet_intrinsics(folder: Path, images: ImageFiles) -> Float64[np.ndarray, "3 3"]:
    file = folder.parent / "intrinsic" / "intrinsic_color.txt"
    if not file.is_file():
        raise TruthError(str(file), "no such file", _ASK_FOR_INTRINSICS)
    return read_matrix(file, 4)[:3, :3]


def _is_colour(path: Path) -> bool:
    return is_image(path) and path.name.startswith("frame-") and Path(path.stem).suffix == _COLOUR
