"""Progress in a terminal: a live bar with rate and ETA, or lines where the output is a file."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich import progress
from rich.console import Console
from rich.markup import escape

from easi3r.cli.consoles import print_line
from easi3r.plan import PartSummary, Plan, PlanWatcher
from easi3r.run.collection import Watcher
from easi3r.run.ledger import Ledger
from easi3r.run.progress import Pace
from easi3r.types import ClipReport, Outcome

SECONDS_BETWEEN_LINES = 10.0  # of planning, where the console is no terminal

Result = TypeVar("Result")


class LiveBar:
    """A bar with words before it and a status behind it; lines where the console is a file.

    Args:
        description: what is done, such as `planning`.
    """

    def __init__(self, console: Console, description: str) -> None:
        self._console = console
        self._bars = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[status]}"),
            console=console,
            transient=True,
        )
        self._bar = self._bars.add_task(description, total=None, status="")

    def start(self) -> None:
        """Show the bar; lines need no start."""
        if self._console.is_terminal:
            self._bars.start()

    def stop(self) -> None:
        """Take the bar away; lines stay."""
        if self._console.is_terminal:
            self._bars.stop()

    def update(self, done: int, total: int, status: str, line: str | None) -> None:
        """Move the bar.

        Args:
            line: printed where the console is no terminal; None: none is due.
        """
        self._bars.update(self._bar, completed=done, total=total, status=status)
        if line is not None and not self._console.is_terminal:
            self._console.print(line, highlight=False, markup=False)


class PlanProgress(PlanWatcher):
    """Shows how far planning is, from the listing until it is closed."""

    def __init__(self, console: Console) -> None:
        self._bar = LiveBar(console, "planning")
        self._total = self._videos = self._clips = 0
        self._pace = Pace("videos")

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()

    def listed(self, videos: int) -> None:
        """See `PlanWatcher`."""
        self._total = videos
        self._bar.start()
        self._pace = Pace("videos")
        self._bar.update(0, videos, str(self), None)

    def part_planned(self, part: PartSummary) -> None:
        """See `PlanWatcher`."""
        self._videos += part.videos
        self._clips += part.clips
        due = self._pace.is_due(SECONDS_BETWEEN_LINES) or self._videos == self._total
        line = f"planning: {self}" if due else None
        self._bar.update(self._videos, self._total, str(self), line)

    def __str__(self) -> str:
        return f"{self._pace.after(self._videos, self._total)}; {self._clips} clips"


class RunProgress(Watcher):
    """Shows how far a run is, planning first, until it is closed; a line per clip in a file."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._planning = PlanProgress(console)
        self._bar = LiveBar(console, "annotating")

    def close(self) -> None:
        """Take the bars away."""
        self._planning.close()
        self._bar.stop()

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
        self._planning.close()
        self._bar.start()
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

    def clip_done(self, report: ClipReport, ledger: Ledger) -> None:
        """See `Watcher`."""
        if report.outcome.is_trouble:
            self._console.print(
                f"{report.outcome} ({report.reason}): {report.message}",
                style="yellow" if report.outcome is Outcome.QUARANTINED else "red",
                markup=False,
                highlight=False,
            )
        status = str(ledger.progress)
        self._bar.update(ledger.progress.done, ledger.progress.total, status, status)


def with_lines(results: Iterable[Result], total: int) -> Iterator[Result]:
    """The same results; prints after each how many there are, how fast, and the ETA.

    A result with a `name` is named in its line.
    """
    pace = Pace("clips")
    for done, result in enumerate(results, start=1):
        print_line(f"{pace.after(done, total)}  {getattr(result, 'name', '')}".rstrip())
        yield result
