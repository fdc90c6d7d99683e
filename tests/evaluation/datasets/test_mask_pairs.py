"""Which mask is whose: by stem, by number, in order."""

from pathlib import Path

import pytest

from easi3r.errors import TruthError
from easi3r.evaluation.datasets.mask_pairs import masks_of_images, masks_of_video

FOLDER = Path("masks")


def paths(*stems: object) -> list[Path]:
    return [FOLDER / f"{stem}.png" for stem in stems]


def names(masks: tuple[Path | None, ...]) -> list[str | None]:
    return [mask and mask.stem for mask in masks]


@pytest.mark.parametrize(
    ("masks", "images", "expected"),
    [
        (["b", "a"], ["a", "b"], ["a", "b"]),
        (["00", "05"], ["00", "01", "05"], ["00", None, "05"]),
        (["mask0010", "mask0002"], ["2", "10"], ["mask0002", "mask0010"]),
        (["f_5.mask"], ["frame-000004", "frame-000005"], [None, "f_5.mask"]),
        (["0", "1"], ["img1", "img2"], ["0", "1"]),
        (["x", "y"], ["1", "2"], ["x", "y"]),
    ],
)
def test_masks_of_images(masks: list[str], images: list[str], expected: list[str | None]) -> None:
    assert names(masks_of_images(FOLDER, paths(*masks), images)) == expected


@pytest.mark.parametrize(
    ("masks", "frames", "expected"),
    [
        ([3, 4, 5], 3, ["3", "4", "5"]),
        ([0, 5], 6, ["0", None, None, None, None, "5"]),
        ([1, 6], 6, ["1", None, None, None, None, "6"]),
        ([2], 3, [None, None, "2"]),
    ],
)
def test_masks_of_a_video(masks: list[int], frames: int, expected: list[str | None]) -> None:
    assert names(masks_of_video(FOLDER, paths(*masks), frames)) == expected


@pytest.mark.parametrize("masks", [[0, 1, 2, 3], [7], ["a"], ["a1", "b1"]])
def test_masks_of_no_frame_of_a_video_are_refused(masks: list[object]) -> None:
    with pytest.raises(TruthError, match=rf"masks: holds {len(masks)} masks, the video has 3"):
        masks_of_video(FOLDER, paths(*masks), 3)


@pytest.mark.parametrize("masks", [[0, 1, 2, 3], [7], ["a"]])
def test_masks_of_no_image_are_refused(masks: list[object]) -> None:
    with pytest.raises(TruthError, match=rf"masks: holds {len(masks)} masks, the video has 2"):
        masks_of_images(FOLDER, paths(*masks), ["y0", "y1"])
