"""A store that refuses is waited for, once for all, and not for ever."""

from collections.abc import Callable

import pytest

from easi3r.errors import CorruptClipError, DestinationFullError, StorageUnavailableError
from easi3r.run import metrics
from easi3r.run.storage_pauses import StoragePatience

DOWN = StorageUnavailableError("s3://bucket/out.zarr", "503 Slow Down", "Wait")
FULL = DestinationFullError("/data/out.zarr", "no space left", "Free some")


class FakeTime:
    """A clock that only waiting moves; `ended` cuts the next wait short."""

    def __init__(self) -> None:
        self.seconds, self.ended, self.paused = 0.0, False, 0.0

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> bool:
        self.paused = max(self.paused, metrics.PAUSED._value.get())
        self.seconds += seconds
        return self.ended

    def patience(self, seconds: float) -> StoragePatience:
        return StoragePatience("s3://bucket/out.zarr", seconds, self.wait, self.now)


def until(time: FakeTime, seconds: float, error: Exception) -> Callable[[], float]:
    """Fails until the clock is past some time, then tells it."""

    def run() -> float:
        if time.seconds < seconds:
            raise error
        return time.seconds

    return run


@pytest.mark.parametrize("error", [DOWN, FULL], ids=lambda error: error.reason)
def test_a_store_that_comes_back_is_waited_for_and_the_log_says_so(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    time = FakeTime()
    assert time.patience(600.0).call(until(time, 90, error)) >= 90
    first, *_, last = caplog.messages
    assert first.startswith("paused: waiting")
    assert "giving up in 600 s" in first
    assert str(error) in first
    assert last == "s3://bucket/out.zarr answers again"
    assert time.paused == 1
    assert metrics.PAUSED._value.get() == 0


def test_patience_ends_exactly_when_it_is_said_to() -> None:
    time = FakeTime()
    with pytest.raises(StorageUnavailableError):
        time.patience(60.0).call(until(time, 1e9, DOWN))
    assert time.seconds == pytest.approx(60)


def test_patience_is_spent_once_and_not_again_for_every_clip() -> None:
    time = FakeTime()
    patience = time.patience(60.0)
    for _ in range(3):
        with pytest.raises(StorageUnavailableError):
            patience.call(until(time, 1e9, DOWN))
    assert time.seconds == pytest.approx(60)
    assert patience.call(lambda: "back") == "back"
    with pytest.raises(StorageUnavailableError):
        patience.call(until(time, 1e9, DOWN))
    assert time.seconds == pytest.approx(120)


def test_the_end_of_the_batch_ends_a_wait() -> None:
    time = FakeTime()
    time.ended = True
    with pytest.raises(StorageUnavailableError):
        time.patience(600.0).call(until(time, 1e9, DOWN))
    assert time.seconds < 1


def test_what_waiting_does_not_mend_is_raised_at_once() -> None:
    time = FakeTime()
    with pytest.raises(CorruptClipError):
        time.patience(600.0).call(until(time, 1, CorruptClipError("clip", "differs", "Delete it")))
    assert time.seconds == 0
