"""DAVIS 2016 and 2017: `JPEGImages/480p/SEQ/*.jpg`, `Annotations/480p/SEQ/*.png`, `ImageSets`."""

import re
from pathlib import Path

import numpy as np

from easi3r.errors import TruthError
from easi3r.evaluation.datasets.frame_choice import Stride, strided
from easi3r.evaluation.datasets.mask_pairs import masks_of_images
from easi3r.evaluation.datasets.true_images import image_files, images_in, readable
from easi3r.evaluation.datasets.true_masks import mask_files
from easi3r.evaluation.sequence import TrueSequence, no_depth

LAYOUT = "JPEGImages/480p/SEQ/*.jpg with Annotations/480p/SEQ/*.png"
_IMAGES = "JPEGImages"
_ANNOTATIONS = ("Annotations", "Annotations_unsupervised")
_LISTS = {
    "davis-16": ("ImageSets/2016/val.txt", "ImageSets/480p/val.txt"),
    "davis-17": ("ImageSets/2017/val.txt",),
}
_NOMINAL_RATE_HZ = 24.0


def find(root: Path) -> dict[str, Path]:
    """Folders of frames that have annotations, by the sequence's name."""
    found: dict[str, Path] = {}
    for base in _bases(root):
        for folder in sorted(_resolution(base).iterdir()):
            if folder.is_dir() and annotations_of(folder) is not None:
                found.setdefault(folder.name, folder)
    return found


def lists(root: Path) -> dict[str, tuple[str, ...]]:
    """Validation sequences of `davis-16` and `davis-17`, as far as `ImageSets` has their lists."""
    return {
        name: sequences
        for name, files in _LISTS.items()
        if (sequences := next(filter(None, (_listed(root, file) for file in files)), ()))
    }


def listed(root: Path) -> tuple[str, ...]:
    """Sequences of both lists, each once; empty where there is no list: every folder then."""
    return tuple(dict.fromkeys(name for names in lists(root).values() for name in names))


def read(name: str, folder: Path, stride: Stride, least_depth_m: float) -> TrueSequence:
    """A sequence, every frame of it in the paper's protocol.

    Raises:
        TruthError, FrameSizeError: it cannot be used.
    """
    annotations = annotations_of(folder)
    paths = images_in(folder)
    if annotations is None or not paths:
        raise TruthError(str(folder), "has no frames or no annotations", "Restore the folder")
    masks = masks_of_images(annotations, images_in(annotations), [path.stem for path in paths])
    places = strided(len(paths), stride, slice(None))
    kept, unreadable = readable([paths[at] for at in places])
    places = [places[at] for at in kept]
    images = image_files(folder, [paths[at] for at in places])
    chosen = [masks[at] for at in places]
    motion, masks_left_out = mask_files(annotations, chosen, images.width, images.height)
    return TrueSequence(
        name=name,
        dataset="davis",
        frame_names=tuple(paths[at].stem for at in places),
        pts_seconds=np.array(places) / _NOMINAL_RATE_HZ,
        width=images.width,
        height=images.height,
        image=images,
        motion=motion,
        depth=no_depth,
        left_out=(*unreadable, *masks_left_out),
    )


def annotations_of(images: Path) -> Path | None:
    """The folder of masks of a folder under `JPEGImages`; `Annotations` first."""
    parts = images.parts
    at = len(parts) - 1 - parts[::-1].index(_IMAGES)
    for name in _ANNOTATIONS:
        folder = Path(*parts[:at], name, *parts[at + 1 :])
        if images_in(folder):
            return folder
    return None


def _bases(root: Path) -> list[Path]:
    inside = sorted(root.iterdir()) if root.is_dir() else []
    return [base for base in (root, *inside) if (base / _IMAGES).is_dir()]


def _resolution(base: Path) -> Path:
    """The folder of the sequences: 480p, else the only resolution, else `JPEGImages` itself."""
    folder = base / _IMAGES
    if (folder / "480p").is_dir():
        return folder / "480p"
    inside = sorted(one for one in folder.iterdir() if one.is_dir())
    is_resolution = [one for one in inside if any(deeper.is_dir() for deeper in one.iterdir())]
    return is_resolution[0] if is_resolution else folder


def _listed(root: Path, file: str) -> tuple[str, ...]:
    for base in _bases(root):
        if (base / file).is_file():
            lines = [line for line in (base / file).read_text().splitlines() if line.strip()]
            names = [_sequence_of(line.split()[0]) for line in lines]
            return tuple(dict.fromkeys(names))
    return ()


def _sequence_of(entry: str) -> str:
    """Lists name sequences; the first one of 2016 names each image of them."""
    image = re.search(r"([^/]+)/[^/]+\.(jpg|png)$", entry)
    return image[1] if image else entry
