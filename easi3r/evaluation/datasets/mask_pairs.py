"""Which mask is that of which frame: by name where both are images, else by number."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from easi3r.errors import TruthError


def masks_of_images(
    folder: Path, masks: Sequence[Path], names: Sequence[str]
) -> tuple[Path | None, ...]:
    """The mask of each image of a folder; None where it has none.

    By stem; where stems differ, by the last number in them; where that fails and there are as
    many masks as images, in order.

    Args:
        folder: of the masks, for messages.
        names: stems of all images of the sequence.

    Raises:
        TruthError: a mask belongs to no image.
    """
    by_stem = {mask.stem: mask for mask in masks}
    if by_stem.keys() <= set(names):
        return tuple(by_stem.get(name) for name in names)
    numbers = [_number(name) for name in names]
    by_number = {_number(mask.stem): mask for mask in masks}
    if _all_different(numbers) and len(by_number) == len(masks) and by_number.keys() <= {*numbers}:
        return tuple(by_number.get(number) for number in numbers)
    if len(masks) == len(names):
        return tuple(masks)
    stray = next((mask for mask in masks if _number(mask.stem) not in numbers), masks[0])
    problem = f"holds {len(masks)} masks, the video has {len(names)} frames"
    remedy = f"Name masks as their frames; {stray.name} is that of none"
    raise TruthError(str(folder), problem, remedy)


def masks_of_video(folder: Path, masks: Sequence[Path], frames: int) -> tuple[Path | None, ...]:
    """The mask of each frame of a video; None where it has none.

    In order, where there are as many as frames; else by number, from 0, or from 1 where one has
    the number of the last frame counted from 1.

    Raises:
        TruthError: there are more masks than frames, or one has no number of a frame.
    """
    if len(masks) == frames:
        return tuple(masks)
    numbers = [_number(mask.stem) for mask in masks]
    first = 1 if frames in numbers and 0 not in numbers else 0
    known = [number for number in numbers if number is not None and 0 <= number - first < frames]
    if len(known) < len(masks) or not _all_different(numbers):
        problem = f"holds {len(masks)} masks, the video has {frames} frames"
        remedy = "Give one mask for every frame, or name each by the number of its frame, from 0"
        raise TruthError(str(folder), problem, remedy)
    by_number = dict(zip(numbers, masks))
    return tuple(by_number.get(number) for number in range(first, first + frames))


def _number(stem: str) -> int | None:
    digits = re.findall(r"[0-9]+", stem)
    return int(digits[-1]) if digits else None


def _all_different(numbers: Sequence[int | None]) -> bool:
    return None not in numbers and max(Counter(numbers).values(), default=1) == 1
