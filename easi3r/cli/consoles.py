"""Where commands print: answers to standard output, news of progress and errors beside it."""

from rich.console import Console

WIDTH = 200  # columns, where the output is no terminal


def answer_console() -> Console:
    """Standard output; where it is no terminal, so wide that tables break no path or id."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def error_console() -> Console:
    """Standard error."""
    return Console(stderr=True)


def print_line(line: str) -> None:
    """A line beside the answer, for the one who waits for it."""
    error_console().print(line, highlight=False, markup=False, soft_wrap=True)
