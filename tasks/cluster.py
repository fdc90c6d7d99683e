"""From a cluster's settings to its executor: what is started for a run is closed after it."""

import importlib
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster

from easi3r.errors import ClusterLostError, MissingPackageError, SettingsError
from easi3r.executor import Executor, InProcess
from tasks.cluster_settings import (
    GPU,
    Cluster,
    ExistingDask,
    JobQueueDask,
    KubernetesDask,
    LocalDask,
    ThisProcess,
)
from tasks.dask_executor import DaskExecutor

__all__ = [
    "Cluster",
    "ExistingDask",
    "JobQueueDask",
    "KubernetesDask",
    "LocalDask",
    "ThisProcess",
    "open_executor",
]

LOOPBACK = "127.0.0.1"  # a cluster of this machine is no other machine's business
# Workers that a task may lose before the supervisor hears of it, less one. Dask's own 3 would
# kill four workers for every split of a batch that holds a poison clip.
ALLOWED_FAILURES = 1
SCHEDULER_OPTIONS = {
    "dashboard": False,
    "dashboard_address": ":0",
    "allowed_failures": ALLOWED_FAILURES,
}
# Dask has glibc give freed memory back at once, for programs that leak by fragmentation: here each
# tensor is then paid for in page faults, a third of the engine's time on small clips. These are the
# values that glibc arrives at by itself where nobody sets them.
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "67108864", "MALLOC_MMAP_THRESHOLD_": "33554432"}
# Of the processes that a local cluster starts. The profile, a look at every stack 100 times a
# second, is for a dashboard that is not there.
WORKER_CONFIGURATION = {
    "distributed.worker.profile.enabled": False,
    **{f"distributed.nanny.pre-spawn-environ.{name}": ALLOCATOR[name] for name in ALLOCATOR},
}
JOB_QUEUE_CLASSES = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
    "moab": "MoabCluster",
    "htcondor": "HTCondorCluster",
    "local": "LocalCluster",
}


@contextmanager
def open_executor(cluster: Cluster) -> Iterator[Executor]:
    """The executor of a cluster; one that was started here is closed with the block.

    Raises:
        ClusterLostError: no scheduler answers at the address.
        SettingsError, MissingPackageError: the cluster cannot be started as it is described.
    """
    match cluster:
        case ThisProcess():
            yield InProcess()
        case ExistingDask(address=address, resource=resource):
            with _connect(address) as client:
                yield DaskExecutor(client, resource)
        case LocalDask(workers=workers):
            import torch  # here, since it takes seconds and the other clusters do without

            gpus = torch.cuda.device_count()
            count = workers or gpus or os.cpu_count() or 1
            with _dask(local_cluster, count, gpus) as client:
                yield DaskExecutor(client, GPU if gpus else None)
        case JobQueueDask():
            with _dask(job_queue_cluster, cluster) as client:
                yield DaskExecutor(client, GPU)
        case KubernetesDask():
            with _dask(kubernetes_cluster, cluster) as client:
                yield DaskExecutor(client, GPU)


@contextmanager
def _dask(start: Callable[..., Any], *description: object) -> Iterator[Client]:
    with _warnings_only("distributed"), start(*description) as started, Client(started) as client:
        yield client


@contextmanager
def _connect(address: str) -> Iterator[Client]:
    try:
        client = Client(address)
    except (OSError, ValueError) as error:
        remedy = "Give the address that the scheduler prints, such as tcp://host:8786"
        raise ClusterLostError(address, f"no Dask scheduler answers ({error})", remedy) from error
    with client:
        yield client


def local_cluster(workers: int, gpus: int) -> SpecCluster:
    """A scheduler in this process and workers that are processes of this machine."""
    with dask.config.set(WORKER_CONFIGURATION):
        return SpecCluster(
            scheduler={"cls": Scheduler, "options": {"host": LOOPBACK, **SCHEDULER_OPTIONS}},
            workers=dict(enumerate(worker_specs(workers, gpus))),
        )


