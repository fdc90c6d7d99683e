"""Values check themselves; a clip's identity follows its content and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from easi3r.knowledge import KnownCameras, KnownInputs
from easi3r.types import ClipSpec, Video, digest

SPEC = ClipSpec("a.mp4", "f" * 64, (0, 2, 4), (0.0, 0.1, 0.2), 0, 5)


def test_the_same_content_elsewhere_is_the_same_clip() -> None:
    assert replace(SPEC, video_url="s3://bucket/b.mp4").clip_id == SPEC.clip_id
    assert len(SPEC.clip_id) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"video_fingerprint": "e" * 64},
        {"owned_start": 1},
        {"owned_stop": 6},
        {"frame_index": (0, 2, 5)},
    ],
)
def test_other_content_is_another_clip(change: dict) -> None:
    assert replace(SPEC, **change).clip_id != SPEC.clip_id


@pytest.mark.parametrize(
    "change",
    [
        {"frame_index": (0, 2)},
        {"frame_index": (0, 4, 2)},
        {"frame_index": (0, 2, 2)},
        {"owned_start": 5},
    ],
)
def test_a_contradictory_spec_is_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=r"frame_index|owned"):
        replace(SPEC, **change)


POSES = np.tile(np.eye(4), (3, 1, 1))


def test_what_is_known_is_no_part_of_a_clips_identity() -> None:
    known = replace(SPEC, known=KnownInputs(poses="p.txt", digest="d" * 64))
    assert known.clip_id == SPEC.clip_id
    assert (SPEC.known_digest, known.known_digest) == (None, "d" * 64)


def test_known_inputs_are_named() -> None:
    assert not KnownInputs()
    assert KnownInputs(intrinsics="i", motion_masks="m").names == ("intrinsics", "motion_masks")
    with pytest.raises(ValueError, match="known poses"):
        KnownInputs(metric=True)


def test_only_a_moving_known_camera_makes_the_scale_metric() -> None:
    moved = POSES + np.arange(3)[:, None, None] * np.eye(4, k=3)
    assert KnownCameras(camera_to_world=moved, scale="metric").annotated_scale == "metric"
    assert KnownCameras(camera_to_world=POSES, scale="metric").annotated_scale == "arbitrary"
    rounded = POSES + (moved - POSES) * 1e-12
    assert KnownCameras(camera_to_world=rounded, scale="metric").annotated_scale == "arbitrary"
    assert KnownCameras().annotated_scale == "arbitrary"
    with pytest.raises(ValueError, match="known poses"):
        KnownCameras(scale="metric")


def test_digest_ignores_key_order() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})


def test_mean_fps_of_a_video() -> None:
    video = Video("a.mp4", "f" * 64, 10, 4, 4, 0, 1.0, "h264", np.array([1.0, 1.5, 2.0]))
    assert video.mean_fps == pytest.approx(2.0)
    assert replace(video, pts_seconds=np.array([1.0])).mean_fps == 0.0
