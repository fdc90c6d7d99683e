"""A run in which clip after clip fails for no reason of its own: stopped, not quarantined."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from easi3r.errors import RepeatedErrorsError, StoreError, TransientError, WorkerLostError
from easi3r.run.run import Run
from easi3r.store import UNEXPECTED, clear_quarantine, result_name
from easi3r.types import ClipReport, Outcome

BLAMELESS = frozenset({UNEXPECTED, WorkerLostError.reason})
"""Reasons that, clip after clip, tell of the machine or of this code, not of the clips."""


@dataclass
class UnexpectedErrors:
    """Counts clips in a row that were quarantined for no reason of their own.

    What every clip meets (a driver, an installation, a fault of this code, a GPU that ends every
    worker) says nothing about any of them. Several threads may share one.

    Attributes:
        run: with the weights' hash pinned.
        on_report: callback of each report, before it is counted.
    """

    run: Run
    on_report: Callable[[ClipReport], None]
    _in_a_row: list[ClipReport] = field(default_factory=list, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def add(self, reports: Iterable[ClipReport]) -> None:
        """Hand reports on and count them, all of them before the run is stopped.

        Batches that still run on a cluster then may leave records of their own.

        Raises:
            RepeatedErrorsError: `execution.stop_after_unexpected` clips in a row, or more, were
                quarantined with a reason of `BLAMELESS`; their quarantine records are deleted.
        """
        for report in reports:
            self.on_report(report)
            with self._lock:
                if report.outcome is Outcome.QUARANTINED and report.reason in BLAMELESS:
                    self._in_a_row.append(report)
                elif not self._is_over:  # once it is, each thread ends at its next reports
                    self._in_a_row.clear()
        with self._lock:
            if self._is_over:
                raise self._take_back()

    @property
    def _is_over(self) -> bool:
        return len(self._in_a_row) >= self.run.settings.execution.stop_after_unexpected

    def _take_back(self) -> RepeatedErrorsError:
        """Delete the quarantine records; the error that says so."""
        count, last, destination = len(self._in_a_row), self._in_a_row[-1], self.run.destination
        error = RepeatedErrorsError(
            destination,
            f"{count} clips in a row failed unforeseen or lost their worker, the last one, "
            f"{last.subject}, with: {last.message}",
            "Mend what they have in common and run again, which tries them again: they are not "
            "quarantined (execution.stop_after_unexpected says how many stop a run)",
        )
        try:
            for report in self._in_a_row:
                result = self.run.result_id_of(report.subject, report.known_digest)
                name = result_name(report.subject, result)
                clear_quarantine(destination, name)
        except (StoreError, TransientError) as second:
            error.add_note(f"Not all of their quarantine records could be deleted: {second}")
        return error
