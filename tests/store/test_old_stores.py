"""Datasets written by earlier versions stay readable; see fixtures/make_schema_1.py."""

import numpy as np

from easi3r.geometry import world_point_map
from easi3r.store import inspect, open_dataset
from tests.store.fixtures.make_schema_1 import FOLDER


def test_schema_1_is_listed_and_whole() -> None:
    dataset = open_dataset(str(FOLDER))
    assert [(clip.video_url, clip.frames, clip.scale) for clip in dataset.clips] == [
        ("a.mp4", 3, "metric"),
        ("b.mp4", 2, "arbitrary"),
    ]
    for clip_id in dataset:
        dataset.verify_clip(clip_id)
    summary = inspect(str(FOLDER))
    assert (summary.results, summary.frames, summary.quarantined) == (2, 5, {"unexpected": 1})


def test_schema_1_gives_the_values_it_was_written_with() -> None:
    dataset = open_dataset(str(FOLDER))
    stored, derived = (dataset[clip_id].load() for clip_id in dataset)
    assert float(stored.depth[0, 3, 4]) == 2.96875
    assert stored.point_map[1, 2, 3].values.tolist() == [-1.10546875, -0.3310546875, 2.1484375]
    assert stored.time.values.tolist()[::2] == [1.5582177012392873, 1.6168633155012913]
    assert stored.frame_index.values.tolist() == [30, 32, 34]
    assert int(stored.dynamic_mask.sum()) == 167
    assert stored.depth.attrs["units"] == "m"
    assert float(derived.depth[0, 3, 4]) == 1.0625
    for clip in (stored, derived):
        points = world_point_map(
            clip.depth.values, clip.intrinsics.values, clip.camera_to_world.values
        )
        bound = clip.point_map.attrs["max_relative_error"]
        np.testing.assert_allclose(clip.point_map.values, points, rtol=bound, atol=1e-12)
