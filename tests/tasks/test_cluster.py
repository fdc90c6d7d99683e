"""Clusters as they are started for a run: real processes of this machine, jobs included."""

import importlib.util
import os

import dask
import pytest

from easi3r.errors import ClusterLostError, MissingPackageError, SettingsError
from easi3r.executor import InProcess
from tasks import dask_executor
from tasks.cluster import (
    ALLOCATOR,
    ExistingDask,
    JobQueueDask,
    KubernetesDask,
    LocalDask,
    ThisProcess,
    job_queue_cluster,
    open_executor,
    worker_specs,
)
from tests.servers import free_port


def double(number: int) -> int:
    return 2 * number


def test_this_process_needs_no_dask() -> None:
    with open_executor(ThisProcess()) as executor:
        assert isinstance(executor, InProcess)
        assert list(executor.map(double, [1, 2])) == [(1, 2), (2, 4)]


def test_a_local_cluster_has_the_workers_asked_for() -> None:
    with open_executor(LocalDask(workers=1)) as executor:
        assert sorted(executor.map(double, [1, 2, 3])) == [(1, 2), (2, 4), (3, 6)]
        assert executor.workers == 1


def allocation_and_profiling(names: list[str]) -> tuple[dict[str, str | None], bool]:
    found = {name: os.environ.get(name) for name in names}
    return found, dask.config.get("distributed.worker.profile.enabled")


def test_local_workers_keep_freed_memory_and_are_not_profiled() -> None:
    with open_executor(LocalDask(workers=1)) as executor:
        ((_, found),) = executor.map(allocation_and_profiling, [list(ALLOCATOR)])
    assert found == (ALLOCATOR, False)
    assert dask.config.get("distributed.worker.profile.enabled")  # of anybody else in this process


# dask-jobqueue's stand-in for a batch system leaves the pipes of its jobs to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_jobs_of_a_batch_system_run_one_item_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_executor, "SECONDS_BETWEEN_COUNTS", 0.2)
    cluster = JobQueueDask(system="local", jobs=1, cores=2, memory="1GB")
    with open_executor(cluster) as executor:
        assert sorted(executor.map(double, range(5))) == [(n, 2 * n) for n in range(5)]
        assert executor.workers == 1  # two cores, but one batch: its resource binds it


def test_a_job_asks_for_what_it_is_told_to() -> None:
    slurm = JobQueueDask(
        system="slurm",
        jobs=2,
        cores=8,
        memory="64GB",
        interface="lo",
        directives=("--gres=gpu:1",),
        prologue=("module load cuda",),
        options={"walltime": "04:00:00", "queue": "gpu"},
        lifetime_minutes=225,
    )
    # Its jobs are never submitted: this machine has no `sbatch`, and adaptation waits a second.
    with job_queue_cluster(slurm) as dask:
        dask.adapt(minimum=0, maximum=0)
        script = dask.job_script()
    for line in ("--gres=gpu:1", "module load cuda", "-t 04:00:00", "-p gpu", "--resources GPU=1"):
        assert line in script
    assert "--nthreads 8" in script
    assert "--lifetime 12825s --lifetime-stagger 675s" in script  # 225 minutes, and one in twenty


# A cluster object of dask-jobqueue that was refused cannot be collected without a complaint.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_option_that_the_system_does_not_take_is_named() -> None:
    cluster = JobQueueDask(
        system="slurm", jobs=1, cores=1, memory="1GB", options={"colour": "blue"}
    )
    with pytest.raises(SettingsError, match="colour"), open_executor(cluster):
        pass


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import dask

    address = f"tcp://127.0.0.1:{free_port()}"
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ClusterLostError, match=address),
        open_executor(ExistingDask(address=address)),
    ):
        pass


@pytest.mark.skipif(
    importlib.util.find_spec("dask_kubernetes") is not None, reason="dask-kubernetes is installed"
)
def test_kubernetes_names_the_package_it_needs() -> None:
    with (
        pytest.raises(MissingPackageError, match=r"easi3r\[kubernetes\]"),
        open_executor(KubernetesDask(image="example/easi3r:1", workers=1)),
    ):
        pass


@pytest.mark.parametrize(
    ("workers", "gpus", "visible"),
    [(2, 2, ["0", "1"]), (4, 2, ["0", "1", "0", "1"]), (2, 0, [None, None])],
)
def test_gpus_are_dealt_out_to_workers(workers: int, gpus: int, visible: list[str | None]) -> None:
    options = [spec["options"] for spec in worker_specs(workers, gpus)]
    assert [each.get("env", {}).get("CUDA_VISIBLE_DEVICES") for each in options] == visible
    assert all(each["nthreads"] == 1 for each in options)
    assert all(each.get("resources") == ({"GPU": 1} if gpus else None) for each in options)
