"""Counts, rate and time left, on a clock of the test's own."""

import pytest

from easi3r.run.progress import Pace, Progress
from easi3r.types import ClipReport, Outcome


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def report(outcome: Outcome, frames: int = 0) -> ClipReport:
    return ClipReport("id", "a.mp4", outcome, frames=frames)


def test_rate_and_time_left_follow_the_clock() -> None:
    clock = Clock()
    progress = Progress(4, clock)
    assert progress.seconds_left is None
    assert "ETA unknown" in str(progress)
    clock.now += 10
    progress.add(report(Outcome.COMMITTED, frames=20))
    assert progress.frames_per_second == 2.0
    assert progress.seconds_left == 30.0
    assert str(progress) == "1/4 clips done (1 committed), 0.0 MB, 2.00 frames/s, ETA 0:00:30"


def test_skipped_clips_do_not_make_the_rest_look_fast() -> None:
    clock = Clock()
    progress = Progress(12, clock)
    progress.skip(10)
    assert progress.seconds_left is None
    clock.now += 8
    progress.add(report(Outcome.COMMITTED, frames=4))
    assert progress.seconds_left == 8.0


def test_every_outcome_is_counted() -> None:
    progress = Progress(4)
    for outcome in Outcome:
        progress.add(report(outcome))
    assert progress.done == 4
    assert all(f"1 {outcome}" in str(progress) for outcome in Outcome)


def test_reasons_of_failures_are_told_the_most_frequent_first() -> None:
    progress = Progress(3)
    for reason in ("oom", "empty_file", "oom"):
        progress.add(ClipReport("id", "a.mp4", Outcome.QUARANTINED, reason))
    assert str(progress).endswith("; 2 oom, 1 empty_file")


@pytest.mark.parametrize(
    ("done", "line"),
    [
        (0, "0/40 clips, 0.0 clips/min, ETA unknown"),
        (5, "5/40 clips, 30.0 clips/min, ETA 0:01:10"),
        (20, "20/40 clips, 2.0 clips/s, ETA 0:00:10"),
        (40, "40/40 clips, 4.0 clips/s, ETA 0:00:00"),
    ],
)
def test_how_far_how_fast_and_how_long_yet(
    monkeypatch: pytest.MonkeyPatch, done: int, line: str
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    pace = Pace("clips")
    now = 110.0
    assert pace.after(done, 40) == line


def test_at_the_start_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    assert Pace("videos").after(3, 4) == "3/4 videos, 0.0 videos/min, ETA unknown"


def test_news_are_due_every_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now, found = 0.0, []
    monkeypatch.setattr("time.monotonic", lambda: now)
    pace = Pace("clips")
    for moment in (2.0, 5.0, 6.0, 11.0):
        now = moment
        found.append(pace.is_due(5.0))
    assert found == [False, True, False, True]
