"""Where work runs: the protocol of executors, and the executor of one process.

Only items and results cross an executor; data goes through the store. The Dask executor is in
`tasks/`.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar, runtime_checkable

from easi3r.errors import WorkerLostError

Item = TypeVar("Item")
Result = TypeVar("Result")


@runtime_checkable
class Executor(Protocol):
    """Runs a function over items, in this process or elsewhere."""

    @property
    def workers(self) -> int:
        """Number of items that run at once now."""
        ...

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | WorkerLostError]]:
        """Each item with its result, or with the error of its lost workers; as they finish.

        Items are taken as workers get free, so the iterable may be long and lazy.

        Raises:
            ClusterLostError: the cluster is gone.
        """
        ...


class InProcess:
    """The executor without a cluster: this process, one item after the other.

    Threads may share one; their items take turns, since an engine serves one thread at a time.
    """

    workers = 1

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | WorkerLostError]]:
        """See `Executor.map`; no worker is lost here."""
        for item in items:
            with self._turn:
                result = function(item)
            yield item, result


def map_suspects_alone(
    executor: Executor, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[tuple[Item, Result | WorkerLostError]]:
    """As `Executor.map`, but an item that lost its worker runs once more, alone.

    Dask blames every task of a dying worker, also those that did not kill it.
    """
    suspects: list[Item] = []
    for item, result in executor.map(function, items):
        if isinstance(result, WorkerLostError):
            suspects.append(item)
        else:
            yield item, result
    for suspect in suspects:
        yield from executor.map(function, [suspect])
