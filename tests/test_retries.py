"""Errors that pass are tried again, a stated number of times, at growing random intervals."""

import random

import pytest

from easi3r.errors import (
    DeviceFaultError,
    EmptyFileError,
    OutOfMemoryError,
    StorageUnavailableError,
)
from easi3r.retries import LONGEST_WAIT_SECONDS, backoff_seconds, with_backoff


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, error: Exception, failures: int) -> None:
        self.error, self.failures, self.calls = error, failures, 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return self.calls


def test_transient_errors_are_retried_and_bounded() -> None:
    waits: list[float] = []
    flaky = Flaky(StorageUnavailableError("s3://b", "503", "Wait"), failures=2)
    assert with_backoff(flaky, attempts=3, wait=waits.append) == 3
    assert len(waits) == 2
    flaky.calls = 0
    with pytest.raises(StorageUnavailableError):
        with_backoff(flaky, attempts=2, wait=waits.append)
    assert (flaky.calls, len(waits)) == (2, 3)


@pytest.mark.parametrize(
    "error",
    [
        EmptyFileError("a.mp4", "no bytes", "Upload"),
        OutOfMemoryError("cuda:0", "full", "Less"),
        DeviceFaultError("cuda:0", "failed", "Look"),
    ],
    ids=lambda error: error.reason,
)
def test_permanent_failures_are_not_retried(error: Exception) -> None:
    flaky = Flaky(error, failures=1)
    with pytest.raises(type(error)):
        with_backoff(flaky, attempts=5, wait=lambda _: pytest.fail("waited"))
    assert flaky.calls == 1


def test_backoff_grows_to_a_bound_with_full_jitter() -> None:
    random.seed(0)
    for failures, longest in [(1, 0.5), (2, 1.0), (5, 8.0), (50, LONGEST_WAIT_SECONDS)]:
        waits = [backoff_seconds(failures) for _ in range(500)]
        assert 0 <= min(waits) < 0.05 * longest
        assert 0.95 * longest < max(waits) <= longest
