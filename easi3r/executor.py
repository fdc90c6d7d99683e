"""Where work runs: the protocol that supervisors speak, and the executor of one process.

Only items and answers cross an executor; data goes through the store. The Dask executor is in
`tasks/`.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar, runtime_checkable

from easi3r.errors import WorkerLostError

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@runtime_checkable
class Executor(Protocol):
    """Runs a function over items somewhere; answers come as they finish, in any order."""

    @property
    def workers(self) -> int:
        """How many items run at once now."""
        ...

    def map(
        self, function: Callable[[Item], Answer], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Answer | WorkerLostError]]:
        """Each item with its answer, or with the error if the worker under it kept dying.

        Items are taken from their iterable as workers get free, so it may be long and lazy.

        Raises:
            ClusterLostError: what the work runs on went away.
        """
        ...


class InProcess:
    """The executor of one person: everything here, one item after the other.

    Threads may share one; their items take turns, as an engine is no two threads' at once.
    """

    workers = 1

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def map(
        self, function: Callable[[Item], Answer], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Answer | WorkerLostError]]:
        """See `Executor.map`; nothing is lost here."""
        for item in items:
            with self._turn:
                answer = function(item)
            yield item, answer


def map_suspects_alone(
    executor: Executor, function: Callable[[Item], Answer], items: Iterable[Item]
) -> Iterator[tuple[Item, Answer | WorkerLostError]]:
    """As `Executor.map`, but what lost its worker runs once more with nothing beside it.

    Dask blames every task that waited on a dying worker, the innocent too.
    """
    suspects: list[Item] = []
    for item, answer in executor.map(function, items):
        if isinstance(answer, WorkerLostError):
            suspects.append(item)
        else:
            yield item, answer
    for suspect in suspects:
        yield from executor.map(function, [suspect])
