"""Rate and time left, on a clock of the test's own."""

import pytest

from easi3r.pace import Pace


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
