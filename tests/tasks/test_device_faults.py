"""A device that fails under a worker: the process ends, other ones go on, no clip is blamed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

import easi3r
from easi3r.run.run import Run
from easi3r.run.supervisor import annotate_alone, annotate_batches
from easi3r.store import prepare_dataset
from easi3r.types import ClipReport, ClipSpec, Outcome
from tasks.cluster import local_cluster
from tasks.dask_executor import DaskExecutor
from tests.engines import FAULTY_DEVICE, TROUBLED_CLIPS, DeviceFaultEngine, null_settings


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(
        str(tmp_path / "video.mp4"), str(tmp_path / "out.zarr"), null_settings(), DeviceFaultEngine
    )
    Path(made.source).write_bytes(b"not decoded here")
    prepare_dataset(made.destination, made.settings.model_dump_json())
    return made


@pytest.fixture
def clips(run: Run) -> tuple[ClipSpec, ...]:
    fingerprint = hashlib.sha256(Path(run.source).read_bytes()).hexdigest()
    return tuple(
        ClipSpec(
            run.source, fingerprint, (2 * i, 2 * i + 1), (0.2 * i, 0.2 * i + 0.1), 2 * i, 2 * i + 2
        )
        for i in range(4)
    )


@pytest.fixture
def executor() -> Iterator[DaskExecutor]:
    """Of workers that see the environment as it is when it is first used."""
    with local_cluster(workers=1, gpus=0) as cluster, Client(cluster) as client:
        yield DaskExecutor(client)


def outcomes(reports: list[ClipReport]) -> dict[str, Outcome]:
    return {report.subject: report.outcome for report in reports}


@pytest.fixture
def passing_fault(
    tmp_path: Path, clips: tuple[ClipSpec, ...], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A device that fails once, at the third clip."""
    fault = tmp_path / "fault"
    fault.touch()
    monkeypatch.setenv(FAULTY_DEVICE, str(fault))
    monkeypatch.setenv(TROUBLED_CLIPS, clips[2].clip_id)
    return fault


def test_a_new_process_finishes_the_batch(
    passing_fault: Path, run: Run, clips: tuple[ClipSpec, ...], executor: DaskExecutor
) -> None:
    reports: list[ClipReport] = []
    assert annotate_batches([clips[:2], clips[2:]], run, executor, reports.extend) == ()
    assert not passing_fault.exists()
    done = outcomes(reports)
    assert done.keys() == {clip.clip_id for clip in clips}
    assert set(done.values()) <= {Outcome.COMMITTED, Outcome.SKIPPED}
    dataset = easi3r.open_dataset(run.destination)
    assert len(dataset) == 4
    assert not dataset.quarantined


@pytest.fixture
def fault_of_one_clip(clips: tuple[ClipSpec, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TROUBLED_CLIPS, clips[2].clip_id)


@pytest.mark.usefixtures("fault_of_one_clip")
def test_a_clip_that_fails_every_device_is_quarantined_only_after_it_ran_alone(
    run: Run, clips: tuple[ClipSpec, ...], executor: DaskExecutor
) -> None:
    reports: list[ClipReport] = []
    suspects = annotate_batches([clips[2:3]], run, executor, reports.extend)
    assert suspects == clips[2:3]
    assert not easi3r.open_dataset(run.destination).quarantined
    annotate_alone(suspects, run, executor, reports.extend)
    assert outcomes(reports)[clips[2].clip_id] is Outcome.QUARANTINED
    (record,) = easi3r.open_dataset(run.destination).quarantined
    assert record.reason == "worker_lost"
