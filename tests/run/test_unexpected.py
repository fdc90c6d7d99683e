"""Clips in a row that fail unforeseen: counted over threads, stopped, taken back."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from easi3r.errors import RepeatedErrorsError, StorageUnavailableError
from easi3r.run.run import Run
from easi3r.run.unexpected import UnexpectedErrors
from easi3r.store import (
    prepare_dataset,
    quarantine,
    quarantine_record,
    quarantined_ids,
    result_name,
)
from easi3r.types import ClipReport, Outcome
from tests.engines import null_settings

LIMIT = 3
KNOWN = "d" * 64  # digest of what the user knows of the clips' video


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(
        "videos",
        str(tmp_path / "out.zarr"),
        null_settings(execution={"stop_after_unexpected": LIMIT}),
    )
    prepare_dataset(made.destination, made.settings.model_dump_json())
    return made


def failed(run: Run, number: int) -> ClipReport:
    """A clip that is quarantined as a worker would do it."""
    clip_id, error = f"{number:032x}", ValueError(f"error {number}")
    name = result_name(clip_id, run.result_id_of(clip_id, KNOWN))
    quarantine(run.destination, quarantine_record(name, "a.mp4", error))
    why = ("unexpected", str(error))
    return ClipReport(clip_id, "a.mp4", Outcome.QUARANTINED, *why, known_digest=KNOWN)


def other(outcome: Outcome, reason: str | None = None) -> ClipReport:
    return ClipReport("f" * 32, "a.mp4", outcome, reason)


def test_so_many_in_a_row_stop_the_run_and_are_not_quarantined(run: Run) -> None:
    seen: list[ClipReport] = []
    errors = UnexpectedErrors(run, seen.append)
    before = failed(run, 0)
    errors.add([before, other(Outcome.COMMITTED), failed(run, 1)])
    with pytest.raises(RepeatedErrorsError) as caught:
        errors.add([failed(run, 2), failed(run, 3), failed(run, 4)])  # the batch to its end
    assert "4 clips in a row" in str(caught.value)
    assert "error 4" in str(caught.value)
    assert "stop_after_unexpected" in caught.value.remedy
    assert len(seen) == 6
    (left,) = quarantined_ids(run.destination)
    assert left.startswith(before.subject)


def test_workers_lost_in_a_row_count_as_well(run: Run) -> None:
    """A GPU that ends every worker, even alone with a clip, is no fault of the clips."""
    errors = UnexpectedErrors(run, lambda _: None)
    lost = [replace(failed(run, number), reason="worker_lost") for number in range(LIMIT)]
    with pytest.raises(RepeatedErrorsError, match="lost their worker"):
        errors.add(lost)
    assert quarantined_ids(run.destination) == frozenset()


@pytest.mark.parametrize(
    "between",
    [
        other(Outcome.COMMITTED),
        other(Outcome.SKIPPED, "already_committed"),
        other(Outcome.FAILED, "storage_unavailable"),
        other(Outcome.QUARANTINED, "oom"),
    ],
    ids=lambda report: report.outcome.value,
)
def test_any_other_outcome_begins_a_new_row(run: Run, between: ClipReport) -> None:
    errors = UnexpectedErrors(run, lambda _: None)
    for first in (0, LIMIT - 1):
        errors.add([failed(run, number) for number in range(first, first + LIMIT - 1)])
        errors.add([between])
    assert len(quarantined_ids(run.destination)) == 2 * (LIMIT - 1)


def test_records_that_cannot_be_deleted_do_not_hide_why_the_run_stopped(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise StorageUnavailableError("s3://b", "answered 503", "Wait")

    monkeypatch.setattr("easi3r.run.unexpected.clear_quarantine", refuse)
    with pytest.raises(RepeatedErrorsError) as caught:
        UnexpectedErrors(run, lambda _: None).add([failed(run, number) for number in range(LIMIT)])
    assert "answered 503" in caught.value.__notes__[0]


def test_threads_share_a_row_and_all_of_them_end(run: Run) -> None:
    errors = UnexpectedErrors(run, lambda _: None)

    def supervise(partition: int) -> int:
        """How many batches of two a thread was through with when it was stopped."""
        for batch in range(10):
            numbers = (100 * partition + 2 * batch, 100 * partition + 2 * batch + 1)
            try:
                errors.add([failed(run, number) for number in numbers])
            except RepeatedErrorsError:
                return batch
        return 10

    with ThreadPoolExecutor(2) as threads:
        stopped = list(threads.map(supervise, range(2)))
    assert sum(stopped) <= 1  # the first two clips of all
    assert not quarantined_ids(run.destination)


def test_after_the_end_a_clip_that_goes_well_does_not_let_the_run_go_on(run: Run) -> None:
    errors = UnexpectedErrors(run, lambda _: None)
    with pytest.raises(RepeatedErrorsError):
        errors.add([failed(run, number) for number in range(LIMIT)])
    with pytest.raises(RepeatedErrorsError, match="error 2"):
        errors.add([other(Outcome.COMMITTED)])
