"""Shots: detected in rendered videos with known cuts, and respected by clips."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.config import SamplingSettings, ShotSettings, VideoSettings
from easi3r.errors import TooFewFramesError
from easi3r.video import left_out_shots, plan_clips, probe
from tests.scenes import write_cut_scenes
from tests.video.test_clip_ranges import a_video

SAMPLING = SamplingSettings(clip_frames=6, overlap_frames=2, min_frames=3)


@pytest.fixture(scope="module")
def cut_video(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three rendered scenes one after the other: cuts at frames 9 and 14."""
    path = tmp_path_factory.mktemp("shots") / "cut.mp4"
    return str(write_cut_scenes(path, (9, 5, 12)))


@pytest.mark.parametrize("detector", ["content", "adaptive"])
def test_the_cuts_of_rendered_scenes_are_detected(cut_video: str, detector: str) -> None:
    assert probe(cut_video, ShotSettings(detector=detector)).cuts == (9, 14)


def test_a_threshold_above_every_change_detects_none(cut_video: str) -> None:
    assert probe(cut_video, ShotSettings(threshold=255.0)).cuts == ()


def test_cuts_are_detected_only_on_request(cut_video: str) -> None:
    plain = probe(cut_video)
    assert plain.cuts == ()
    assert len(plain) == 26


def test_no_clip_crosses_a_cut(cut_video: str) -> None:
    shots = ShotSettings()
    specs = plan_clips(probe(cut_video, shots), SAMPLING, VideoSettings(), shots)
    assert [(spec.owned_start, spec.owned_stop) for spec in specs] == [
        (0, 4), (4, 9), (9, 14), (14, 19), (19, 22), (22, 26),
    ]  # fmt: skip
    for spec in specs:
        assert not any(spec.frame_index[0] < cut <= spec.frame_index[-1] for cut in (9, 14))


CUT_PLACES = st.lists(st.integers(1, 59), unique=True, max_size=12).map(sorted)


@given(CUT_PLACES, st.sampled_from(["merge", "report"]), st.integers(1, 3))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_shots_are_covered_or_reported(cuts: list[int], short: str, stride: int) -> None:
    plain = a_video([0.04] * 59)
    video = type(plain)(**{**vars(plain), "cuts": tuple(cuts)})
    shots = ShotSettings(short_shots=short)
    sampling = SAMPLING.model_copy(update={"frame_stride": stride})
    left_out = left_out_shots(video, sampling, shots)
    try:
        specs = plan_clips(video, sampling, VideoSettings(), shots)
    except TooFewFramesError:
        assert short == "report"
        assert left_out == tuple(pairwise([0, *cuts, 60]))
        return
    owned = [frame for spec in specs for frame in range(spec.owned_start, spec.owned_stop)]
    dropped = [frame for start, stop in left_out for frame in range(start, stop)]
    assert sorted(owned + dropped) == list(range(60))
    assert min(len(spec) for spec in specs) >= sampling.min_frames
    if short == "report":
        for spec in specs:
            assert not any(spec.frame_index[0] < cut <= spec.frame_index[-1] for cut in cuts)
    else:
        assert left_out == ()


def test_without_cuts_shots_change_nothing() -> None:
    video = a_video(np.full(40, 0.04).tolist())
    with_shots = plan_clips(video, SAMPLING, VideoSettings(), ShotSettings())
    assert with_shots == plan_clips(video, SAMPLING, VideoSettings())


def test_a_short_first_shot_joins_the_next() -> None:
    plain = a_video([0.04] * 19)
    video = type(plain)(**{**vars(plain), "cuts": (2, 12)})
    specs = plan_clips(video, SAMPLING, VideoSettings(), ShotSettings())
    assert specs[0].owned_start == 0
    assert 12 in {spec.owned_stop for spec in specs}
    assert 2 not in {spec.owned_stop for spec in specs}
