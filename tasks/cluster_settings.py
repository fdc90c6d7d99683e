"""Where the work runs, as a run's parameters say it: the models behind the form in Prefect's UI."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

GPU = "GPU"  # the Dask resource: a worker has one of it per batch that it may run at once


class _Cluster(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ThisProcess(_Cluster):
    """No Dask: one batch after the other, in the process of the flow."""

    kind: Literal["this_process"] = "this_process"


class LocalDask(_Cluster):
    """A Dask cluster of this machine, started for the run.

    `workers` None: one per GPU, or one per core where there is none. Each sees one GPU at most.
    """

    kind: Literal["local_dask"] = "local_dask"
    workers: Annotated[int, Field(ge=1)] | None = None


class ExistingDask(_Cluster):
    """A Dask cluster that is already running, by the address of its scheduler.

    `resource`: the Dask resource that each batch takes one of, where the workers were started with
    one (`dask worker --resources GPU=1`). None: a batch for each thread of each worker; start the
    workers with one thread then.
    """

    kind: Literal["existing_dask"] = "existing_dask"
    address: Annotated[str, Field(min_length=1)]
    resource: Annotated[str, Field(min_length=1)] | None = None


class JobQueueDask(_Cluster):
    """A Dask cluster of jobs of a batch system: `jobs` of them until the run ends.

    The scheduler is in the process of the flow, which must run where the jobs can reach it. One job
    is one worker with one GPU and one batch at a time; ask for the GPU in `directives`. What is not
    given here comes from dask-jobqueue's own configuration (`~/.config/dask/jobqueue.yaml`).

    Attributes:
        cores, memory: of one job; memory with its unit, as in `16GB`.
        interface: the network interface that jobs and scheduler meet on, such as `ib0`.
        directives: lines of the job's header, such as `--gres=gpu:1`.
        prologue: shell lines before the worker starts, such as `module load cuda`.
        options: other arguments of the system's cluster class: `queue`, `account`, `walltime` ..
        lifetime_minutes: after which a worker leaves by itself; a batch's time less than the
            walltime. A job that the system kills instead counts as a death of its batch.
    """

    kind: Literal["job_queue_dask"] = "job_queue_dask"
    system: Literal["slurm", "pbs", "sge", "lsf", "oar", "moab", "htcondor", "local"]
    jobs: Annotated[int, Field(ge=1)]
    cores: Annotated[int, Field(ge=1)]
    memory: Annotated[str, Field(pattern=r"^[0-9.]+ ?[kMGT]?i?B$")]
    interface: str | None = None
    directives: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    options: dict[str, str] = {}
    lifetime_minutes: Annotated[float, Field(gt=0)] | None = None


class KubernetesDask(_Cluster):
    """A Dask cluster of pods that the Dask operator of a Kubernetes cluster starts for the run.

    One pod is one worker with one batch at a time. `image` needs this package with its extra
    `flows`, in the versions of the flow's own process.

    Attributes:
        requests: of one worker's container, such as `{"memory": "16Gi", "nvidia.com/gpu": "1"}`;
            they are its limits too.
        environment: variables of scheduler and workers, such as those that lead to object storage.
    """

    kind: Literal["kubernetes_dask"] = "kubernetes_dask"
    image: Annotated[str, Field(min_length=1)]
    workers: Annotated[int, Field(ge=1)]
    namespace: str = "default"
    requests: dict[str, str] = {}
    environment: dict[str, str] = {}


Cluster = Annotated[
    ThisProcess | LocalDask | ExistingDask | JobQueueDask | KubernetesDask,
    Field(discriminator="kind"),
]
