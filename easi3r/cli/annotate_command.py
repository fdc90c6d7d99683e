"""`easi3r annotate`: a collection into a dataset, from this process."""

import signal
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from easi3r.cli.consoles import answer_console
from easi3r.cli.options import Destination, KnownOptions, RunOptions, Source, takes_run_options

INTERRUPTED = 128 + signal.SIGINT

MetricsPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Serve Prometheus metrics on this port of 127.0.0.1."),
]
ClipLog = Annotated[
    Path | None, typer.Option(help="Append one line of JSON per clip to this file.")
]


@takes_run_options
def annotate(
    source: Source,
    destination: Destination,
    options: RunOptions,
    known: KnownOptions,
    metrics_port: MetricsPort = None,
    clip_log: ClipLog = None,
) -> None:
    """Annotate every video of SOURCE into DEST; run it again to continue."""
    from easi3r.cli.interrupts import on_first_interrupt
    from easi3r.cli.progress_bar import RunProgress
    from easi3r.cli.tables import totals, troubles_table
    from easi3r.run.clip_log import logged_to
    from easi3r.run.collection import annotate_collection
    from easi3r.run.metrics import served
    from easi3r.run.run import Run

    console = answer_console()
    run = Run.of(source, destination, options.parsed(), known=known.parsed())
    with (
        served(metrics_port) if metrics_port else nullcontext(),
        logged_to(clip_log) if clip_log else nullcontext(),
        closing(RunProgress(console)) as watcher,
        on_first_interrupt(watcher.interrupted),
    ):
        try:
            record = annotate_collection(run, watcher=watcher)
        except KeyboardInterrupt:
            console.print(
                "interrupted: what is committed stays; the same command goes on from there"
            )
            raise typer.Exit(INTERRUPTED) from None
    if record.troubles:
        console.print(troubles_table(record))
    console.print(totals(record), highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(0 if record.succeeded else 1)