def worker_specs(workers: int, gpus: int) -> list[dict[str, Any]]:
    """One process of one thread per worker; the GPUs, if any, dealt out in turn."""
    specs = []
    for number in range(workers):
        options: dict[str, Any] = {"host": LOOPBACK, "nthreads": 1}
        if gpus:
            options["env"] = {"CUDA_VISIBLE_DEVICES": str(number % gpus)}
            options["resources"] = {GPU: 1}
        specs.append({"cls": Nanny, "options": options})
    return specs


def job_queue_cluster(cluster: JobQueueDask) -> SpecCluster:
    """A scheduler in this process and workers that are jobs of a batch system.

    Raises:
        MissingPackageError: dask-jobqueue is not installed.
        SettingsError: the system takes no such option.
    """
    # "local" is dask-jobqueue's own stand-in for a batch system, which its package does not export.
    module = "dask_jobqueue.local" if cluster.system == "local" else "dask_jobqueue"
    classes = _package(module, "jobqueue")
    options: dict[str, Any] = dict(cluster.options)
    # Left out where empty, so that dask-jobqueue's own configuration counts.
    if cluster.directives:
        options["job_extra_directives"] = list(cluster.directives)
    if cluster.prologue:
        options["job_script_prologue"] = list(cluster.prologue)
    scheduler = dict(SCHEDULER_OPTIONS)
    if cluster.interface:
        scheduler["interface"] = cluster.interface
    elif cluster.system == "local":
        scheduler["host"] = LOOPBACK
    try:
        started = getattr(classes, JOB_QUEUE_CLASSES[cluster.system])(
            cores=cluster.cores,
            memory=cluster.memory,
            processes=1,
            interface=cluster.interface,
            worker_extra_args=["--resources", f"{GPU}=1", *_lifetime(cluster)],
            scheduler_options=scheduler,
            **options,
        )
    except (TypeError, ValueError) as error:
        remedy = f"See the arguments of dask_jobqueue.{JOB_QUEUE_CLASSES[cluster.system]}"
        raise SettingsError("cluster.options", str(error), remedy) from error
    # Not `scale`: a job that ends before the run, at its walltime say, is followed by another.
    started.adapt(minimum_jobs=cluster.jobs, maximum_jobs=cluster.jobs)
    return started


def _lifetime(cluster: JobQueueDask) -> list[str]:
    """A worker that leaves by itself hands its batch on; one that is killed is held to blame.

    Not all at once: what a worker that leaves holds goes to another.
    """
    if cluster.lifetime_minutes is None:
        return []
    seconds = 60 * cluster.lifetime_minutes
    return ["--lifetime", f"{0.95 * seconds:.0f}s", "--lifetime-stagger", f"{seconds / 20:.0f}s"]


def kubernetes_cluster(cluster: KubernetesDask) -> Any:
    """A scheduler and workers that are pods, started by the Dask operator.

    Raises:
        MissingPackageError: dask-kubernetes is not installed.
    """
    operator = _package("dask_kubernetes.operator", "kubernetes")
    spec = operator.make_cluster_spec(
        name=f"easi3r-{uuid.uuid4().hex[:8]}",
        image=cluster.image,
        n_workers=cluster.workers,
        env={
            **ALLOCATOR,
            "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
            **cluster.environment,
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(ALLOWED_FAILURES),
        },
        worker_command=f"dask-worker --nthreads 1 --resources {GPU}=1",
    )
    # Here and not in `make_cluster_spec`, which would give the scheduler a GPU too.
    (container,) = spec["spec"]["worker"]["spec"]["containers"]
    container["resources"] = {"requests": cluster.requests, "limits": cluster.requests}
    return operator.KubeCluster(namespace=cluster.namespace, custom_cluster_spec=spec)


def _package(module: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        remedy = f"Install it: pip install 'easi3r[{extra}]'"
        raise MissingPackageError(module, f"is not installed ({error})", remedy) from error


@contextmanager
def _warnings_only(name: str) -> Iterator[None]:
    """Only warnings of a logger; Prefect would show every line of it in the run's log."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
