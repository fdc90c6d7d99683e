"""The flow on a real, ephemeral Prefect server: the same results as the command line's run."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from prefect import flow
from prefect.exceptions import ParameterTypeError
from prefect.testing.utilities import prefect_test_harness

import easi3r
from easi3r.collection import RunSummary
from easi3r.collection import annotate_collection as annotate_plainly
from easi3r.config import Settings
from easi3r.errors import (
    CheckpointError,
    EmptyFileError,
    StorageUnavailableError,
    UnreadableURLError,
)
from easi3r.types import Outcome
from flows.annotate import annotate_collection
from tasks.annotate import verb
from tasks.cluster import LocalDask, ThisProcess
from tests.scenes import write_scenes

pytestmark = pytest.mark.xdist_group("prefect")

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
    summary: RunSummary = annotate_collection(
        str(videos), by_flow, SETTINGS, LocalDask(workers=1), clips_per_partition=2
    )
    expected = annotate_plainly(str(videos), plainly, SETTINGS)
    assert summary.counts == expected.counts
    assert summary.counts[Outcome.COMMITTED] == 3
    assert summary.counts[Outcome.QUARANTINED] == 1
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
    assert again.counts[Outcome.SKIPPED] == 3
    assert again.frames == 0


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

    @verb
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
