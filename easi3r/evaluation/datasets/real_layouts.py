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
from easi3r.evaluation.datasets.registry import DATASETS, dataset_of, raise_together
from easi3r.evaluation.datasets.true_depths import LEAST_DEPTH_M
from easi3r.evaluation.datasets.true_images import images_in
from easi3r.evaluation.sequence import LeftOut, TrueSequence

_IMAGES, _ANNOTATIONS, _MASKS = "JPEGImages", "Annotations", "_masks"


@dataclass(frozen=True)
class _Place:
    """Something that looks like a sequence.

    Attributes:
        folder: tells it from others of the same name.
        read: takes the sequence's name, as `name`.
    """

    name: str
    folder: Path
    read: Callable[..., TrueSequence]


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
    search = _Search(root, PosedOptions(choice, intrinsics, least_depth_m, depth_step_m))
    search.run()
    if not search.places and not search.failures:
        raise TruthError(str(root), *_nothing_found(root))
    read = search.read()
    if not read:
        raise_together(root, search.failures)
    return read, tuple(search.left_out)


class _Search:
    """Goes over a folder; gathers what looks like a sequence, and what is wrong with the rest."""

    def __init__(self, root: Path, options: PosedOptions) -> None:
        self.root = root
        self.options = options
        self.places: list[_Place] = []
        self.failures: list[PermanentError] = []
        self.left_out: list[LeftOut] = []

    def run(self) -> None:
        """Finds the places, those with poses first: they have masks of their own."""
        folders = list(_folders(self.root))
        posed, taken = set(), set()
        for folder in folders:
            if (found := _posed_place(folder, self.options)) is not None:
                place, masks = found
                self.places.append(place)
                posed.add(folder)
                taken.add(masks)
        annotated: dict[Path, Path] = {}
        for masks in folders:
            if masks in taken:
                continue
            try:
                frames = _frames_of(masks)
            except TruthError as error:
                self._refuse(self._relative(masks), error)
                continue
            if frames is None or frames in posed:
                continue
            if frames in annotated:
                words = f"its frames have masks in {self._relative(annotated[frames])} already"
                self.left_out.append(LeftOut(self._relative(masks), words))
                continue
            annotated[frames] = masks
            name = frames.stem if frames.is_file() else frames.name
            read = partial(masked_sequence, frames, masks, self.options.choice)
            self.places.append(_Place(name, masks, read))
        self._name_other_datasets()

    def _name_other_datasets(self) -> None:
        """Names the commands that read what lies beside sequences of these layouts."""
        for dataset, layout in DATASETS.items():
            if dataset != "davis" and self.places:
                for name, place in layout.find(self.root).items():
                    words = f"in the layout of {dataset}: run `easi3r evaluate {dataset} {place}`"
                    self.left_out.append(LeftOut(name, words))

    def read(self) -> tuple[TrueSequence, ...]:
        """The sequences that can be used, by name; names that clash become paths."""
        names = Counter(place.name for place in self.places)
        read = []
        for place in self.places:
            name = place.name if names[place.name] == 1 else self._relative(place.folder)
            try:
                read.append(place.read(name=name))
            except PermanentError as error:
                self._refuse(name, error)
        return tuple(sorted(read, key=lambda one: one.name))

    def _refuse(self, name: str, error: PermanentError) -> None:
        self.failures.append(error)
        self.left_out.append(LeftOut(name, str(error)))

    def _relative(self, folder: Path) -> str:
        return folder.relative_to(self.root).as_posix()


def _posed_place(folder: Path, options: PosedOptions) -> tuple[_Place, Path | None] | None:
    """A folder with poses, and the masks that belong to it; None where it is no such folder."""
    absolute = folder.resolve()
    if is_seven_scenes(folder):
        name = f"{absolute.parent.name}/{absolute.name}"
        read = partial(seven_scenes_sequence, folder=folder, options=options)
        return _Place(name, folder, read), masks_beside(folder)
    if is_scannet(folder):
        read = partial(scannet_sequence, folder=folder, options=options)
        return _Place(absolute.name, folder, read), masks_beside(folder / "color")
    return None


def _frames_of(masks: Path) -> Path | None:
    """The video or frames of a folder of masks; None where it is no such folder.

    Raises:
        TruthError: it is called `NAME_masks`, and no video or several are called `NAME`.
    """
    if not images_in(masks):
        return None
    if masks.name.lower().endswith(_MASKS):
        return video_beside(masks)
    return _annotated(masks)


def _folders(root: Path) -> Iterator[Path]:
    """A folder and all below it, in order; hidden ones left out, links followed once."""
    seen = set()
    for here, below, _ in os.walk(root, followlinks=True):
        below[:] = sorted(name for name in below if not name.startswith((".", "@")))
        if (real := os.path.realpath(here)) in seen:
            below.clear()
            continue
        seen.add(real)
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
