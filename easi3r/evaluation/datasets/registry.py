"""The data sets of the paper by name, and the sequences of one of them under a folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from easi3r.errors import PermanentError, TruthError
from easi3r.evaluation.datasets import (
    adt,
    bonn_dynamic,
    davis,
    dycheck,
    sintel,
    tum_dynamics,
)
from easi3r.evaluation.datasets.frame_choice import Stride
from easi3r.evaluation.datasets.true_depths import LEAST_DEPTH_M
from easi3r.evaluation.sequence import LeftOut, TrueSequence

DatasetName = Literal["davis", "tum", "adt", "dycheck", "sintel", "bonn"]


@dataclass(frozen=True)
class Dataset:
    """A data set's layout.

    Attributes:
        layout: in words, for remedies.
        find: the sequences under a folder, by name.
        listed: the sequences of the paper, in order; empty: all that there are.
        read: one sequence; raises TruthError and FrameSizeError.
    """

    layout: str
    find: Callable[[Path], dict[str, Path]]
    listed: Callable[[Path], tuple[str, ...]]
    read: Callable[[str, Path, Stride, float], TrueSequence]


DATASETS: dict[DatasetName, Dataset] = {
    "davis": Dataset(davis.LAYOUT, davis.find, davis.listed, davis.read),
    "tum": Dataset(tum_dynamics.LAYOUT, tum_dynamics.find, tum_dynamics.listed, tum_dynamics.read),
    "adt": Dataset(adt.LAYOUT, adt.find, adt.listed, adt.read),
    "dycheck": Dataset(dycheck.LAYOUT, dycheck.find, dycheck.listed, dycheck.read),
    "sintel": Dataset(sintel.LAYOUT, sintel.find, sintel.listed, sintel.read),
    "bonn": Dataset(bonn_dynamic.LAYOUT, bonn_dynamic.find, bonn_dynamic.listed, bonn_dynamic.read),
}


def sequences(
    dataset: DatasetName,
    root: Path,
    wanted: Sequence[str] = (),
    stride: Stride = "paper",
    least_depth_m: float = LEAST_DEPTH_M,
) -> tuple[tuple[TrueSequence, ...], tuple[LeftOut, ...]]:
    """The sequences of a data set under a folder, in the order of the data set's list.

    Args:
        wanted: names of sequences, in this order; empty takes those of the paper's list that are
            there, or all that are there where none of the list is.
        stride: `paper`: the frames of the paper; else every so many of all frames.
        least_depth_m: nearer true depths are left out.

    Returns:
        The sequences, and what was refused or is not there, with reasons.

    Raises:
        TruthError: no sequence is there, a wanted one is not, or none can be used.
        SettingsError: a stride below 1.
    """
    layout = DATASETS[dataset]
    found = layout.find(root)
    if not found:
        raise TruthError(str(root), *_nothing_found(dataset, root))
    unknown = [name for name in wanted if name not in found]
    if unknown:
        there = ", ".join(sorted(found))
        problem = f"holds no sequence {', '.join(unknown)}"
        raise TruthError(str(root), problem, f"Choose from: {there}")
    listed = layout.listed(root)
    names = list(wanted) or [name for name in listed if name in found] or list(found)
    left_out = []
    if not wanted:
        words = "on the paper's list, not in this folder"
        left_out = [LeftOut(name, words) for name in listed if name not in found]
    read, failures = [], []
    for name in dict.fromkeys(names):
        try:
            read.append(layout.read(name, found[name], stride, least_depth_m))
        except PermanentError as error:
            if error.reason == "settings":
                raise
            failures.append(error)
            left_out.append(LeftOut(name, str(error)))
    if not read:
        raise_together(root, failures)
    return tuple(read), tuple(left_out)


def dataset_of(root: Path) -> DatasetName | None:
    """The data set whose layout a folder has; None where it has none of them."""
    return next((name for name, layout in DATASETS.items() if layout.find(root)), None)


def raise_together(root: Path, failures: Sequence[PermanentError]) -> NoReturn:
    """Say why no sequence of a folder can be used, at least one.

    Raises:
        TruthError, FrameSizeError, VideoError: always.
    """
    first = failures[0]
    if len(failures) == 1:
        raise first
    problem = f"none of its {len(failures)} sequences can be used: {first.subject} {first.problem}"
    raise TruthError(str(root), problem, first.remedy) from first


def _nothing_found(dataset: DatasetName, root: Path) -> tuple[str, str]:
    if not root.exists():
        return "no such folder", f"Give a folder of {DATASETS[dataset].layout}"
    other = dataset_of(root)
    if other is not None:
        problem = f"is laid out as {other}, not as {dataset}"
        return problem, f"Run `easi3r evaluate {other} {root}`"
    problem = f"holds no sequence in the layout of {dataset}"
    return problem, f"Give a folder of {DATASETS[dataset].layout}"
