"""Planning in a terminal: a bar with rate and time left, and tables of plans and forecasts."""

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from easi3r.cli.consoles import status_bars
from easi3r.plan import PartSummary, Plan, PlanState, PlanWatcher
from easi3r.run.forecast import Forecast, Interval
from easi3r.run.progress import Pace

SECONDS_BETWEEN_LINES = 10.0  # where the console is no terminal


class PlanProgress(PlanWatcher):
    """A live bar where the console is a terminal, a line now and then where it is a file."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = status_bars(console)
        self._total = self._videos = self._clips = 0
        self._pace = Pace("videos")

    def __enter__(self) -> "PlanProgress":
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away; lines stay."""
        if self._console.is_terminal:
            self._bars.stop()

    def listed(self, videos: int) -> None:
        """See `PlanWatcher`."""
        self._total = videos
        self._pace = Pace("videos")
        self._bar = self._bars.add_task("planning", total=videos, status=str(self))

    def part_planned(self, part: PartSummary) -> None:
        """See `PlanWatcher`."""
        self._videos += part.videos
        self._clips += part.clips
        self._bars.update(self._bar, completed=self._videos, status=str(self))
        due = self._pace.is_due(SECONDS_BETWEEN_LINES) or self._videos == self._total
        if due and not self._console.is_terminal:
            self._console.print(f"planning: {self}", highlight=False, markup=False)

    def __str__(self) -> str:
        return f"{self._pace.after(self._videos, self._total)}; {self._clips} clips"


def plan_table(plan: Plan, state: PlanState) -> Table:
    """What the plan holds and how much of it is pending."""
    counts = plan.counts
    table = Table(title=f"plan {plan.plan_id} of {escape(plan.record.source)}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    reasons = ", ".join(f"{number} {reason}" for reason, number in plan.reasons().items())
    ignored = ", ".join(f"{number} {suffix}" for suffix, number in counts.ignored.items())
    for label, value in (
        ("videos", str(counts.videos)),
        ("clips", str(counts.clips)),
        ("frames read", str(counts.frames)),
        ("seconds of video", f"{counts.seconds:.1f}"),
        ("committed already", str(state.committed)),
        ("quarantined clips", str(state.quarantined)),
        ("would run: clips", str(state.pending)),
        ("would run: frames", str(state.pending_frames)),
        ("would run: seconds of video", f"{state.pending_seconds:.1f}"),
        ("duplicate clips", str(counts.duplicates)),
        ("repeated names", str(counts.repeated_names)),
        ("quarantined videos", str(counts.quarantined_videos)),
        ("failed videos (run again)", str(counts.failed_videos)),
        ("shots left out", str(counts.left_out_shots)),
        ("reasons", reasons),
        ("files ignored", ignored),
    ):
        if value not in ("", "0"):
            table.add_row(label, escape(value))
    return table


def forecast_table(forecast: Forecast) -> Table:
    """A forecast, each figure with its 90 % interval."""
    measured = f"{forecast.measured_clips} clips on {forecast.device}"
    table = Table(title=f"forecast for {forecast.clips} clips, {forecast.workers} workers")
    table.caption = (
        "as given, without uncertainty"
        if forecast.device == "given"
        else f"measured: {measured}; 90 % intervals from their spread"
    )
    for heading in ("", "low", "expected", "high"):
        table.add_column(heading, justify="right" if heading else "left")
    _add(table, "seconds per clip", forecast.per_clip_seconds)
    _add(table, "device-hours", forecast.device_hours)
    if forecast.cost is not None:
        _add(table, f"cost at {forecast.price_per_hour} an hour", forecast.cost)
    _add(table, "wall time, hours", forecast.wall_seconds.times(1 / 3600))
    _add(table, "GB stored", forecast.bytes.times(1e-9))
    _add(table, "objects stored", forecast.objects)
    return table


def _add(table: Table, label: str, interval: Interval) -> None:
    table.add_row(label, *(f"{value:,.4g}" for value in interval.model_dump().values()))
