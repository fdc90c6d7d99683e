"""Supervising batches over executors that lose workers: nothing lost, nothing run beside poison."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import easi3r
from easi3r.errors import WorkerLostError
from easi3r.executor import InProcess
from easi3r.plan import plan_collection
from easi3r.run.pending import Batch
from easi3r.run.run import Run
from easi3r.run.supervisor import annotate_alone, annotate_batches
from easi3r.store import committed_set, prepare_dataset
from easi3r.types import ClipReport, Outcome
from tests.engines import NullEngine, null_settings
from tests.scenes import write_scenes

SETTINGS = null_settings()


class Losing(InProcess):
    """Loses the worker of every batch that holds one of some clips, as a crash in C code would."""

    def __init__(self, *poison: str) -> None:
        super().__init__()
        self.poison = set(poison)
        self.batches: list[int] = []

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | WorkerLostError]]:
        for batch in items:
            self.batches.append(len(batch))
            if any(spec.clip_id in self.poison for spec in batch):
                yield batch, WorkerLostError("batch", "killed its worker", "Look at the log")
            else:
                yield batch, function(batch)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """Eight clips of three frames, planned from one video."""
    folder = tmp_path_factory.mktemp("supervisor")
    write_scenes(folder / "videos", count=1, frames=24)
    dataset = str(folder / "plan.zarr")
    prepare_dataset(dataset, "{}")
    plan = plan_collection(str(folder / "videos"), dataset, SETTINGS, InProcess())
    (batch,) = plan.batches(committed_set(dataset), SETTINGS, 100)
    assert len(batch) == 8
    return batch


def test_the_clip_that_kills_workers_is_found_and_quarantined(tmp_path: Path, clips: Batch) -> None:
    dataset = str(tmp_path / "out.zarr")
    prepare_dataset(dataset, "{}")
    poison = clips[5]
    executor = Losing(poison.clip_id)
    reports: list[ClipReport] = []
    run = (Run("videos", dataset, SETTINGS, NullEngine), executor, reports.extend)
    suspects = annotate_batches([clips], *run)
    assert suspects == (poison,)
    assert executor.batches == [8, 4, 4, 2, 2, 1, 1]
    assert {report.outcome for report in reports} == {Outcome.COMMITTED}

    annotate_alone(suspects, *run)
    assert executor.batches[-1] == 1
    assert sorted(report.subject for report in reports) == sorted(c.clip_id for c in clips)
    (record,) = easi3r.open_dataset(dataset).quarantined
    assert record.id.startswith(f"{poison.clip_id}.")
    assert record.reason == "worker_lost"


def test_who_was_only_beside_poison_is_annotated(tmp_path: Path, clips: Batch) -> None:
    dataset = str(tmp_path / "out.zarr")
    prepare_dataset(dataset, "{}")
    executor = Losing(clips[0].clip_id)
    reports: list[ClipReport] = []
    run = (Run("videos", dataset, SETTINGS, NullEngine), executor, reports.extend)
    suspects = annotate_batches([clips[:1]], *run)
    executor.poison.clear()  # it was another clip that killed the worker
    annotate_alone(suspects, *run)
    assert [report.outcome for report in reports] == [Outcome.COMMITTED]


@given(size=st.integers(1, 8), poison=st.sets(st.integers(0, 7)))
def test_every_clip_is_either_run_or_suspected(clips: Batch, size: int, poison: set[int]) -> None:
    """No storage here: an executor that answers for `annotate_batch`."""
    seen: list[str] = []

    class Answering(Losing):
        def map(
            self, function: Callable[[Any], Any], items: Iterable[Any]
        ) -> Iterator[tuple[Any, Any | WorkerLostError]]:
            yield from super().map(
                lambda batch: [ClipReport(s.clip_id, "", Outcome.COMMITTED) for s in batch], items
            )

    executor = Answering(*(clips[place].clip_id for place in poison))
    batches = [clips[start : start + size] for start in range(0, len(clips), size)]
    suspects = annotate_batches(
        batches,
        Run("", "", SETTINGS),
        executor,
        lambda reports: seen.extend(report.subject for report in reports),
    )
    assert {spec.clip_id for spec in suspects} == executor.poison
    assert sorted(seen + [spec.clip_id for spec in suspects]) == sorted(c.clip_id for c in clips)
