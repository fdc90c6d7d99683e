"""Values check themselves; a clip's identity follows its content and nothing else."""

from dataclasses import replace

import pytest

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


def test_digest_ignores_key_order() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})


def test_mean_fps_of_a_video() -> None:
    import numpy as np

    video = Video("a.mp4", "f" * 64, 10, 4, 4, 0, 1.0, "h264", np.array([1.0, 1.5, 2.0]))
    assert video.mean_fps == pytest.approx(2.0)
    assert replace(video, pts_seconds=np.array([1.0])).mean_fps == 0.0
