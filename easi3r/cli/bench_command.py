"""`easi3r bench`: where the time and the memory of a clip go on this machine."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from easi3r.cli import options
from easi3r.cli.consoles import answer_console

if TYPE_CHECKING:
    from easi3r.evaluation.speed import BenchFigures


def bench(
    weights: options.Weights = None,
    random: Annotated[
        bool, typer.Option("--random", help="Random weights of the published size instead.")
    ] = False,
    settings: options.SettingsFile = None,
    long_side: options.LongSide = None,
    clip_frames: options.ClipFrames = None,
    device: options.Device = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs after the first, which warms up.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Annotate a rendered clip here, and print seconds, operations and memory of each stage."""
    chosen = options.parse_settings(
        settings,
        {
            "model": {"weights": weights},
            "video": {"long_side_px": long_side},
            "sampling": {"clip_frames": clip_frames},
            "execution": {"device": device},
        },
    )
    # Imported here: torch takes seconds, and other commands do without.
    from easi3r.cli.progress_bar import with_lines
    from easi3r.evaluation.speed import BenchFigures, memory_before_clips, random_model
    from easi3r.evaluation.speed import bench as measure
    from easi3r.model import ModelConfig, load_checkpoint
    from easi3r.pipeline import select_device

    target = select_device(chosen.execution.device)
    before = memory_before_clips(target)
    if random:
        model = random_model(ModelConfig.published(), target, chosen.model.precision)
    else:
        model = load_checkpoint(chosen.model.weights, chosen.model.sha256)
        model = model.on(target, chosen.model.precision)
    figures = measure(model, chosen, with_lines(range(repeats + 1), repeats + 1), before)
    console = answer_console()
    if as_json:
        from pydantic import TypeAdapter

        console.print_json(TypeAdapter(BenchFigures).dump_json(figures).decode())
    else:
        console.print(stages_table(figures))


def stages_table(figures: "BenchFigures") -> Table:
    """Seconds, operations and rates of each stage; memory below."""
    table = Table(
        title=f"{figures.frames} frames of {figures.width}x{figures.height}, "
        f"{figures.pairs} pairs, {figures.pairs_per_batch} in flight; "
        f"{figures.weights}; {figures.machine}",
        caption=f"memory: {figures.peak_bytes / 1e6:.0f} MB at most, "
        f"{figures.projected_bytes / 1e6:.0f} MB projected",
        caption_justify="left",
    )
    table.add_column("stage")
    for heading in ("seconds", "share", "GFLOP", "GFLOP/s", "frames/s"):
        table.add_column(heading, justify="right")
    for one in figures.stages:
        table.add_row(one.stage, *_numbers(figures, one.seconds, one.flops))
    table.add_section()
    flops = figures.network_flops
    table.add_row("network, masks", *_numbers(figures, figures.network_seconds, flops))
    table.add_row("whole clip", *_numbers(figures, figures.seconds, flops))
    return table


def _numbers(figures: "BenchFigures", seconds: float, flops: int | None) -> Iterator[str]:
    yield f"{seconds:.3f}"
    yield f"{seconds / figures.seconds:.1%}"
    yield "" if flops is None else f"{flops / 1e9:.4g}"
    yield "" if flops is None else f"{flops / 1e9 / seconds:.4g}"
    yield f"{figures.frames / seconds:.4g}"
