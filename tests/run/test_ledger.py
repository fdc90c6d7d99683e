"""The record of a run: live counts, actual beside forecast, what a killed run leaves."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from easi3r.errors import ClusterLostError, StorageUnavailableError
from easi3r.run.forecast import Forecast, Measurement, forecast
from easi3r.run.ledger import SECONDS_BETWEEN_WRITES, Ledger
from easi3r.run.run import Run
from easi3r.run.run_record import MOST_TROUBLES, RunRecord
from easi3r.store.files import LocalFiles
from easi3r.types import ClipReport, Outcome
from tests.engines import null_settings


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def ledger(folder: Path, clock: Clock, said: Forecast | None = None) -> Ledger:
    run = Run("videos", str(folder), null_settings())
    return Ledger(run, lambda: 2, lambda *_: None, said, clock)


def kept(folder: Path) -> RunRecord:
    (path,) = (folder / "runs").iterdir()
    return RunRecord.model_validate_json(path.read_text())


def committed(seconds: float = 1.0) -> ClipReport:
    return ClipReport(
        "id", "a.mp4", Outcome.COMMITTED, frames=3, bytes_written=10, engine_seconds=seconds
    )


def test_a_run_that_is_killed_leaves_its_last_record(tmp_path: Path) -> None:
    clock = Clock()
    run = ledger(tmp_path, clock)
    run.set_plan("abc", 5, 0)
    run.add_skipped(1)
    run.add(committed())
    assert kept(tmp_path).clips[Outcome.COMMITTED] == 0  # not written at each clip
    clock.now += SECONDS_BETWEEN_WRITES
    run.add(committed())
    left = kept(tmp_path)
    assert left.finished is None
    assert (left.planned_clips, left.frames, left.bytes_written) == (5, 6, 20)
    assert left.clips == {
        Outcome.COMMITTED: 2,
        Outcome.SKIPPED: 1,
        Outcome.QUARANTINED: 0,
        Outcome.FAILED: 0,
    }
    assert run.finish() == kept(tmp_path)
    assert kept(tmp_path).finished is not None


def test_actual_stands_beside_forecast(tmp_path: Path) -> None:
    clock = Clock()
    measured = Measurement(seconds=(1.0, 3.0), bytes=(8.0, 12.0), objects=(3, 3), device="cpu")
    said = forecast(measured, plan_id="abc", clips=4, frames=12, workers=2)
    run = ledger(tmp_path, clock, said)
    run.set_plan("abc", 4, 0)
    assert run.record().against_forecast is None
    clock.now += 10
    for _ in range(4):
        run.add(committed())
    record = run.finish()
    assert record.seconds_per_clip == pytest.approx(10 * 2 / 4)
    assert record.against_forecast.startswith("5.00 s a clip and worker (forecast 2.00, ")
    assert kept(tmp_path).forecast == said


def test_only_so_many_troubles_are_kept_in_words(tmp_path: Path) -> None:
    run = ledger(tmp_path, Clock())
    for number in range(MOST_TROUBLES + 5):
        run.add(ClipReport(str(number), "a.mp4", Outcome.QUARANTINED, "oom", "no memory"))
    record = run.finish()
    assert len(record.troubles) == MOST_TROUBLES
    assert record.reasons == {"oom": MOST_TROUBLES + 5}
    assert not record.succeeded


def test_a_run_outlives_storage_that_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = ledger(tmp_path, Clock())
    real = LocalFiles.put

    def refuse(*_: object) -> None:
        raise StorageUnavailableError("s3://b", "answered 503", "Wait")

    monkeypatch.setattr(LocalFiles, "put", refuse)
    run.set_plan("abc", 1, 0)
    assert "record of the run not written" in caplog.text
    monkeypatch.setattr(LocalFiles, "put", real)
    assert run.finish() == kept(tmp_path)


def test_an_interrupted_run_keeps_what_it_had_done(tmp_path: Path) -> None:
    run = ledger(tmp_path, Clock())
    run.set_plan("abc", 5, 2)
    run.add(committed())
    assert kept(tmp_path).frames == 0
    with pytest.raises(KeyboardInterrupt), run.record_on_error():
        raise KeyboardInterrupt
    left = kept(tmp_path)
    assert (left.clips[Outcome.COMMITTED], left.frames, left.finished) == (1, 3, None)
    assert run.progress.total == 7


def is_held(run: Ledger) -> bool:
    """Whether another thread holds the lock of a ledger."""
    free = run._lock.acquire(blocking=False)
    if free:
        run._lock.release()
    return not free


def test_workers_are_counted_while_other_threads_go_on(tmp_path: Path) -> None:
    clock, runs, held = Clock(), list[Ledger](), list[bool]()

    def count() -> int:
        with ThreadPoolExecutor(1) as other:  # the lock's own thread may take it again
            held.append(other.submit(is_held, runs[0]).result())
        return 3

    def ask_for_the_record(_: ClipReport, of: Ledger) -> None:
        of.record()

    run = Run("videos", str(tmp_path), null_settings())
    runs.append(Ledger(run, count, ask_for_the_record, clock=clock))
    runs[0].set_plan("abc", 5, 0)
    clock.now += SECONDS_BETWEEN_WRITES
    runs[0].add(committed())
    assert runs[0].finish().workers == 3
    assert held == [False, False, False]


def test_what_goes_wrong_with_the_record_does_not_hide_what_ended_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ledger(tmp_path, Clock())

    def fail(*_: object) -> None:
        raise RuntimeError("a driver's own error")

    monkeypatch.setattr(LocalFiles, "put", fail)
    with pytest.raises(ClusterLostError) as caught, run.record_on_error():
        raise ClusterLostError("tcp://a:1", "went away", "Run again")
    assert "a driver's own error" in caught.value.__notes__[0]


def test_a_summary_in_words(tmp_path: Path) -> None:
    clock = Clock()
    run = ledger(tmp_path, clock)
    run.add(committed())
    clock.now += 61.2
    assert str(run.record()) == (
        "1 committed, 0 skipped, 0 quarantined, 0 failed; 3 frames in 0:01:01"
    )


def test_a_lost_cluster_leaves_the_record_with_the_workers_last_seen(tmp_path: Path) -> None:
    lost = ClusterLostError("tcp://a:1", "the scheduler went away", "Run again")
    answers = iter([3])

    def workers() -> int:
        for answer in answers:
            return answer
        raise lost

    run = Ledger(Run("videos", str(tmp_path), null_settings()), workers, lambda *_: None)
    run.set_plan("abc", 5, 0)
    run.add(committed())
    with pytest.raises(ClusterLostError), run.record_on_error():
        raise lost
    record = kept(tmp_path)
    assert (record.workers, record.clips[Outcome.COMMITTED]) == (3, 1)
