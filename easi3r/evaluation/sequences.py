"""Real video with truth on disk: masks beside a video (DAVIS), or poses and depths (7-Scenes)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64
from PIL import Image, UnidentifiedImageError
from scipy.spatial.transform import Rotation

from easi3r.config import FrameFit, SamplingSettings, VideoSettings
from easi3r.errors import DegenerateGeometryError, FrameSizeError, SettingsError, TruthError
from easi3r.evaluation.truth import Truth, resample_truth, source_pixels
from easi3r.geometry import require_poses
from easi3r.types import Frames
from easi3r.video import FrameSize, decode, fit_size, plan_clips, probe

_IMAGES = {".png", ".jpg", ".jpeg"}
_VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm"}
_COLOUR, _DEPTH, _POSE = ".color.png", ".depth.png", ".pose.txt"
_NO_DEPTH_MM = (0, 65535)
_NOMINAL_RATE_HZ = 30.0  # of images without times; nothing is scored by it
_ROTATION_TOLERANCE = 5e-3
_LARGEST_STRIDE = 5  # a sixth of a second at 30 Hz: views of a hand-held camera still overlap
SEVEN_SCENES_INTRINSICS = np.array([[585.0, 0, 320], [0, 585.0, 240], [0, 0, 1]])
"""Of 7-Scenes' published calibration, pixels of 640x480."""


