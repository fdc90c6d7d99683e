"""What two sides' runs come to: minimum, median, and ratios of ours over the other commit's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

WALL, CPU = "wall s", "CPU s"


@dataclass(frozen=True)
class Spread:
    """A figure's values of some runs, in the order of the runs."""

    values: tuple[float, ...]

    @property
    def minimum(self) -> float:
        """Of the run that was disturbed least."""
        return min(self.values)

    @property
    def median(self) -> float:
        """Half of the runs took less."""
        return median(self.values)


@dataclass(frozen=True)
class Missing:
    """A side does not give a figure; the reason in words."""

    reason: str


@dataclass(frozen=True)
class Comparison:
    """One figure of one benchmark, of both sides."""

    benchmark: str
    figure: str
    ours: Spread | Missing
    base: Spread | Missing

    @property
    def minima_ratio(self) -> float | None:
        """Ours over the other commit's; None where a side does not give the figure."""
        if isinstance(self.ours, Missing) or isinstance(self.base, Missing):
            return None
        return _ratio(self.ours.minimum, self.base.minimum)

    @property
    def medians_ratio(self) -> float | None:
        """Ours over the other commit's; None where a side does not give the figure."""
        if isinstance(self.ours, Missing) or isinstance(self.base, Missing):
            return None
        return _ratio(self.ours.median, self.base.median)


@dataclass(frozen=True)
class Multiple:
    """A benchmark's figure in units of another benchmark's, by minima, of either side.

    Unlike seconds, it hardly depends on the machine.
    """

    benchmark: str
    figure: str
    ours: float | Missing
    base: float | Missing


def multiples(
    comparisons: Sequence[Comparison], unit: str, figures: Mapping[str, str]
) -> list[Multiple]:
    """Benchmarks in units of another one.

    Args:
        unit: the benchmark that is 1.
        figures: by benchmark, the figure that is taken of it and of the unit.
    """
    known = {(one.benchmark, one.figure): one for one in comparisons}
    made = []
    for benchmark, figure in figures.items():
        of, by = known[benchmark, figure], known[unit, figure]
        made.append(
            Multiple(benchmark, figure, _multiple(of.ours, by.ours), _multiple(of.base, by.base))
        )
    return made


def _multiple(of: Spread | Missing, by: Spread | Missing) -> float | Missing:
    for one in (of, by):
        if isinstance(one, Missing):
            return one
    assert isinstance(of, Spread)
    assert isinstance(by, Spread)
    ratio = _ratio(of.minimum, by.minimum)
    return Missing("the unit is 0") if ratio is None else ratio


def _ratio(of: float, by: float) -> float | None:
    return of / by if by else None
