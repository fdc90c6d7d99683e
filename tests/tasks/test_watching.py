"""What a run tells Prefect; artifacts on a real server are in tests/flows."""

import logging
from pathlib import Path
from uuid import uuid4

import pytest

from easi3r.run.ledger import Ledger
from easi3r.run.run import Run
from easi3r.run.run_record import MOST_TROUBLES
from easi3r.types import ClipReport, Outcome
from tasks.watching import SECONDS_BETWEEN_UPDATES, PrefectWatcher, report
from tests.engines import null_settings

TROUBLE = ClipReport("id", "a.mp4", Outcome.QUARANTINED, "oom", "no memory")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def ledger(folder: Path, watcher: PrefectWatcher) -> Ledger:
    made = Ledger(Run("videos", str(folder), null_settings()), lambda: 2, watcher.clip_done)
    made.set_plan("abc", 10_000, 0)
    return made


def test_the_server_is_not_flooded_with_failures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = ledger(tmp_path, PrefectWatcher(logging.getLogger("run"), uuid4(), Clock()))
    for _ in range(MOST_TROUBLES + 50):
        run.add(TROUBLE)
    assert len(caplog.records) == MOST_TROUBLES


def test_progress_is_told_now_and_then(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[float] = []
    monkeypatch.setattr(
        "tasks.watching.update_progress_artifact", lambda _, progress: moved.append(progress)
    )
    clock = Clock()
    run = ledger(tmp_path, PrefectWatcher(logging.getLogger("run"), uuid4(), clock))
    caplog.set_level(logging.INFO)
    run.add_skipped(5_000)
    run.add(ClipReport("a", "a.mp4", Outcome.COMMITTED))
    assert moved == []
    clock.now += SECONDS_BETWEEN_UPDATES
    run.add(ClipReport("b", "a.mp4", Outcome.COMMITTED))
    assert moved == [50.02]
    assert "5002/10000 clips done (2 committed, 5000 skipped)" in caplog.text


def test_the_report_counts_failures_by_reason_and_says_where_more_is_said(tmp_path: Path) -> None:
    run = ledger(tmp_path, PrefectWatcher(logging.getLogger("run"), uuid4(), Clock()))
    run.add(TROUBLE)
    record = run.record()
    said = report(record)
    assert "| oom | 1 |" in said
    assert f"{tmp_path}/runs/{record.run_id}.json" in said
