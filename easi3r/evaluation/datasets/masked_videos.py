"""A video or a folder of its frames, with a folder of masks."""

import mimetypes
from dataclasses import replace
from pathlib import Path

import numpy as np

from easi3r.errors import TruthError
from easi3r.evaluation.datasets.frame_choice import FrameChoice
from easi3r.evaluation.datasets.mask_pairs import masks_of_images, masks_of_video
from easi3r.evaluation.datasets.true_images import image_files, images_in, readable
from easi3r.evaluation.datasets.true_masks import mask_files
from easi3r.evaluation.datasets.video_images import VideoImages
from easi3r.evaluation.sequence import ReadImage, TrueSequence, no_depth
from easi3r.video import probe
from easi3r.video.media_types import is_audio_or_video

NOMINAL_RATE_HZ = 30.0
"""Of images without times; nothing is scored by it."""


def masked_sequence(
    video: Path, masks: Path, choice: FrameChoice, name: str | None = None
) -> TrueSequence:
    """A video, or a folder of its frames, and a folder of masks, at paths that the caller names.

    Masks belong to frames by name where both are images, else by number; a frame may have none.

    Args:
        name: of the sequence; None takes the video's.

    Raises:
        TruthError: one of them does not exist or is empty; masks belong to no frame.
        FrameSizeError: images differ in size.
        VideoError: see `easi3r.video.probe`.
    """
    for path in (video, masks):
        if not path.exists():
            remedy = "Give a video or a folder of frames, and a folder of masks"
            raise TruthError(str(path), "no such file or folder", remedy)
    mask_paths = _require_images(masks)
    name = name or (video.name if video.is_dir() else video.stem)
    if video.is_dir():
        return _of_images(name, _require_images(video), masks, mask_paths, choice)
    probed = probe(str(video))
    places = choice.of(len(probed))
    belonging = masks_of_video(masks, mask_paths, len(probed))
    return _sequence(
        name=name,
        frame_names=tuple(str(at) for at in places),
        seconds=probed.pts_seconds[places],
        size=(probed.width, probed.height),
        image=VideoImages(probed, tuple(places)),
        folder=masks,
        masks=tuple(belonging[at] for at in places),
    )


def video_beside(masks: Path) -> Path:
    """The video or the folder of frames that `NAME_masks` stands beside: `NAME`, in any case.

    Raises:
        TruthError: there is none, or there are several.
    """
    name = masks.name[: -len("_masks")]
    here = [path for path in sorted(masks.parent.iterdir()) if _may_be_video(path)]
    for called in (lambda one: one == name, lambda one: one.casefold() == name.casefold()):
        found = [path for path in here if called(path.name if path.is_dir() else path.stem)]
        if len(found) > 1:
            both = " and ".join(path.name for path in found)
            raise TruthError(str(masks), f"{both} both stand beside it", "Remove one")
        if found:
            return found[0]
    problem = f"no video and no frame folder called {name} stands beside these masks"
    raise TruthError(str(masks), problem, "Put it there, or give both with --masks")


def _of_images(
    name: str, paths: list[Path], folder: Path, masks: list[Path], choice: FrameChoice
) -> TrueSequence:
    belonging = masks_of_images(folder, masks, [path.stem for path in paths])
    kept, unreadable = readable(paths)
    places = [kept[at] for at in choice.of(len(kept))]
    images = image_files(paths[0].parent, [paths[at] for at in places])
    sequence = _sequence(
        name=name,
        frame_names=tuple(paths[at].stem for at in places),
        seconds=np.array(places) / NOMINAL_RATE_HZ,
        size=(images.width, images.height),
        image=images,
        folder=folder,
        masks=tuple(belonging[at] for at in places),
    )
    return replace(sequence, left_out=(*unreadable, *sequence.left_out))


def _sequence(
    name: str,
    frame_names: tuple[str, ...],
    seconds: np.ndarray,
    size: tuple[int, int],
    image: ReadImage,
    folder: Path,
    masks: tuple[Path | None, ...],
) -> TrueSequence:
    motion, left_out = mask_files(folder, masks, *size)
    return TrueSequence(
        name=name,
        dataset="real",
        frame_names=frame_names,
        pts_seconds=seconds,
        width=size[0],
        height=size[1],
        image=image,
        motion=motion,
        depth=no_depth,
        left_out=left_out,
    )


def _require_images(folder: Path) -> list[Path]:
    paths = images_in(folder)
    if not paths:
        raise TruthError(str(folder), "holds no images", "Check the path")
    return paths


def _may_be_video(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return bool(images_in(path))
    kind = mimetypes.guess_type(path.name)[0] or ""
    return is_audio_or_video(path.name) and not kind.startswith("audio/")
