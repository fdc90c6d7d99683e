"""The content of a truth sheet, read from the figure's own artists."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from easi3r.viz import TruthRow, truth_sheet


@pytest.fixture
def row() -> TruthRow:
    rng = np.random.default_rng(0)
    true_depth = rng.uniform(1, 5, size=(24, 32)).astype(np.float32)
    true_depth[:4] = 0
    true_mask = np.zeros((24, 32), bool)
    true_mask[10:20, 5:15] = True
    return TruthRow(
        name="movers-0",
        image=rng.integers(0, 255, size=(24, 32, 3)).astype(np.uint8),
        true_mask=true_mask,
        mask=np.roll(true_mask, 10, axis=1),
        score=rng.random((24, 32)).astype(np.float32),
        true_depth=true_depth,
        depth=7 * np.where(true_depth > 0, true_depth, 1),
    )


def pictures(figure: Figure) -> list[np.ndarray]:
    return [np.ma.filled(axes.images[0].get_array(), np.nan) for axes in figure.axes]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_a_row_shows_frame_masks_score_and_depths(row: TruthRow) -> None:
    figure = truth_sheet([row, row], "several movers")
    assert texts(figure)[0] == "several movers"
    assert texts(figure)[1:] == [
        "frame", "true mask", "our mask", "our score", "true depth", "our depth"
    ]  # fmt: skip
    shown = pictures(figure)
    assert len(shown) == 12
    np.testing.assert_array_equal(shown[0], row.image)
    for picture, mask in zip(shown[1:3], (row.true_mask, row.mask), strict=True):
        np.testing.assert_array_equal((picture != row.image).any(axis=-1), mask)
    np.testing.assert_array_equal(shown[3], row.score)
    assert figure.axes[0].get_ylabel() == "movers-0"


def test_depths_share_a_range_whatever_their_unit(row: TruthRow) -> None:
    figure = truth_sheet([row], "depths")
    true_depth, depth = pictures(figure)[4:]
    known = row.true_depth > 0
    np.testing.assert_allclose(depth[known], true_depth[known], atol=1e-5)
    assert np.isnan(true_depth[~known]).all()
    ranges = [axes.images[0].get_clim() for axes in figure.axes[4:]]
    assert ranges[0] == ranges[1]


def test_without_true_depth_its_column_is_left_out(row: TruthRow) -> None:
    figure = truth_sheet([replace(row, true_depth=None)], "masks only")
    assert "true depth" not in texts(figure)
    assert len(pictures(figure)) == 5


def test_portrait_and_landscape_stand_in_one_sheet(row: TruthRow) -> None:
    arrays = {name: np.swapaxes(value, 0, 1) for name, value in vars(row).items() if name != "name"}
    figure = truth_sheet([row, replace(row, **arrays)], "both")
    width, height = figure.get_size_inches()
    for axes, aspect in ((figure.axes[0], 32 / 24), (figure.axes[6], 24 / 32)):
        box = axes.get_position()
        assert box.width * width / (box.height * height) == pytest.approx(aspect)
