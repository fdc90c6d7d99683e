"""Waiting for a store that refuses for now: the batch pauses, says so, and goes on."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from easi3r.errors import DestinationFullError, StorageUnavailableError, TransientError
from easi3r.retries import backoff_seconds
from easi3r.run import metrics

Answer = TypeVar("Answer")

_LOGGER = logging.getLogger(__name__)


@dataclass
class StoragePatience:
    """Waits for a store that does not answer, refuses for now or is full.

    One for all that use the store: patience runs from the first refusal until the store answers
    somebody, so that it is not spent again on every clip.

    Attributes:
        url: of the store, for the log.
        seconds: how long to go on trying; 0 tries once.
        wait: waits so many seconds; True if the wait was cut short because all is to end, as
            `threading.Event.wait` says it.
        now: a clock that never goes back, in seconds.
    """

    url: str
    seconds: float
    wait: Callable[[float], bool]
    now: Callable[[], float] = time.monotonic
    _refused_since: float | None = field(default=None, init=False)

    def call(self, run: Callable[[], Answer]) -> Answer:
        """Run, again while the store refuses and patience lasts.

        Raises:
            StorageUnavailableError, DestinationFullError: patience is at its end, or all is.
        """
        failures = 0
        while True:
            try:
                answer = run()
            except (StorageUnavailableError, DestinationFullError) as error:
                failures += 1
                if not self._pause(error, failures):
                    raise
            else:
                if self._refused_since is not None:
                    _LOGGER.warning("%s answers again", self.url)
                    self._refused_since = None
                return answer

    def _pause(self, error: TransientError, failures: int) -> bool:
        """Wait before the next try; False if there is to be none."""
        now = self.now()
        since = self._refused_since
        if since is None:
            since = self._refused_since = now
        left = since + self.seconds - now
        if left <= 0:
            return False
        seconds = min(left, backoff_seconds(failures))
        _LOGGER.warning(
            "paused: waiting %.1f s for the store, giving up in %.0f s: %s", seconds, left, error
        )
        with metrics.PAUSED.track_inprogress():
            return not self.wait(seconds)
