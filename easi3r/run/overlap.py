"""Three steps over many items at once: prepare the next, work on this one, finish the last one."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from threading import Event
from typing import TypeVar

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")
Worked = TypeVar("Worked")
Finished = TypeVar("Finished")


def overlapped(
    items: Iterable[Item],
    prepare: Callable[[Item], Prepared],
    work: Callable[[Item, Prepared], Worked],
    finish: Callable[[Item, Worked], Finished],
    *,
    depth: int,
    ended: Event,
) -> Generator[tuple[Item, Finished | Exception]]:
    """Each item with what finishing it gave, or with the exception of the step that failed.

    `prepare` runs in a thread of its own, `finish` in another, `work` in the caller's. Of the items
    that have begun and are not yielded, at most `depth` are before `work`, one in it, and `depth`
    behind it: what is slow holds up the rest, and memory stays bounded. Items keep their order.

    An exception that is no `Exception` (an interrupt, an exit) ends the iteration; so does closing
    the generator. What the threads are at is then completed, nothing new begins.

    Args:
        ended: set when the iteration ends for whatever reason, before the threads are waited for:
            a step that waits for something can wait on it.
    """
    waiting = iter(items)
    ahead: deque[tuple[Item, Future[Prepared]]] = deque()
    behind: deque[tuple[Item, Future[Finished]]] = deque()
    with _thread("prepare", ended) as preparing, _thread("finish", ended) as finishing:

        def prepare_more() -> None:
            for item in islice(waiting, depth - len(ahead)):
                ahead.append((item, preparing.submit(prepare, item)))

        def finish_later(item: Item, prepared: Future[Prepared]) -> Future[Finished]:
            try:
                worked = work(item, prepared.result())
            except Exception as error:  # it belongs to the item, and the others go on
                failed: Future[Finished] = Future()
                failed.set_exception(error)
                return failed
            return finishing.submit(finish, item, worked)

        def next_finished() -> tuple[Item, Finished | Exception]:
            item, future = behind.popleft()
            error = future.exception()
            return item, error if isinstance(error, Exception) else future.result()

        prepare_more()
        while ahead:
            item, prepared = ahead.popleft()
            prepare_more()
            future = finish_later(item, prepared)
            del prepared  # large, and not needed while its result is written
            behind.append((item, future))
            while len(behind) > depth or (behind and behind[0][1].done()):
                yield next_finished()
        while behind:
            yield next_finished()


@contextmanager
def _thread(name: str, ended: Event) -> Iterator[ThreadPoolExecutor]:
    executor = ThreadPoolExecutor(1, name)
    try:
        yield executor
    finally:
        ended.set()
        executor.shutdown(cancel_futures=True)
