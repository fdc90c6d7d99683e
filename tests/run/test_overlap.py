"""Three steps of neighbouring items run at once, within bounds; errors stay with their item."""

import threading
from collections.abc import Callable
from contextlib import closing
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easi3r.run.overlap import overlapped

WAIT_SECONDS = 60  # only ever reached where the test fails


def reached(event: Event) -> None:
    assert event.wait(WAIT_SECONDS)


def identity(item: int) -> int:
    return item


def second(item: int, value: int) -> int:
    return value


class Failing:
    """A step that raises for some items."""

    def __init__(self, errors: dict[int, BaseException]) -> None:
        self.errors = errors

    def __call__(self, item: int, _: object = None) -> int:
        if item in self.errors:
            raise self.errors[item]
        return item


def test_the_next_is_prepared_and_the_last_finished_while_one_is_worked_on() -> None:
    began = {name: Event() for name in ("prepare 2", "work 1", "finish 0")}

    def meet(mine: str) -> None:
        """None of the three goes on before the other two are under way."""
        if mine in began:
            began[mine].set()
            for event in began.values():
                reached(event)

    def prepare(item: int) -> int:
        meet(f"prepare {item}")
        return item

    def work(item: int, value: int) -> int:
        meet(f"work {item}")
        return value

    def finish(item: int, value: int) -> int:
        meet(f"finish {item}")
        return value

    found = list(overlapped(range(4), prepare, work, finish, depth=1, ended=Event()))
    assert found == [(item, item) for item in range(4)]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_as_many_items_are_in_flight_as_the_bound_says_and_no_more(depth: int) -> None:
    bound = 2 * depth + 1
    lock, full = threading.Lock(), Event()
    going: set[int] = set()
    most = 0

    def prepare(item: int) -> int:
        nonlocal most
        with lock:
            going.add(item)
            most = max(most, len(going))
        if most == bound:
            full.set()
        return item

    def finish(item: int, value: int) -> int:
        reached(full)  # the slowest step: everything before it fills up
        return value

    for item, _ in overlapped(range(20), prepare, second, finish, depth=depth, ended=Event()):
        with lock:
            going.remove(item)
    assert most == bound


@settings(deadline=None, max_examples=25)
@given(
    count=st.integers(0, 8),
    depth=st.integers(1, 3),
    failing=st.dictionaries(st.integers(0, 7), st.sampled_from(["prepare", "work", "finish"])),
)
def test_every_item_comes_back_in_order_with_its_result_or_its_error(
    count: int, depth: int, failing: dict[int, str]
) -> None:
    def step(name: str) -> Failing:
        return Failing({item: ValueError(item) for item, where in failing.items() if where == name})

    steps = step("prepare"), step("work"), step("finish")
    found = list(overlapped(range(count), *steps, depth=depth, ended=Event()))
    assert [item for item, _ in found] == list(range(count))
    for item, answer in found:
        if item in failing:
            assert isinstance(answer, ValueError)
            assert answer.args == (item,)
        else:
            assert answer == item


@pytest.mark.parametrize("place", ["prepare", "work", "finish"])
def test_an_interrupt_in_any_step_ends_everything(place: str) -> None:
    ended = Event()
    interrupted = Failing({3: KeyboardInterrupt()})
    steps: dict[str, Callable[..., int]] = {"prepare": identity, "work": second, "finish": second}
    steps[place] = interrupted
    with pytest.raises(KeyboardInterrupt):
        list(overlapped(range(9), *steps.values(), depth=1, ended=ended))
    assert ended.is_set()
    assert threads() == set()


def test_closing_it_midway_stops_its_threads_and_wakes_who_waits() -> None:
    ended, prepared = Event(), []

    def prepare(item: int) -> int:
        prepared.append(item)
        return item

    def finish(item: int, value: int) -> int:
        if item == 1:
            reached(ended)  # as a write that waits for its store
        return value

    with closing(overlapped(range(99), prepare, second, finish, depth=1, ended=ended)) as items:
        assert next(items) == (0, 0)
    assert ended.is_set()
    assert threads() == set()
    assert len(prepared) <= 4


def threads() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith(("prepare", "finish"))}
