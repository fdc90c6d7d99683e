"""What `easi3r annotate` shows: a live bar with rate and ETA, and a table at the end."""

from collections import defaultdict
from types import TracebackType

from rich import progress as rich_progress
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from easi3r.batch import VideoPlan
from easi3r.collection import CollectionPlan, RunSummary, Watcher
from easi3r.progress import Progress
from easi3r.types import ClipReport, Outcome
from easi3r.video import Listing

LARGEST_TABLE = 40  # videos; past that only those with trouble get a row


class TerminalProgress(Watcher):
    """A live bar where the console is a terminal, one line per clip where it is a file."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(),
            rich_progress.TextColumn("{task.fields[status]}"),
            console=console,
            transient=True,
        )
        self._progress = Progress(0)

    def __enter__(self) -> "TerminalProgress":
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def listed(self, listing: Listing) -> None:
        """See `Watcher`."""
        if listing.ignored:
            ignored = ", ".join(f"{n} {suffix}" for suffix, n in sorted(listing.ignored.items()))
            self._console.print(f"[yellow]not media, ignored:[/] {escape(ignored)}")
        self._bar = self._bars.add_task("probing", total=len(listing.urls), status="")

    def probed(self, plan: VideoPlan) -> None:
        """See `Watcher`."""
        self._bars.advance(self._bar)
        if plan.report:
            self._trouble(plan.report)

    def planned(self, plan: CollectionPlan) -> None:
        """See `Watcher`."""
        self._bars.remove_task(self._bar)
        self._progress = Progress(len(plan.specs))
        self._bar = self._bars.add_task(
            "annotating", total=len(plan.specs), status=str(self._progress)
        )

    def settled(self, report: ClipReport) -> None:
        """See `Watcher`."""
        self._progress.add(report)
        self._bars.update(self._bar, advance=1, status=str(self._progress))
        if report.outcome.is_trouble:
            self._trouble(report)
        if not self._console.is_terminal:
            self._console.print(str(self._progress), highlight=False)

    def _trouble(self, report: ClipReport) -> None:
        self._console.print(
            f"{report.outcome} ({report.reason}): {report.message}",
            style="yellow" if report.outcome is Outcome.QUARANTINED else "red",
            markup=False,
            highlight=False,
        )


def summary_table(summary: RunSummary) -> Table:
    """One row a video: what became of its clips, and why where something went wrong."""
    by_video: dict[str, list[ClipReport]] = defaultdict(list)
    for report in summary.reports:
        by_video[report.video_url].append(report)
    table = Table(caption=str(summary), caption_justify="left")
    table.add_column("video", overflow="fold")
    for outcome in Outcome:
        table.add_column(outcome.value, justify="right")
    table.add_column("frames", justify="right")
    table.add_column("why", overflow="fold")
    for url, reports in sorted(by_video.items()):
        reasons = sorted({report.reason for report in reports if report.reason})
        trouble = any(report.outcome.is_trouble for report in reports)
        if trouble or len(by_video) <= LARGEST_TABLE:
            counts = [sum(r.outcome is outcome for r in reports) for outcome in Outcome]
            table.add_row(
                escape(url),
                *(str(count or "") for count in counts),
                str(sum(report.frames for report in reports)),
                ", ".join(reasons),
                style="yellow" if trouble else None,
            )
    return table
