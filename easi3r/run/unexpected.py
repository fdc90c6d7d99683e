"""A run in which clip after clip fails with an error nobody foresaw: stopped, not quarantined."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from easi3r.errors import RepeatedErrorsError, StoreError, TransientError
from easi3r.run.run import Run
from easi3r.store import UNEXPECTED, clear_quarantine, result_name
from easi3r.types import ClipReport, Outcome


@dataclass
class UnexpectedErrors:
    """Counts clips in a row that were quarantined as `unexpected`; several threads may share one.

    What every clip meets (a driver, an installation, a fault of this code) says nothing about any
    of them.

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
                quarantined as `unexpected`; their quarantine records are deleted.
        """
        for report in reports:
            self.on_report(report)
            with self._lock:
                if report.outcome is Outcome.QUARANTINED and report.reason == UNEXPECTED:
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
            f"{count} clips in a row failed with errors that easi3r did not foresee, "
            f"the last one, {last.subject}, with: {last.message}",
            "Mend what they have in common and run again, which tries them again: they are not "
            "quarantined (execution.stop_after_unexpected says how many stop a run)",
        )
        try:
            for report in self._in_a_row:
                name = result_name(report.subject, self.run.result_id(report.subject))
                clear_quarantine(destination, name)
        except (StoreError, TransientError) as second:
            error.add_note(f"Not all of their quarantine records could be deleted: {second}")
        return error
