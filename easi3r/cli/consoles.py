"""Where commands print their answers, and show how far they are."""

from rich import progress
from rich.console import Console

WIDTH = 200  # columns, where the output is no terminal


def answer_console() -> Console:
    """Standard output; where it is no terminal, so wide that tables break no path or id."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def status_bars(console: Console) -> progress.Progress:
    """Bars with words before them and a field `status` behind them; gone once they are stopped."""
    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TextColumn("{task.fields[status]}"),
        console=console,
        transient=True,
    )
