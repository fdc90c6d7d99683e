"""Executors on real Dask clusters: answers, errors, and a worker that keeps dying."""

import os
import signal

import pytest
from distributed import Client, LocalCluster
from pydantic import TypeAdapter, ValidationError

from easi3r.collection import InProcess
from easi3r.errors import EmptyFileError, WorkerLostError
from tasks.cluster import (
    Cluster,
    DaskExecutor,
    ExistingDask,
    LocalDask,
    ThisProcess,
    open_executor,
    worker_specs,
)


def double(number: int) -> int:
    return 2 * number


def refuse(number: int) -> int:
    raise EmptyFileError(f"{number}.mp4", "is empty", "Copy it again")


def kill_if_negative(number: int) -> int:
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_this_process_needs_no_dask() -> None:
    with open_executor(ThisProcess()) as executor:
        assert isinstance(executor, InProcess)
        assert list(executor.map(double, [1, 2])) == [(1, 2), (2, 4)]


@pytest.mark.xdist_group("dask")
def test_a_local_cluster_answers_and_raises() -> None:
    with open_executor(LocalDask(workers=1)) as executor:
        assert sorted(executor.map(double, [1, 2, 3])) == [(1, 2), (2, 4), (3, 6)]
        with pytest.raises(EmptyFileError, match=r"1\.mp4: is empty"):
            list(executor.map(refuse, [1]))


@pytest.mark.xdist_group("dask")
def test_a_worker_that_keeps_dying_is_told_apart() -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        open_executor(ExistingDask(address=cluster.scheduler_address)) as executor,
    ):
        ((_, lost),) = executor.map(kill_if_negative, [-1])
        assert isinstance(lost, WorkerLostError)
        assert list(executor.map(kill_if_negative, [1])) == [(1, 1)]


@pytest.mark.xdist_group("dask")
def test_leaving_early_cancels_what_is_left() -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        answers = DaskExecutor(client).map(double, list(range(50)))
        next(answers)
        answers.close()
        client.sync(client.scheduler.identity)
        assert not client.futures


@pytest.mark.parametrize(
    ("workers", "gpus", "visible"),
    [(2, 2, ["0", "1"]), (4, 2, ["0", "1", "0", "1"]), (2, 0, [None, None])],
)
def test_gpus_are_dealt_out_to_workers(workers: int, gpus: int, visible: list[str | None]) -> None:
    specs = worker_specs(workers, gpus)
    assert [spec["options"]["env"].get("CUDA_VISIBLE_DEVICES") for spec in specs] == visible
    assert all(spec["options"]["nthreads"] == 1 for spec in specs)


def test_clusters_are_told_apart_by_kind() -> None:
    adapter = TypeAdapter(Cluster)
    assert adapter.validate_python({"kind": "local_dask", "workers": 2}) == LocalDask(workers=2)
    with pytest.raises(ValidationError):
        adapter.validate_python({"kind": "local_dask", "workers": 0})
    with pytest.raises(ValidationError):
        adapter.validate_python({"kind": "existing_dask"})
