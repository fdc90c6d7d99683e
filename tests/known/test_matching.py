import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.knowledge import KnownInputs
from easi3r.known import read_known
from easi3r.known.matching import NO_ROW, ByNumber, ByTime
from tests.known import writers as w

examples = settings(max_examples=25, deadline=None, derandomize=True)


def rows(matching: ByNumber | ByTime, frames: int, **changes: float) -> list[int]:
    return matching.rows_of_frames("file", w.video_of(frames, **changes)).tolist()


def test_numbers_are_frames() -> None:
    assert rows(ByNumber(("b_3.png", "a2_0.v9.jpg/00001.png")), 5) == [NO_ROW, 1, NO_ROW, 0, NO_ROW]


def test_frames_that_are_all_there_may_be_numbered_from_anywhere() -> None:
    names = tuple(f"frame-{number:06d}.color.png" for number in (152, 150, 151))
    assert rows(ByNumber(names), 3) == [1, 2, 0]


def test_some_frames_numbered_from_1_are_not_moved() -> None:
    """Only then is frame 0 missing, which clips that read it refuse."""
    assert rows(ByNumber(("1.png", "2.png")), 4) == [NO_ROW, 0, 1, NO_ROW]


@examples
@given(
    seed=st.integers(0, 2**31),
    frames=st.integers(2, 40),
    keep=st.floats(0.2, 1),
    shift=st.floats(-0.0199, 0.0199),
)
def test_times_match_the_nearest_row_within_the_tolerance(
    seed: int, frames: int, keep: float, shift: float
) -> None:
    """Frames 1/20 s apart: a row within .02 s is the frame's, and no other row is."""
    random = np.random.default_rng(seed)
    video = w.video_of(frames, rate_hz=20, start=8.333)
    there = random.random(frames) < keep
    there[0] = True
    poses = w.random_poses(seed, frames)
    with tempfile.TemporaryDirectory() as folder:
        times = video.pts_seconds[there] + shift
        path = w.write_tum(Path(folder) / "p.txt", poses[there], times)
        known = read_known(KnownInputs(poses=str(path)), video).camera_to_world
    assert known is not None
    np.testing.assert_allclose(known[there], poses[there], atol=1e-9)
    assert np.isnan(known[~there]).all()


def test_times_are_neither_extrapolated_nor_interpolated() -> None:
    slow = dict(rate_hz=10.0)
    assert rows(ByTime(np.array([0.02, 0.121])), 4, **slow) == [0, NO_ROW, NO_ROW, NO_ROW]
    assert rows(ByTime(np.array([0.3, 0.5])), 4, **slow) == [NO_ROW, NO_ROW, NO_ROW, 0]


def test_a_row_belongs_to_one_frame() -> None:
    """At 100 frames a second, 25 poses: the camera does not stand still in between."""
    video = w.video_of(9, rate_hz=100)
    matched = ByTime(np.array([0, 0.04, 0.08])).rows_of_frames("file", video)
    assert matched.tolist() == [0, *[NO_ROW] * 3, 1, *[NO_ROW] * 3, 2]
