"""The flow on a real, ephemeral Prefect server: the same results as the command line's run."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import ArtifactSort
from prefect.exceptions import ParameterTypeError
from prefect.states import State
from prefect.testing.utilities import prefect_test_harness

import easi3r
from easi3r.config import Settings
from easi3r.errors import (
    CheckpointError,
    EmptyFileError,
    RepeatedErrorsError,
    StorageUnavailableError,
    UnreadableURLError,
)
from easi3r.run.collection import annotate_collection as annotate_plainly
from easi3r.run.run import Run
from easi3r.run.run_record import RunRecord
from easi3r.store import AuditReport
from easi3r.types import Outcome
from flows.annotate import PARTITION_THREADS, annotate_collection, run_collection
from flows.audit import audit
from flows.plan import plan
from tasks.annotate import repeatable
from tasks.cluster import Cluster, LocalDask, ThisProcess
from tests.engines import NullEngine, UnforeseenErrorEngine, null_settings
from tests.scenes import write_scenes

SETTINGS = Settings.parse({"video": {"long_side_px": 96}, "alignment": {"max_steps": 10}})


@pytest.fixture(scope="module", autouse=True)
def prefect_server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=240):
        yield


def test_the_flow_gives_what_the_plain_run_gives(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    write_scenes(videos, count=3)
    (videos / "empty.mp4").touch()
    by_flow, plainly = str(tmp_path / "flow.zarr"), str(tmp_path / "plain.zarr")
    record: RunRecord = annotate_collection(
        str(videos), by_flow, SETTINGS, LocalDask(workers=1), clips_per_partition=1
    )
    expected = annotate_plainly(Run.of(str(videos), plainly, SETTINGS))
    assert record.clips == expected.clips
    assert record.clips[Outcome.COMMITTED] == 3
    assert record.clips[Outcome.QUARANTINED] == 1
    ours, theirs = easi3r.open_dataset(by_flow), easi3r.open_dataset(plainly)
    assert {r.result_id for r in ours.results} == {r.result_id for r in theirs.results}
    assert [r.reason for r in ours.quarantined] == ["empty_file"]
    for clip_id in ours:
        for name in ("dynamic_mask", "camera_to_world", "depth"):
            np.testing.assert_allclose(
                ours[clip_id][name].to_numpy().astype(float),
                theirs[clip_id][name].to_numpy().astype(float),
                rtol=1e-3,
                atol=1e-4,
                err_msg=name,
            )

    again = annotate_collection(str(videos), by_flow, SETTINGS, ThisProcess())
    assert again.clips[Outcome.SKIPPED] == 3
    assert again.frames == 0


@flow(task_runner=PARTITION_THREADS)
def annotate_with_null_engine(source: str, destination: str, cluster: Cluster) -> RunRecord:
    return run_collection(Run.of(source, destination, null_settings(), NullEngine), cluster, 2)


def test_another_engine_runs_through_the_same_composition(tmp_path: Path) -> None:
    write_scenes(tmp_path / "videos", count=1, frames=36)
    (tmp_path / "videos/empty.mp4").touch()
    dataset = str(tmp_path / "out.zarr")
    record = annotate_with_null_engine(str(tmp_path / "videos"), dataset, LocalDask(workers=2))
    assert record.clips[Outcome.COMMITTED] == 12
    assert record.workers == 2
    artifacts = newest_artifacts(3)
    assert float(artifacts["annotate-progress"]) == 100.0
    assert "12 committed" in artifacts["annotate-collection"]
    assert "empty_file" in artifacts["annotate-failures"]

    found: AuditReport = audit(dataset)
    assert found.clean
    assert found.read_whole == 12
    assert list(found.not_done.values()) == [0]
    next((tmp_path / "out.zarr").glob("clips/*/*/*/depth/c/0/0/0")).unlink()
    damaged: State[AuditReport] = audit(dataset, return_state=True)
    assert damaged.is_failed()
    assert "depth" in newest_artifacts(2)["audit-findings"]


@flow(task_runner=PARTITION_THREADS)
def annotate_with_unforeseen_errors(source: str, destination: str) -> RunRecord:
    settings = null_settings(execution={"clips_per_batch": 2, "stop_after_unexpected": 3})
    run = Run.of(source, destination, settings, UnforeseenErrorEngine)
    return run_collection(run, ThisProcess(), clips_per_partition=4)


def test_a_flow_in_which_every_clip_fails_unforeseen_is_stopped(tmp_path: Path) -> None:
    write_scenes(tmp_path / "videos", count=1, frames=36)
    dataset = str(tmp_path / "out.zarr")
    with pytest.raises(RepeatedErrorsError, match="the driver is older"):
        annotate_with_unforeseen_errors(str(tmp_path / "videos"), dataset)
    assert easi3r.open_dataset(dataset).quarantined == ()


def newest_artifacts(count: int) -> dict[str, str]:
    """The last artifacts that any run made, by key."""
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(sort=ArtifactSort.CREATED_DESC, limit=count)
    return {artifact.key: str(artifact.data) for artifact in found}


def test_a_plan_says_what_is_pending(tmp_path: Path) -> None:
    write_scenes(tmp_path / "videos", count=1, frames=48)
    state = plan(str(tmp_path / "videos"), str(tmp_path / "out.zarr"), cluster=ThisProcess())
    assert (state.clips, state.pending, state.pending_frames) == (2, 2, 48)
    artifact = newest_artifacts(2)["plan-collection"]
    assert "| pending | 2 |" in artifact
    assert "| outdated_results | 0 |" in artifact


def test_errors_about_the_run_fail_the_flow(tmp_path: Path) -> None:
    write_scenes(tmp_path, count=1, frames=3)
    dataset = str(tmp_path / "out.zarr")
    with pytest.raises(UnreadableURLError):
        annotate_collection(str(tmp_path / "nowhere"), dataset, SETTINGS, ThisProcess())
    wrong = SETTINGS.model_copy(
        update={"model": SETTINGS.model.model_copy(update={"weights": "nonsense"})}
    )
    with pytest.raises(CheckpointError, match="nonsense"):
        annotate_collection(str(tmp_path), dataset, wrong, ThisProcess())


@pytest.mark.parametrize(
    ("error", "runs"),
    [
        (StorageUnavailableError("s3://b", "answered 503", "Wait"), 2),
        (EmptyFileError("a.mp4", "is empty", "Copy it again"), 1),
    ],
)
def test_a_task_runs_again_only_after_a_transient_error(error: Exception, runs: int) -> None:
    calls: list[int] = []

    @repeatable
    def fail() -> None:
        calls.append(1)
        raise error

    @flow
    def run() -> None:
        fail.with_options(retries=1, retry_delay_seconds=0)()

    with pytest.raises(type(error)):
        run()
    assert len(calls) == runs


def test_parameters_are_checked_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ParameterTypeError, match="clips_per_partition"):
        annotate_collection("a", "b", clips_per_partition=0)
