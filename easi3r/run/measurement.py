"""Clips of a plan, annotated here and timed: what a forecast is made from."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from easi3r.errors import SettingsError
from easi3r.run.forecast import Measurement
from easi3r.run.run import Run
from easi3r.run.worker import annotate_batch
from easi3r.store import open_dataset, prepare_dataset
from easi3r.types import ClipReport, ClipSpec, Outcome

_COMMIT_RECORDS = 1  # objects of a clip beside those it names


def measure(
    specs: Sequence[ClipSpec],
    run: Run,
    on_report: Callable[[ClipReport], None] = lambda report: None,
) -> Measurement:
    """Annotate some clips here, into a dataset that is deleted afterwards, and time each.

    The first clip warms the engine up (loading, compiling, caches) and is not counted, unless it
    is the only one. Clips that cannot be annotated are left out of the figures. Clips run one
    after the other on a local disk: a run that overlaps decoding, computing and writing takes less,
    one that writes to a slow store may take more.

    Args:
        specs: spread over the plan (`Plan.sample`), so that they stand for it.
        run: with the weights' hash pinned; its destination is not touched.
        on_report: callback after each clip.

    Raises:
        SettingsError: none of the clips can be annotated; the message says why.
        CheckpointError: the weights cannot be used.
    """
    seconds: list[float] = []
    last: ClipReport | None = None
    with tempfile.TemporaryDirectory(prefix="easi3r-forecast-") as folder:
        here = replace(run, destination=folder)
        prepare_dataset(folder, run.settings.model_dump_json())
        for spec in specs:
            start = time.perf_counter()
            (last,) = annotate_batch((spec,), here)
            on_report(last)
            if last.outcome is Outcome.COMMITTED:
                seconds.append(time.perf_counter() - start)
        records = open_dataset(folder).results
    if not seconds:
        why = "no clip is pending" if last is None else f"{last.reason}: {last.message}"
        remedy = "Give figures instead (--given SECONDS BYTES OBJECTS), or measure more clips"
        raise SettingsError("forecast", f"no clip could be measured ({why})", remedy)
    return Measurement(
        seconds=tuple(seconds[1:] or seconds),
        bytes=tuple(float(record.bytes) for record in records),
        objects=tuple(float(len(record.objects) + _COMMIT_RECORDS) for record in records),
        device=records[0].device,
    )
