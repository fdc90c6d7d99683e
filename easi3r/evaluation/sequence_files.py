"""Results of a data set for programs: JSON, CSV, DAVIS's own tables, and masks as PNG."""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from easi3r.errors import UnwritableDestinationError
from easi3r.evaluation.examination import OURS
from easi3r.evaluation.published import PublishedValue
from easi3r.evaluation.sequence import TrueSequence
from easi3r.evaluation.sequence_figures import GROUPS, mean_of, methods_of
from easi3r.evaluation.sequence_scores import SequenceResult
from easi3r.evaluation.stored_clips import Mask

_KEYS = tuple(figure.key for group in GROUPS for figure in group.figures)
_DAVIS = {
    "J&F-Mean": "jf",
    "J-Mean": "j_mean",
    "J-Recall": "j_recall",
    "J-Decay": "j_decay",
    "F-Mean": "f_mean",
    "F-Recall": "f_recall",
    "F-Decay": "f_decay",
}
_DAVIS_PER_SEQUENCE = ("J-Mean", "F-Mean")


def written_masks(
    sequence: TrueSequence, masks: Iterable[tuple[int, Mask]], folder: Path
) -> Iterator[tuple[int, Mask]]:
    """The same masks; writes each as `folder/SEQUENCE/FRAME.png`, 255 where something moves.

    Raises:
        UnwritableDestinationError: one of them cannot be written.
    """
    inside = folder / sequence.name
    for place, mask in masks:
        path = inside / f"{sequence.frame_names[place]}.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))).save(path)
        except OSError as error:
            raise _unwritable(path, error) from error
        yield place, mask


def write_results(
    results: Sequence[SequenceResult],
    run: dict[str, Any],
    published: Sequence[PublishedValue],
    out: Path,
) -> tuple[Path, ...]:
    """Write `scores.json` and `scores.csv`; for DAVIS the two files of its toolkit as well.

    Args:
        run: what was run: weights, settings, protocol.

    Returns:
        The files.

    Raises:
        UnwritableDestinationError: one of them cannot be written.
    """
    values = {
        "run": run,
        "means": _finite({m: _means(results, m) for m in methods_of(results)}),
        "published": [one.model_dump() for one in published],
        "sequences": [_finite(asdict(one)) for one in results],
    }
    contents = {
        "scores.json": json.dumps(values, indent=1, allow_nan=False),
        "scores.csv": _csv(_rows(results)),
    }
    if any(one.dataset == "davis" for one in results):
        contents["global_results-val.csv"] = _csv(_davis_global(results))
        contents["per-sequence_results-val.csv"] = _csv(_davis_per_sequence(results))
    for name, text in contents.items():
        path = out / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        except OSError as error:
            raise _unwritable(path, error) from error
    return tuple(out / name for name in contents)


def _unwritable(path: Path, error: OSError) -> UnwritableDestinationError:
    remedy = "Give a folder that can be written with --out"
    return UnwritableDestinationError(str(path), str(error), remedy)


def _means(results: Sequence[SequenceResult], method: str) -> dict[str, float]:
    means = {key: mean_of(results, method, key) for key in _KEYS}
    return {key: value for key, value in means.items() if not math.isnan(value)}


def _rows(results: Sequence[SequenceResult]) -> Iterator[list[object]]:
    """A row for every sequence and method; one without scores has its problem."""
    yield ["sequence", "frames", "clips", "method", *_KEYS, "problem"]
    for one in results:
        for method, values in one.values.items() or [(OURS, {})]:
            cells = [_cell(values.get(key, math.nan)) for key in _KEYS]
            yield [one.name, one.frames, one.clips, method, *cells, one.problem]


def _davis_global(results: Sequence[SequenceResult]) -> Iterator[list[object]]:
    yield list(_DAVIS)
    yield [f"{mean_of(results, OURS, key):.3f}" for key in _DAVIS.values()]


def _davis_per_sequence(results: Sequence[SequenceResult]) -> Iterator[list[object]]:
    """The toolkit names objects `SEQUENCE_NUMBER`; ours are one, since motion has no names."""
    yield ["Sequence", *_DAVIS_PER_SEQUENCE]
    for one in results:
        if "jf" in one.values.get(OURS, {}):
            values = [one.values[OURS][_DAVIS[column]] for column in _DAVIS_PER_SEQUENCE]
            yield [f"{one.name}_1", *(f"{value:.3f}" for value in values)]


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def _finite(value: Any) -> Any:
    """JSON values with null in place of NaN, which JSON lacks."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
