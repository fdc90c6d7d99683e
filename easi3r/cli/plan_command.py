"""`easi3r plan`: what a run would do, and what it would take."""

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from easi3r.cli.consoles import answer_console, error_console
from easi3r.cli.options import Destination, KnownOptions, RunOptions, Source, takes_run_options

if TYPE_CHECKING:
    from easi3r.plan import OutdatedResults, Plan, PlanState
    from easi3r.run.forecast import Forecast, Measurement
    from easi3r.run.run import Run
    from easi3r.types import ClipReport, ClipSpec


@takes_run_options
def plan(
    source: Source,
    destination: Destination,
    options: RunOptions,
    known: KnownOptions,
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
    from easi3r.cli.progress_bar import PlanProgress
    from easi3r.executor import InProcess
    from easi3r.run.collection import plan_run, prepare
    from easi3r.run.forecast import Measurement, forecast
    from easi3r.run.pending import Backlog
    from easi3r.run.run import Run

    executor = InProcess()
    run = prepare(Run.of(source, destination, options.parsed(), known=known.parsed()), executor)
    with closing(PlanProgress(error_console())) as watcher:
        made = plan_run(run, executor, watcher)
    backlog = Backlog.read(made, run)
    state, outdated = backlog.state(), backlog.outdated()
    expected: Forecast | None = None
    if state.pending and (with_forecast or given is not None):
        if given is None:  # one more than asked for: the first warms up and is not counted
            sample = backlog.sample(sample_clips + 1)
        expected = forecast(
            _measured(sample, run) if given is None else Measurement.given(*given),
            plan_id=made.plan_id,
            clips=state.pending,
            frames=state.pending_frames,
            workers=workers,
            price_per_hour=price_per_hour,
        )
    _show(made, state, outdated, expected, as_json)
    troubled = made.counts.quarantined_videos + made.counts.failed_videos + state.quarantined
    raise typer.Exit(1 if troubled else 0)


def _measured(sample: "tuple[ClipSpec, ...]", run: "Run") -> "Measurement":
    from easi3r.run.measurement import measure
    from easi3r.types import Outcome

    errors, done = error_console(), 0

    def show(report: "ClipReport") -> None:
        nonlocal done
        done += 1
        failure = "" if report.outcome is Outcome.COMMITTED else f": {report.message}"
        line = f"measured {done} of {len(sample)} clips, {report.outcome}{failure}"
        errors.print(line, highlight=False, markup=False)

    return measure(sample, run, show)


def _show(
    made: "Plan",
    state: "PlanState",
    outdated: "OutdatedResults",
    expected: "Forecast | None",
    as_json: bool,
) -> None:
    from easi3r.cli.tables import forecast_table, plan_table

    console = answer_console()
    if as_json:
        answer = {
            "plan_id": made.plan_id,
            "source": made.record.source,
            "destination": made.destination,
            "counts": made.counts.model_dump(),
            "state": state.model_dump(),
            "outdated": outdated.model_dump(),
            "reasons": made.reasons(),
            "forecast": expected and expected.model_dump(),
        }
        console.print_json(data=answer)
        return
    console.print(plan_table(made, state, outdated))
    if expected is not None:
        console.print(forecast_table(expected))
