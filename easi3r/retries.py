"""Retries of transient failures, with exponential backoff and jitter."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from easi3r.errors import DeviceFaultError, OutOfMemoryError, TransientError

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


def may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed later in this process.

    Not after running out of memory, since the same size would not fit the next time either, nor
    after a fault of the device, which the process does not survive.
    """
    return isinstance(error, TransientError) and not isinstance(
        error, (DeviceFaultError, OutOfMemoryError)
    )


def with_backoff(
    run: Callable[[], Result], attempts: int, wait: Callable[[float], object] = time.sleep
) -> Result:
    """Call a function, and retry it after each transient failure.

    Args:
        run: what to call.
        attempts: number of calls at most, >= 1.
        wait: callback that sleeps for some seconds between two attempts.

    Raises:
        TransientError: that of the last attempt. Failures that cannot pass are not retried, see
            `may_pass`.
    """
    for failures in range(1, attempts):
        try:
            return run()
        except TransientError as error:
            if not may_pass(error):
                raise
            _LOGGER.warning("attempt %d of %d: %s", failures, attempts, error)
        wait(backoff_seconds(failures))
    return run()
