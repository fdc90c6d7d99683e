"""What `easi3r annotate` shows: a live bar with rate and ETA, and a table at the end."""

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from easi3r.cli.consoles import status_bars
from easi3r.cli.plan_progress import PlanProgress
from easi3r.plan import PartSummary, Plan
from easi3r.run.collection import Watcher
from easi3r.run.ledger import MOST_TROUBLES, Ledger, RunRecord
from easi3r.types import ClipReport, Outcome


class TerminalProgress(Watcher):
    """A live bar where the console is a terminal, one line per clip where it is a file."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = status_bars(console)
        self._bar = self._bars.add_task("annotating", total=None, status="")
        self._planning = PlanProgress(console)

    def __enter__(self) -> "TerminalProgress":
        self._planning.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._planning.stop()
        if self._console.is_terminal:
            self._bars.stop()

    def interrupted(self) -> None:
        """Say what the first Ctrl-C does."""
        self._console.print("stopping once the clip at hand is written; Ctrl-C again: at once")

    def listed(self, videos: int) -> None:
        """See `PlanWatcher`."""
        self._planning.listed(videos)

    def part_planned(self, part: PartSummary) -> None:
        """See `PlanWatcher`."""
        self._planning.part_planned(part)

    def planned(self, plan: Plan) -> None:
        """See `Watcher`."""
        self._planning.stop()
        if self._console.is_terminal:
            self._bars.start()
        counts = plan.counts
        if counts.ignored:
            ignored = ", ".join(f"{n} {suffix}" for suffix, n in sorted(counts.ignored.items()))
            self._console.print(f"[yellow]not media, ignored:[/] {escape(ignored)}")
        if counts.duplicates or counts.repeated_names:
            self._console.print(
                f"run once: {counts.duplicates} clips that other videos bring too, "
                f"{counts.repeated_names} repeated names",
                highlight=False,
            )

    def settled(self, report: ClipReport, ledger: Ledger) -> None:
        """See `Watcher`."""
        progress = ledger.progress
        status = str(progress)
        self._bars.update(self._bar, total=progress.total, completed=progress.done, status=status)
        if report.outcome.is_trouble:
            self._trouble(report)
        if not self._console.is_terminal:
            self._console.print(status, highlight=False)

    def _trouble(self, report: ClipReport) -> None:
        self._console.print(
            f"{report.outcome} ({report.reason}): {report.message}",
            style="yellow" if report.outcome is Outcome.QUARANTINED else "red",
            markup=False,
            highlight=False,
        )


def totals(record: RunRecord) -> str:
    """What a run did, in a line; a second one holds it against its forecast, where it had one."""
    return "\n".join(filter(None, (str(record), record.against_forecast)))


def troubles_table(record: RunRecord) -> Table:
    """One row for each input without a result, `MOST_TROUBLES` at most."""
    table = Table()
    for heading in ("video", "id", "outcome", "why"):
        table.add_column(heading, overflow="fold")
    for trouble in record.troubles:
        table.add_row(escape(trouble.video_url), trouble.subject, trouble.outcome, trouble.reason)
    if (total := sum(record.reasons.values())) > MOST_TROUBLES:
        table.title = f"the first {MOST_TROUBLES} of {total} inputs without a result"
    return table
