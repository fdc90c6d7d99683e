"""Trying again after failures that pass."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from easi3r.errors import OutOfMemoryError, TransientError

Answer = TypeVar("Answer")

_LOGGER = logging.getLogger(__name__)
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0


def backoff_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row: exponential, with full jitter.

    Uniform between 0 and 0.5 s, 1 s, 2 s .. 30 s, so that many workers that failed together do not
    return together.
    """
    longest = FIRST_WAIT_SECONDS * 2 ** min(failures - 1, 16)
    return random.uniform(0, min(LONGEST_WAIT_SECONDS, longest))


def with_backoff(
    run: Callable[[], Answer], attempts: int, wait: Callable[[float], object] = time.sleep
) -> Answer:
    """Run, again after each transient error, at most `attempts` times in all.

    Raises:
        TransientError: of the last attempt. Other errors are not retried, nor is running out of
            memory: the same size would not fit the next time either.
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
