"""Results of a data set for people: a row a sequence, then the means of every method."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from easi3r.evaluation.examination import OURS
from easi3r.evaluation.published import PublishedValue
from easi3r.evaluation.sequence_figures import (
    DAVIS_REMARK,
    GROUPS,
    MASKS,
    FigureGroup,
    mean_of,
    methods_of,
)
from easi3r.evaluation.sequence_scores import SequenceResult

_MOST_SUBJECTS = 3  # of what was left out for one reason, named in a line


def sequence_tables(
    results: Sequence[SequenceResult], published: Sequence[PublishedValue] = ()
) -> tuple[Table, ...]:
    """A table for each kind of truth, 80 columns wide at most; one of bare rows if there is none.

    A sequence without scores has its row in each, with the reason in a word.

    Args:
        published: means of other methods, shown under ours.
    """
    groups = [group for group in GROUPS if any(_has(one, group) for one in results)]
    return tuple(_table(results, group, published) for group in groups or (FigureGroup("", ()),))


def remarks(results: Sequence[SequenceResult]) -> Iterator[str]:
    """Lines to stand under the tables: what has no scores, single figures, what was left out."""
    for one in results:
        if one.problem:
            yield f"not scored: {one.name}: {one.problem}"
        yield from (f"{one.name}: {note}" for note in one.notes)
    subjects: dict[str, list[str]] = defaultdict(list)
    for one in results:
        for left_out in one.left_out:
            subjects[left_out.reason].append(f"{one.name}: {left_out.subject}")
    for reason, names in subjects.items():
        more = f" and {len(names) - _MOST_SUBJECTS} more" if len(names) > _MOST_SUBJECTS else ""
        yield f"left out, {len(names)}: {reason} ({'; '.join(names[:_MOST_SUBJECTS])}{more})"


def as_markdown(results: Sequence[SequenceResult], published: Sequence[PublishedValue] = ()) -> str:
    """The same tables in Markdown, with the remarks under them."""
    parts = []
    for table in sequence_tables(results, published):
        headings = [" ".join(str(column.header).split()) for column in table.columns]
        columns = [list(column.cells) for column in table.columns]
        rows = [headings, ["---"] * len(headings), *map(list, zip(*columns, strict=True))]
        lines = (f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)
        parts.append("\n".join([f"**{table.title}**", "", *lines, "", str(table.caption or "")]))
    return "\n\n".join([*parts, *(f"- {line}" for line in remarks(results))])


def number(value: float) -> str:
    """Three digits after the point, fewer of large values; a dash for NaN."""
    if math.isnan(value):
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _table(
    results: Sequence[SequenceResult], group: FigureGroup, published: Sequence[PublishedValue]
) -> Table:
    scored = [one for one in results if _has(one, group)]
    table = Table(
        title=f"{group.title}, {len(scored)} of {len(results)} sequences".lstrip(", "),
        title_justify="left",
        caption=" ".join(_captions(results, group, published)) or None,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("sequence", overflow="fold")
    table.add_column("frames", justify="right", no_wrap=True)
    for figure in group.figures:
        arrow = "↑" if figure.more_is_better else "↓"
        table.add_column(f"{figure.heading}{arrow}", justify="right", no_wrap=True)
    for one in results:
        reason = one.problem.partition(":")[0]
        name = f"{one.name} ({reason})" if reason else one.name
        values = one.values.get(OURS, {})
        cells = [number(values.get(figure.key, math.nan)) for figure in group.figures]
        table.add_row(escape(name), str(one.frames), *cells)
    table.add_section()
    for method in methods_of(scored):
        means = [number(mean_of(scored, method, figure.key)) for figure in group.figures]
        if any(cell != "-" for cell in means):
            style = "bold" if method == OURS else None
            table.add_row(f"mean, {escape(method)}", "", *means, style=style)
    for method in dict.fromkeys(one.method for one in published):
        of_method = {one.figure: one.value for one in published if one.method == method}
        means = [number(of_method.get(figure.key, math.nan)) for figure in group.figures]
        if any(cell != "-" for cell in means):
            table.add_row(f"published, {escape(method)}", "", *means)
    return table


def _captions(
    results: Sequence[SequenceResult], group: FigureGroup, published: Sequence[PublishedValue]
) -> Iterator[str]:
    if group.remark:
        yield group.remark
    if group is MASKS and any(one.dataset == "davis" for one in results):
        yield DAVIS_REMARK
    keys = {figure.key for figure in group.figures}
    for source in dict.fromkeys(one.source for one in published if one.figure in keys):
        yield f"Published: {escape(source)}."


def _has(result: SequenceResult, group: FigureGroup) -> bool:
    return any(figure.key in result.values.get(OURS, {}) for figure in group.figures)
