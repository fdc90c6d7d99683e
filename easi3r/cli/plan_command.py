"""`easi3r plan`: what a run would do, and what it would take."""

from typing import Annotated

import typer
from rich.console import Console

from easi3r.cli import options
from easi3r.cli.consoles import answer_console
from easi3r.cli.plan_progress import PlanProgress, forecast_table, plan_table
from easi3r.config import Settings
from easi3r.executor import InProcess
from easi3r.plan import Plan, PlanState, plan_collection
from easi3r.run.collection import absolute_location, prepare
from easi3r.run.engine import load_engine
from easi3r.run.forecast import Forecast, Measurement, forecast, measure
from easi3r.store import committed_set, quarantined_set
from easi3r.types import ClipReport, ClipSpec, Outcome

console = answer_console()
errors = Console(stderr=True)


def plan(
    source: options.Source,
    destination: options.Destination,
    settings: options.SettingsFile = None,
    weights: options.Weights = None,
    long_side: options.LongSide = None,
    clip_frames: options.ClipFrames = None,
    overlap_frames: options.OverlapFrames = None,
    stride: options.Stride = None,
    rate_hz: options.RateHz = None,
    device: options.Device = None,
    keep_broken: options.KeepBroken = False,
    with_forecast: Annotated[
        bool, typer.Option("--forecast", help="Forecast what the pending clips will take.")
    ] = False,
    sample_clips: Annotated[
        int, typer.Option(min=1, help="Clips that --forecast annotates here and times.")
    ] = 5,
    given: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            metavar="SECONDS BYTES OBJECTS", help="Forecast from these, of one clip, instead."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Devices at work at once.")] = 1,
    price_per_hour: Annotated[
        float | None, typer.Option(min=0, help="Of one device; without it no cost is given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Plan every video of SOURCE under DEST, and print what `easi3r annotate` would run."""
    chosen = options.annotation_settings(
        settings,
        weights=weights,
        long_side=long_side,
        clip_frames=clip_frames,
        overlap_frames=overlap_frames,
        stride=stride,
        rate_hz=rate_hz,
        device=device,
        keep_broken=keep_broken,
    )
    made, pinned = _planned(source, destination, chosen)
    committed, quarantined = committed_set(made.destination), quarantined_set(made.destination)
    state = made.state(committed, quarantined, pinned)
    expected: Forecast | None = None
    if state.pending and (with_forecast or given is not None):
        if given is None:  # one more than asked for: the first warms up and is not counted
            sample = made.sample(committed | quarantined, pinned, sample_clips + 1)
        expected = forecast(
            _measured(sample, pinned) if given is None else Measurement.given(*given),
            plan_id=made.plan_id,
            clips=state.pending,
            frames=state.pending_frames,
            workers=workers,
            price_per_hour=price_per_hour,
        )
    _show(made, state, expected, as_json)
    troubled = made.counts.quarantined_videos + made.counts.failed_videos + state.quarantined
    raise typer.Exit(1 if troubled else 0)


def _planned(source: str, destination: str, chosen: Settings) -> tuple[Plan, Settings]:
    source, destination = absolute_location(source), absolute_location(destination)
    executor = InProcess()
    pinned = prepare(source, destination, chosen, executor, load_engine)
    with PlanProgress(errors) as watcher:
        return plan_collection(source, destination, pinned, executor, watcher), pinned


def _measured(sample: tuple[ClipSpec, ...], settings: Settings) -> Measurement:
    done: list[ClipReport] = []

    def watch(report: ClipReport) -> None:
        done.append(report)
        failure = "" if report.outcome is Outcome.COMMITTED else f": {report.message}"
        line = f"measured {len(done)} of {len(sample)} clips, {report.outcome}{failure}"
        errors.print(line, highlight=False, markup=False)

    return measure(sample, settings, watch=watch)


def _show(made: Plan, state: PlanState, expected: Forecast | None, as_json: bool) -> None:
    if as_json:
        found = {
            "plan_id": made.plan_id,
            "source": made.record.source,
            "destination": made.destination,
            "counts": made.counts.model_dump(),
            "state": state.model_dump(),
            "reasons": made.reasons(),
            "forecast": expected and expected.model_dump(),
        }
        console.print_json(data=found)
        return
    console.print(plan_table(made, state))
    if expected is not None:
        console.print(forecast_table(expected))
