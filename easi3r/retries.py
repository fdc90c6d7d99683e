"""Retries of transient failures, with exponential backoff and jitter."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from easi3r.errors import OutOfMemoryError, TransientError

Result = TypeVar("Result")

_LOGGER = logging.getLogger(__name__)
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0


def backoff_seconds(failures: int) -> float:
    """Seconds to wait before the next attempt: exponential backoff with full jitter.

    Uniform between 0 and 0.5 s, 1 s, 2 s .. 30 s, so that workers that failed together do not
    retry together.

    Args:
        failures: number of failures in a row, >= 1.
    """
    longest = FIRST_WAIT_SECONDS * 2 ** min(failures - 1, 16)
    return random.uniform(0, min(LONGEST_WAIT_SECONDS, longest))


def with_backoff(
    run: Callable[[], Result], attempts: int, wait: Callable[[float], object] = time.sleep
) -> Result:
    """Call a function, and retry it after each transient failure.

    Args:
        run: what to call.
        attempts: number of calls at most, >= 1.
        wait: callback that sleeps for some seconds between two attempts.

    Raises:
        TransientError: that of the last attempt. Permanent failures are not retried, nor is
            `OutOfMemoryError`: the same size would not fit the next time either.
    """
    for failures in range(1, attempts):
        try:
            return run()
        except OutOfMemoryError:
            raise
        except TransientError as error:
            _LOGGER.warning("attempt %d of %d: %s", failures, attempts, error)
        wait(backoff_seconds(failures))
    return run()
