"""Mask overlays change moving pixels only."""

import numpy as np

from easi3r.viz import overlay_masks
from easi3r.viz.style import MOVING_COLOUR


def test_still_pixels_are_untouched_and_moving_ones_tinted() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 200, (2, 40, 60, 3), dtype=np.uint8)
    masks = np.zeros((2, 40, 60), bool)
    masks[0, 10:30, 20:50] = True
    drawn = overlay_masks(images, masks)
    np.testing.assert_array_equal(drawn[~masks], images[~masks])
    assert (drawn[0, 20, 35] == np.rint((images[0, 20, 35] + np.array(MOVING_COLOUR)) / 2)).all()
    assert (drawn[0, 10, 20:50] == MOVING_COLOUR).all()
    assert (drawn[masks] != images[masks]).any(axis=-1).all()


def test_outline_does_not_follow_the_border_of_the_image() -> None:
    images = np.zeros((1, 30, 30, 3), np.uint8)
    drawn = overlay_masks(images, np.ones((1, 30, 30), bool))
    assert (drawn == drawn[0, 15, 15]).all()
    assert (drawn[0, 15, 15] != MOVING_COLOUR).any()
