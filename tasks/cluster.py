"""Where the work runs: this process, a Dask cluster of this machine, or an existing one."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal, TypeVar

import torch
from distributed import Client, KilledWorker, Nanny, Scheduler, SpecCluster, as_completed
from pydantic import BaseModel, ConfigDict, Field

from easi3r.collection import Executor, InProcess
from easi3r.errors import WorkerLostError

Item = TypeVar("Item")
Answer = TypeVar("Answer")

LOOPBACK = "127.0.0.1"  # a cluster of this machine is no other machine's business
SCHEDULER_OPTIONS = {"host": LOOPBACK, "dashboard": False, "dashboard_address": ":0"}


class _Cluster(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ThisProcess(_Cluster):
    """No Dask: one item after the other, in the process of the flow."""

    kind: Literal["this_process"] = "this_process"


class LocalDask(_Cluster):
    """A Dask cluster of this machine, started for the run.

    `workers` None: one per GPU, or one per core where there is none. Each sees one GPU at most.
    """

    kind: Literal["local_dask"] = "local_dask"
    workers: Annotated[int, Field(ge=1)] | None = None


class ExistingDask(_Cluster):
    """A Dask cluster that is already running, by the address of its scheduler."""

    kind: Literal["existing_dask"] = "existing_dask"
    address: str


Cluster = Annotated[ThisProcess | LocalDask | ExistingDask, Field(discriminator="kind")]


class DaskExecutor:
    """An `easi3r.collection.Executor` on a Dask client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def map(
        self, function: Callable[[Item], Answer], items: Sequence[Item]
    ) -> Iterator[tuple[Item, Answer | WorkerLostError]]:
        """See `easi3r.collection.Executor.map`.

        A future that kills its worker `distributed.scheduler.allowed-failures` times comes back
        as `WorkerLostError`; any other exception of the function is raised here.
        """
        # pure=False: equal arguments are still separate work, never an old answer.
        futures = {self._client.submit(function, item, pure=False): item for item in items}
        finished = as_completed(list(futures))
        try:
            for future in finished:
                item = futures.pop(future)
                try:
                    answer = future.result()
                except KilledWorker as error:
                    remedy = "Look at the log of the worker; run the input alone"
                    yield item, WorkerLostError("a task", str(error), remedy)
                else:
                    yield item, answer
        finally:
            self._client.cancel(list(futures))


@contextmanager
def _warnings_only(name: str) -> Iterator[None]:
    """A logger's news kept to warnings; Prefect would show every line of it in the run's log."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def open_executor(cluster: Cluster) -> Iterator[Executor]:
    """The executor of a cluster; one that was started here is closed with the block."""
    match cluster:
        case ThisProcess():
            yield InProcess()
        case ExistingDask(address=address):
            with Client(address) as client:
                yield DaskExecutor(client)
        case LocalDask(workers=workers):
            gpus = torch.cuda.device_count()
            count = workers or gpus or os.cpu_count() or 1
            with (
                _warnings_only("distributed"),
                SpecCluster(
                    scheduler={"cls": Scheduler, "options": SCHEDULER_OPTIONS},
                    workers=dict(enumerate(worker_specs(count, gpus))),
                ) as dask,
                Client(dask) as client,
            ):
                yield DaskExecutor(client)


def worker_specs(workers: int, gpus: int) -> list[dict[str, Any]]:
    """One process of one thread per worker; the GPUs, if any, dealt out in turn."""
    specs = []
    for number in range(workers):
        visible = {"CUDA_VISIBLE_DEVICES": str(number % gpus)} if gpus else {}
        options = {"host": LOOPBACK, "nthreads": 1, "env": visible}
        specs.append({"cls": Nanny, "options": options})
    return specs
