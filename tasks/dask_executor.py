"""Batches as Dask futures, a few per worker at a time."""

import itertools
import logging
import math
import os
import queue
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from typing import TypeVar

from dask.utils import funcname
from distributed import Client, Future, KilledWorker
from distributed.comm import CommClosedError

from easi3r.errors import ClusterLostError, DeviceFaultError, WorkerLostError

Item = TypeVar("Item")
Answer = TypeVar("Answer")

IN_FLIGHT_PER_WORKER = 2  # one runs, one waits on the worker: none idles while answers are read
SECONDS_BETWEEN_COUNTS = 5.0  # of the workers, which come and go
EXIT_CODE = 70  # of a worker whose device failed: EX_SOFTWARE of sysexits.h

_LOGGER = logging.getLogger(__name__)


def run_on_worker(function: Callable[[Item], Answer], item: Item) -> Answer:
    """Run a function over an item, in a worker.

    A fault of its device ends the worker's process: no other item could run in it, and only a new
    process gets a working context. Dask takes the worker for lost, and runs the item elsewhere.
    """
    try:
        return function(item)
    except DeviceFaultError:
        _LOGGER.critical("this worker ends: its device failed", exc_info=True)
        os._exit(EXIT_CODE)  # `sys.exit` would end a thread, and Dask would call it an error


class DaskExecutor:
    """An `easi3r.executor.Executor` on a Dask client; several threads may share one.

    Args:
        client: connected, synchronous.
        resource: the Dask resource that each item takes one of; None: a thread of a worker.
    """

    def __init__(self, client: Client, resource: str | None = None) -> None:
        self._client = client
        self._resource = resource
        self._workers = 0
        self._counted_at = -math.inf
        self._maps = itertools.count()

    @property
    def workers(self) -> int:
        """How many items can run at once now; counted anew every few seconds."""
        now = time.monotonic()
        if now - self._counted_at >= SECONDS_BETWEEN_COUNTS:
            self._workers, self._counted_at = self._count_workers(), now
        return self._workers

    def map(
        self, function: Callable[[Item], Answer], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Answer | WorkerLostError]]:
        """See `easi3r.executor.Executor.map`.

        Takes items as workers get free: at most `IN_FLIGHT_PER_WORKER` per worker are out, one at
        least. An item whose worker died more often than the scheduler's `allowed-failures` comes
        back as `WorkerLostError`; a fault of its device is such a death. Any other exception of the
        function is raised here. Closing the iterator cancels what has not started. Items of an
        earlier call go before those of a later.

        Raises:
            ClusterLostError: the scheduler went away.
        """
        waiting, priority = iter(items), -next(self._maps)
        running: dict[Future, Item] = {}
        finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
        try:
            while True:
                self._fill(function, waiting, running, finished, priority)
                if not running:
                    return
                try:
                    future = finished.get(timeout=SECONDS_BETWEEN_COUNTS)
                except queue.Empty:
                    self._check_connection()
                    continue
                yield running.pop(future), self._answer(future)
        finally:
            if running and self._client.status == "running":
                self._client.cancel(list(running))

    def _fill(
        self,
        function: Callable[[Item], Answer],
        waiting: Iterator[Item],
        running: dict[Future, Item],
        finished: "queue.SimpleQueue[Future]",
        priority: int,
    ) -> None:
        resources = {self._resource: 1} if self._resource else None
        while len(running) < IN_FLIGHT_PER_WORKER * max(1, self.workers):
            try:
                item = next(waiting)
            except StopIteration:
                return
            # A key of its own: equal arguments are still separate work, never an old answer.
            key = f"{funcname(function)}-{uuid.uuid4()}"
            future = self._client.submit(
                run_on_worker, function, item, key=key, resources=resources, priority=priority
            )
            running[future] = item
            future.add_done_callback(finished.put)

    def _answer(self, future: "Future[Answer]") -> Answer | WorkerLostError:
        try:
            return future.result()
        except KilledWorker as error:
            remedy = "Look at the log of the worker; run the input alone"
            return WorkerLostError("a task", str(error), remedy)
        except (CancelledError, CommClosedError) as error:
            raise self._lost(str(error)) from error

    def _count_workers(self) -> int:
        self._check_connection()
        try:
            # Not `scheduler_info`: it answers from a copy, which a timer of Dask's own overwrites
            # with one that lists few workers or none.
            identity = self._client.sync(self._client.scheduler.identity, n_workers=-1)
        except (OSError, CancelledError, ValueError) as error:
            raise self._lost(str(error)) from error
        workers = identity["workers"].values()
        if self._resource is None:
            return sum(worker["nthreads"] for worker in workers)
        return int(sum(worker["resources"].get(self._resource, 0) for worker in workers))

    def _check_connection(self) -> None:
        if self._client.status not in ("running", "connecting"):
            raise self._lost(f"the connection is {self._client.status}")

    def _lost(self, problem: str) -> ClusterLostError:
        address = self._client.scheduler.address if self._client.scheduler else "Dask scheduler"
        remedy = "See that the scheduler runs, then run again: what is committed stays"
        return ClusterLostError(address, f"the scheduler went away ({problem})", remedy)
