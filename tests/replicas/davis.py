"""DAVIS: JPEG frames, palette masks of objects with a void border, lists of sequences."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation

from easi3r.synthetic import RenderedClip
from tests.replicas.clips import save

_VOID_COLOUR = (224, 224, 192)


def write_davis(root: Path, clips: dict[str, RenderedClip]) -> None:
    """The first sequence as 2016 has them (0 and 255, grey), the others as 2017 (objects, void)."""
    names = list(clips)
    for number, (name, clip) in enumerate(clips.items()):
        for at in range(len(clip)):
            image = root / "JPEGImages" / "480p" / name / f"{at:05d}.jpg"
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(clip.images[at]).save(image, quality=95)
            mask = root / "Annotations" / "480p" / name / f"{at:05d}.png"
            if number == 0:
                save(mask, clip.dynamic_mask[at].astype(np.uint8) * 255)
            else:
                _save_palette(mask, object_labels(clip, at))
    for year, listed in (("2016", names[:1]), ("2017", names)):
        folder = root / "ImageSets" / year
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "val.txt").write_text("".join(f"{name}\n" for name in listed))


def object_labels(clip: RenderedClip, at: int) -> np.ndarray:
    """1 and up for what moves, object by object; 255 on a pixel around it."""
    moving = clip.dynamic_mask[at]
    labels = np.zeros(moving.shape, np.uint8)
    objects = np.where(moving, clip.object_id[clip.solid[at]], -1)
    for label, one in enumerate(np.unique(objects[moving]), start=1):
        labels[objects == one] = label
    labels[binary_dilation(moving) & ~moving] = 255
    return labels


def _save_palette(path: Path, labels: np.ndarray) -> None:
    palette = np.zeros((256, 3), np.uint8)
    palette[1:9] = [[128 * (i & 1), 64 * (i & 2), 32 * (i & 4)] for i in range(1, 9)]
    palette[8] = (64, 0, 0)
    palette[255] = _VOID_COLOUR
    image = Image.fromarray(labels)
    image.putpalette(palette.ravel().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