@dataclass(frozen=True)
class FrameChoice:
    """Which frames of a sequence are read: `frames` of them from the first on, `stride` apart.

    Attributes:
        frames: number of frames, at least 2: the network sees pairs.
        stride: frames from one to the next, at least 1; None spreads them over the whole
            sequence, 5 frames apart at most.

    Raises:
        SettingsError: fewer than 2 frames, or a stride below 1.
    """

    frames: int = 16
    stride: int | None = None

    def __post_init__(self) -> None:
        if self.frames < 2:
            raise SettingsError("frames", f"{self.frames} make no pair", "Choose 2 frames or more")
        if self.stride is not None and self.stride < 1:
            raise SettingsError("stride", f"{self.stride} is below 1", "Choose 1 or more")

    def stride_of(self, length: int) -> int:
        """The stride in a sequence of some length."""
        if self.stride is not None:
            return self.stride
        return min(max(1, (length - 1) // (self.frames - 1)), _LARGEST_STRIDE)

    def of(self, length: int) -> list[int]:
        """Numbers of the frames in a sequence of some length."""
        return list(range(0, length, self.stride_of(length)))[: self.frames]


@dataclass(frozen=True)
class MaskedVideo:
    """A video or a folder of its frames, and a folder of masks: mask i is that of frame i."""

    name: str
    video: Path
    masks: Path


@dataclass(frozen=True)
class PosedFolder:
    """A folder of `frame-*.color.png`, `.depth.png` (mm) and `.pose.txt` (camera-to-world, metres).

    Attributes:
        intrinsics: pixels of the images.
    """

    name: str
    folder: Path
    intrinsics: Float64[np.ndarray, "3 3"]


def find_sequences(
    folder: Path, intrinsics: Float64[np.ndarray, "3 3"] | None = None
) -> tuple[MaskedVideo | PosedFolder, ...]:
    """All sequences with truth under a folder, sorted by name.

    `NAME_masks` beside the video or frame folder `NAME`; `Annotations/../NAME` beside
    `JPEGImages/../NAME` (DAVIS as published); a folder of `frame-*.color.png` (7-Scenes).

    Args:
        intrinsics: of the 7-Scenes-like folders; None takes `camera-intrinsics.txt` in or beside
            the folder where there is one, else 7-Scenes'.

    Raises:
        TruthError: nothing of the kind is there, or a folder of masks has no video beside it.
    """
    if not folder.is_dir():
        raise TruthError(str(folder), "no such folder", "Give a folder of sequences with truth")
    sequences: list[MaskedVideo | PosedFolder] = []
    for inside in sorted([folder, *(one for one in folder.rglob("*") if one.is_dir())]):
        if next(inside.glob(f"frame-*{_COLOUR}"), None):
            sequences.append(posed_folder(inside, intrinsics))
        elif inside.name.endswith("_masks"):
            name = inside.name.removesuffix("_masks")
            sequences.append(MaskedVideo(name, _video_beside(inside, name), inside))
        elif "Annotations" in inside.parts and next(inside.glob("*.png"), None):
            images = Path(*("JPEGImages" if p == "Annotations" else p for p in inside.parts))
            sequences.append(masked_video(images, inside))
    if not sequences:
        remedy = "See `easi3r evaluate real --help` for the layouts, or give --masks"
        raise TruthError(str(folder), "holds no sequence with truth", remedy)
    return tuple(sorted(sequences, key=lambda one: one.name))


def masked_video(video: Path, masks: Path) -> MaskedVideo:
    """A video and its masks, at paths that the caller names.

    Raises:
        TruthError: one of them does not exist.
    """
    for path in (video, masks):
        if not path.exists():
            remedy = "Give a video or a folder of frames, and a folder of masks"
            raise TruthError(str(path), "no such file or folder", remedy)
    return MaskedVideo(video.stem, video, masks)


def posed_folder(folder: Path, intrinsics: Float64[np.ndarray, "3 3"] | None = None) -> PosedFolder:
    """A 7-Scenes-like folder; for `intrinsics` see `find_sequences`.

    Raises:
        TruthError: the calibration beside it cannot be read.
    """
    if intrinsics is None:
        intrinsics = SEVEN_SCENES_INTRINSICS
        for place in (folder, folder.parent):
            if (file := place / "camera-intrinsics.txt").is_file():
                intrinsics = _read_matrix(file, 3)
    return PosedFolder(f"{folder.parent.name}/{folder.name}", folder, intrinsics)


def read_masked(
    sequence: MaskedVideo,
    choice: FrameChoice,
    long_side_px: int,
    patch_size: int,
    fit: FrameFit = "crop",
) -> tuple[Frames, Bool[np.ndarray, "frames height width"]]:
    """Frames at the network's size, and their motion masks (True: any mask value but 0).

    Raises:
        TruthError: masks and frames differ in number or size, or a mask cannot be read.
        VideoError: see `easi3r.video.decode`.
    """
    masks, size = _sorted_images(sequence.masks), FrameSize(long_side_px, patch_size, fit)
    if sequence.video.is_dir():
        paths = _sorted_images(sequence.video)
        frames = _read_frames(paths, choice.of(len(paths)), size)
        length, (width, height) = len(paths), _open_image(paths[0]).size
    else:
        video = probe(str(sequence.video))
        stride = choice.stride_of(len(video))
        fewest = min(choice.frames, SamplingSettings().min_frames)
        sampling = SamplingSettings(
            clip_frames=choice.frames, frame_stride=stride, min_frames=fewest
        )
        spec = plan_clips(video, sampling, VideoSettings())[0]
        frames = decode(spec, *size)
        length, width, height = len(video), video.width, video.height
    if len(masks) != length:
        problem = f"holds {len(masks)} masks, the video has {length} frames"
        raise TruthError(str(sequence.masks), problem, "Give one mask for every frame")
    source = [_read_mask(masks[number], width, height) for number in frames.frame_index]
    stored_height, stored_width = frames.images.shape[1:3]
    rows, columns = source_pixels(
        frames.source_to_stored, stored_height, stored_width, (height, width)
    )
    picture = frames.padding.picture(stored_height, stored_width)
    return frames, np.stack([mask[rows, columns] & picture for mask in source])


def read_posed(
    sequence: PosedFolder,
    choice: FrameChoice,
    long_side_px: int,
    patch_size: int,
    fit: FrameFit = "crop",
) -> tuple[Frames, Truth]:
    """Frames at the network's size, and their ground truth, in metres; nothing moves.

    Raises:
        TruthError: a depth or a pose is missing, unreadable, or no pose.
        FrameSizeError: the images differ in size.
    """
    paths = sorted(sequence.folder.glob(f"*{_COLOUR}"))
    numbers = choice.of(len(paths))
    stems = [str(paths[number]).removesuffix(_COLOUR) for number in numbers]
    frames = _read_frames(paths, numbers, FrameSize(long_side_px, patch_size, fit))
    poses = np.stack([_read_pose(Path(stem + _POSE)) for stem in stems])
    depth = np.stack([_read_depth(Path(stem + _DEPTH)) for stem in stems])
    truth = Truth(
        depth=depth,
        camera_to_world=poses,
        intrinsics=np.tile(sequence.intrinsics, (len(frames), 1, 1)),
        dynamic_mask=np.zeros(depth.shape, bool),
    )
    height, width = frames.images.shape[1:3]
    everything = np.arange(len(frames))
    return frames, resample_truth(truth, everything, frames.source_to_stored, height, width)


def _video_beside(masks: Path, name: str) -> Path:
    beside = [masks.parent / name, *(masks.parent / f"{name}{suffix}" for suffix in _VIDEOS)]
    for path in beside:
        if path.exists():
            return path
    problem = f"no video and no frame folder called {name} stands beside these masks"
    raise TruthError(str(masks), problem, "Put it there, or give both with --masks")


def _sorted_images(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _IMAGES)
    if not paths:
        raise TruthError(str(folder), "holds no PNG or JPEG images", "Check the path")
    return paths


def _read_frames(paths: list[Path], numbers: list[int], size: FrameSize) -> Frames:
    images = [_open_image(paths[number]).convert("RGB") for number in numbers]
    sizes = {image.size for image in images}
    if len(sizes) > 1:
        problem = f"its images differ in size: {sorted(sizes)}"
        raise FrameSizeError(str(paths[0].parent), problem, "Give images of one size")
    width, height = images[0].size
    fit = fit_size(width, height, 1.0, *size)
    return Frames(
        images=np.stack([fit.apply(image) for image in images]),
        pts_seconds=np.array(numbers) / _NOMINAL_RATE_HZ,
        frame_index=np.array(numbers, np.int64),
        source_to_stored=fit.source_to_stored,
        padding=fit.padding,
    )


def _open_image(path: Path) -> Image.Image:
    try:
        image = Image.open(path)
        image.load()
    except (OSError, UnidentifiedImageError) as error:
        raise TruthError(str(path), f"cannot be read ({error})", "Restore the file") from error
    return image


def _read_mask(path: Path, width: int, height: int) -> Bool[np.ndarray, "height width"]:
    """True where something moves; palette indices, grey levels and colours of 0 stand still."""
    image = _open_image(path)
    if image.size != (width, height):
        problem = f"is {image.size[0]}x{image.size[1]}, its video {width}x{height}"
        raise TruthError(str(path), problem, "Give masks of the video's size")
    values = np.asarray(image.convert("RGB") if image.mode == "RGBA" else image)
    moving: Bool[np.ndarray, "height width"] = np.atleast_3d(values).max(axis=2) > 0
    return moving


def _read_depth(path: Path) -> np.ndarray:
    """Depth in metres; 0 where not known."""
    millimetres = np.asarray(_open_image(path))
    known = ~np.isin(millimetres, _NO_DEPTH_MM)
    return np.where(known, millimetres, 0).astype(np.float32) / 1000


def _read_pose(path: Path) -> Float64[np.ndarray, "4 4"]:
    """A pose whose rotation is made exact: 7-Scenes' are off by 2e-4."""
    pose = _read_matrix(path, 4)
    rotation = pose[:3, :3]
    nearly = np.abs(rotation @ rotation.T - np.eye(3)).max() < _ROTATION_TOLERANCE
    if nearly and np.linalg.det(rotation) > 0:
        pose[:3, :3] = Rotation.from_matrix(rotation).as_matrix()
    try:
        require_poses(str(path), pose[None])
    except DegenerateGeometryError as error:
        raise TruthError(str(path), error.problem, error.remedy) from error
    return pose


def _read_matrix(path: Path, side: int) -> Float64[np.ndarray, "side side"]:
    try:
        matrix = np.loadtxt(path)
    except (OSError, ValueError) as error:
        raise TruthError(str(path), f"cannot be read ({error})", "Restore the file") from error
    if matrix.shape != (side, side):
        problem = f"holds {matrix.shape} numbers, not {side} x {side}"
        raise TruthError(str(path), problem, "Give a matrix, a row a line")
    return matrix
