"""Sequences with truth in any folder: what `easi3r evaluate real` reads."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from easi3r.errors import PermanentError, TruthError
from easi3r.evaluation.datasets.frame_choice import FrameChoice
from easi3r.evaluation.datasets.masked_videos import masked_sequence, video_beside
from easi3r.evaluation.datasets.posed_folders import (
    PosedOptions,
    is_scannet,
    is_seven_scenes,
    masks_beside,
    scannet_sequence,
    seven_scenes_sequence,
)
from easi3r.evaluation.datasets.registry import dataset_of
from easi3r.evaluation.datasets.true_depths import LEAST_DEPTH_M
from easi3r.evaluation.datasets.true_images import images_in
from easi3r.evaluation.sequence import LeftOut, TrueSequence

_IMAGES, _ANNOTATIONS, _MASKS = "JPEGImages", "Annotations", "_masks"


@dataclass(frozen=True)
class _Place:
    """Something that looks like a sequence.

    Attributes:
        folder: tells it from others of the same name.
        read: takes the sequence's name.
    """

    name: str
    folder: Path
    read: Callable[[str], TrueSequence]


def real_sequences(
    root: Path,
    intrinsics: Float64[np.ndarray, "3 3"] | None = None,
    choice: FrameChoice = FrameChoice(),  # noqa: B008 (frozen)
    least_depth_m: float = LEAST_DEPTH_M,
    depth_step_m: float | None = None,
) -> tuple[tuple[TrueSequence, ...], tuple[LeftOut, ...]]:
    """All sequences with truth under a folder, sorted by name.

    - `NAME_masks/` beside the video or frame folder `NAME`, in any case;
    - `Annotations*/../NAME/` beside `JPEGImages/../NAME/` (DAVIS as published);
    - folders of `frame-*.color.png|jpg`, `.pose.txt` and `.depth.png` (7-Scenes), with `masks/` or
      `NAME_masks/` beside them where something moves;
    - folders of `color/`, `pose/`, `depth/`, `intrinsic/` (ScanNet).

    Args:
        intrinsics: of the images of folders with poses; None takes `camera-intrinsics.txt` in or
            beside the folder where there is one, else what the layout says.
        choice: the frames that are read.
        least_depth_m: nearer true depths are left out.
        depth_step_m: metres of one step of a depth; None: a millimetre, of 16 bits only.

    Returns:
        The sequences, and what was refused as a whole, with reasons.

    Raises:
        TruthError: nothing of the kind is there, or nothing of it can be used; a folder in the
            layout of another data set names the command that reads it.
    """
    if not root.is_dir():
        raise TruthError(str(root), "no such folder", "Give a folder of sequences with truth")
    options = PosedOptions(choice, intrinsics, least_depth_m, depth_step_m)
    left_out: list[LeftOut] = []
    places = list(_places(root, options, left_out))
    if not places and not left_out:
        raise TruthError(str(root), *_nothing_found(root))
    clashes = {name for name, count in Counter(place.name for place in places).items() if count > 1}
    read = []
    for place in places:
        relative = place.folder.relative_to(root).as_posix()
        name = relative if place.name in clashes else place.name
        try:
            read.append(place.read(name))
        except PermanentError as error:
            left_out.append(LeftOut(name, str(error)))
    if not read:
        first = left_out[0].reason.rstrip(".")
        raise TruthError(str(root), f"no sequence can be used: {first}", "Mend one of them")
    return tuple(sorted(read, key=lambda one: one.name)), tuple(left_out)


def _places(root: Path, options: PosedOptions, left_out: list[LeftOut]) -> Iterator[_Place]:
    choice = options.choice
    posed, taken = set(), set()
    folders = list(_folders(root))
    for folder in folders:
        if is_seven_scenes(folder):
            absolute = folder.resolve()
            name = f"{absolute.parent.name}/{absolute.name}"
            read = partial(_read_posed, seven_scenes_sequence, folder, options)
        elif is_scannet(folder):
            name = folder.resolve().name
            read = partial(_read_posed, scannet_sequence, folder, options)
        else:
            continue
        posed.add(folder)
        taken.add(masks_beside(folder if is_seven_scenes(folder) else folder / "color"))
        yield _Place(name, folder, read)
    annotated: dict[Path, Path] = {}
    for folder in folders:
        if folder in taken:
            continue
        if folder.name.lower().endswith(_MASKS) and images_in(folder):
            try:
                video = video_beside(folder)
            except TruthError as error:
                left_out.append(LeftOut(folder.relative_to(root).as_posix(), str(error)))
                continue
            if video not in posed:
                name = video.name if video.is_dir() else video.stem
                yield _Place(name, folder, partial(_read_masked, video, folder, choice))
        elif (frames := _annotated(folder)) is not None and images_in(folder):
            if frames in annotated:
                words = f"the frames have masks in {annotated[frames].relative_to(root)} already"
                left_out.append(LeftOut(str(folder.relative_to(root)), words))
                continue
            annotated[frames] = folder
            yield _Place(frames.name, folder, partial(_read_masked, frames, folder, choice))


def _read_posed(
    reader: Callable[[str, Path, PosedOptions], TrueSequence],
    folder: Path,
    options: PosedOptions,
    name: str,
) -> TrueSequence:
    return reader(name, folder, options)


def _read_masked(video: Path, masks: Path, choice: FrameChoice, name: str) -> TrueSequence:
    return masked_sequence(video, masks, choice, name)


def _folders(root: Path) -> Iterator[Path]:
    """A folder and all below it, in order; hidden ones left out."""
    for here, below, _ in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith((".", "@")))
        yield Path(here)


def _annotated(folder: Path) -> Path | None:
    """The frames of a folder of masks: that under `JPEGImages` for one under `Annotations*`."""
    parts = folder.parts
    for at in reversed(range(len(parts))):
        if parts[at].startswith(_ANNOTATIONS):
            return Path(*parts[:at], _IMAGES, *parts[at + 1 :])
    return None


def _nothing_found(root: Path) -> tuple[str, str]:
    dataset = dataset_of(root)
    if dataset is not None:
        problem = f"is laid out as the data set {dataset}, which another command reads"
        return problem, f"Run `easi3r evaluate {dataset} {root}`"
    remedy = "See `easi3r evaluate real --help` for the layouts, or give --masks"
    return "holds no sequence with truth", remedy
