"""The content of a contact sheet, read from the figure's own artists."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from easi3r.viz import contact_sheet
from tests.viz.conftest import FRAMES, HEIGHT, WIDTH, Committed


def rows_of(figure: Figure) -> dict[str, list[np.ndarray]]:
    """Pictures per row, by the row's label."""
    rows: dict[str, list[np.ndarray]] = {}
    name = ""
    for axes in figure.axes:
        if axes.images:
            name = axes.get_ylabel() or name
            rows.setdefault(name, []).append(np.asarray(axes.images[0].get_array()))
    return rows


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def test_rows_show_the_clip_at_evenly_spaced_times(committed: Committed) -> None:
    clip = committed.clip
    figure = contact_sheet(clip, committed.frames, count=3)
    rows = rows_of(figure)
    assert list(rows) == ["frame", "motion score", "mask", "depth"]
    for column, frame in enumerate([0, 2, 5]):  # 2.5 rounds to even
        np.testing.assert_array_equal(rows["frame"][column], committed.frames.images[frame])
        np.testing.assert_array_equal(rows["motion score"][column], clip.dynamic_score[frame])
        np.testing.assert_array_equal(rows["depth"][column], clip.depth[frame])
        changed = (rows["mask"][column] != committed.frames.images[frame]).any(axis=-1)
        np.testing.assert_array_equal(changed, clip.dynamic_mask[frame])
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [f"{clip.time.to_numpy()[frame]:.2f} s" for frame in (0, 2, 5)]


def test_heading_shows_clip_source_weights_and_licence(committed: Committed) -> None:
    written = texts(contact_sheet(committed.clip, committed.frames))
    for fact in ("scene.mp4", committed.clip_id, "nano", "000000000000", "Apache-2.0"):
        assert fact in written
    assert "without" not in written


def test_a_sheet_without_frames_has_a_remark(committed: Committed) -> None:
    figure = contact_sheet(committed.clip, None)
    assert list(rows_of(figure)) == ["motion score", "mask", "depth"]
    assert "drawn without them" in texts(figure)
    assert "the disk burnt" in texts(contact_sheet(committed.clip, None, remark="the disk burnt"))


def test_a_short_clip_shows_every_frame(committed: Committed) -> None:
    clip = committed.clip.isel(time=slice(0, 2))
    assert len(rows_of(contact_sheet(clip, None, count=5))["depth"]) == 2


def test_camera_path_is_drawn_from_above_with_the_clips_unit(committed: Committed) -> None:
    clip = committed.clip
    figure = contact_sheet(clip, None, count=4)
    [axes] = [one for one in figure.axes if one.get_title("left") == "Camera path from above"]
    path = axes.lines[0].get_xydata()
    poses = clip.camera_to_world.to_numpy()
    np.testing.assert_array_equal(path, poses[:, [0, 2], 3])
    assert len(axes.patches) == 4
    # The first camera looks along +z: its cone opens upwards, as wide as the field of view.
    left, right = axes.patches[0].get_xy()[1:3] - path[0]
    focal = clip.intrinsics.to_numpy()[0, 0, 0]
    assert right[0] / right[1] == pytest.approx(WIDTH / 2 / focal)
    assert left[0] == pytest.approx(-right[0])
    assert left[1] > 0
    assert axes.get_xlabel() == "right (arbitrary unit)"
    metric = clip.assign(depth=clip.depth.assign_attrs(units="m"))
    metric_axes = contact_sheet(metric, None).axes
    assert "right (m)" in [one.get_xlabel() for one in metric_axes]
    assert "depth (m)" in [one.get_ylabel() for one in metric_axes]


def test_moving_share_is_the_masks_mean(committed: Committed) -> None:
    figure = contact_sheet(committed.clip, None)
    [axes] = [one for one in figure.axes if one.get_title("left") == "Moving pixels"]
    share = 100 * committed.clip.dynamic_mask.to_numpy().mean(axis=(1, 2))
    assert share.max() > 0
    np.testing.assert_allclose(axes.lines[0].get_ydata(), share)


def test_camera_that_stands_still_has_room_around_it(committed: Committed) -> None:
    clip = committed.clip.load()
    clip["camera_to_world"] = xr.zeros_like(clip.camera_to_world) + np.eye(4)
    figure = contact_sheet(clip, None)
    [axes] = [one for one in figure.axes if one.get_title("left") == "Camera path from above"]
    assert np.ptp(axes.get_xlim()) > 0.02 * float(clip.depth.median())


def test_frames_of_another_clip_are_refused(committed: Committed) -> None:
    later = replace(committed.frames, frame_index=committed.frames.frame_index + 1)
    with pytest.raises(ValueError, match="different source frames"):
        contact_sheet(committed.clip, later)
    narrow = replace(committed.frames, images=committed.frames.images[:, :, :-16])
    with pytest.raises(ValueError, match=rf"\({FRAMES}, {HEIGHT}, {WIDTH - 16}\)"):
        contact_sheet(committed.clip, narrow)
