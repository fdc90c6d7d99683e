"""The executor of one process, and the search for what kills workers."""

from collections.abc import Callable, Iterable, Iterator

from easi3r.errors import WorkerLostError
from easi3r.executor import Executor, InProcess, map_suspects_alone


class Crowded(InProcess):
    """Loses 3 always, and everything that runs beside it."""

    def map(
        self, function: Callable[[int], int], items: Iterable[int]
    ) -> Iterator[tuple[int, int | WorkerLostError]]:
        lost = WorkerLostError("a task", "killed its worker", "Look at the log")
        for item in items:
            yield item, lost if 3 in items else function(item)


def test_in_process_is_an_executor_and_keeps_order() -> None:
    assert isinstance(InProcess(), Executor)
    assert list(InProcess().map(lambda item: item * 2, [1, 2])) == [(1, 2), (2, 4)]


def test_items_blamed_for_a_lost_worker_run_again_alone() -> None:
    answers = dict(map_suspects_alone(Crowded(), lambda item: item * 2, [1, 2, 3, 4]))
    assert isinstance(answers.pop(3), WorkerLostError)
    assert answers == {1: 2, 2: 4, 4: 8}
