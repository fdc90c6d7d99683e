"""The flow of an evaluation: two Dask workers share it, and the second run computes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import flow
from prefect.states import State
from prefect.testing.utilities import prefect_test_harness

from easi3r.evaluation.dataset_evaluation import DatasetResult, Selection
from easi3r.evaluation.examination import OURS
from easi3r.evaluation.sequence_runs import Evaluation
from flows.annotate import PARTITION_THREADS
from flows.evaluate import run_evaluation
from tasks.cluster import Cluster, LocalDask, ThisProcess
from tests.engines import INFERENCE_LOG, inferences
from tests.evaluation.true_sequences import (
    SETTINGS,
    TruthEngine,
    give_answer,
    rendered,
    write_davis,
)
from tests.flows.test_annotate import newest_artifacts


@pytest.fixture(scope="module", autouse=True)
def prefect_server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=240):
        yield


@flow(task_runner=PARTITION_THREADS)
def evaluate_truth(root: Path, out: Path, cluster: Cluster) -> State[DatasetResult]:
    evaluation = Evaluation(out, SETTINGS, "paper", TruthEngine)
    return run_evaluation(Selection("davis", root), evaluation, cluster, 500)


def test_two_workers_share_an_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "inferences"
    monkeypatch.setenv(INFERENCE_LOG, str(log))
    clips = {name: rendered(seed, 4) for seed, name in enumerate("abcdef")}
    root, out = write_davis(tmp_path / "DAVIS", clips), tmp_path / "out"
    for name, clip in clips.items():
        give_answer(clip, out / "videos" / f"{name}.mkv")
    done: DatasetResult = evaluate_truth(root, out, LocalDask(workers=2))
    assert [one.name for one in done.results] == list("abcdef")
    assert all(one.values[OURS]["jf"] == 1 for one in done.results)
    assert len(inferences(log)) == 6
    processes = {line.split()[1] for line in log.read_text().splitlines()}
    assert len(processes) == 2
    assert "mean, ours" in newest_artifacts(1)["evaluate-dataset"]

    again: DatasetResult = evaluate_truth(root, out, ThisProcess())
    assert again.complete
    assert set(inferences(log).values()) == {1}
