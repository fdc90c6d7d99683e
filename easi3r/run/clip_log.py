"""One line of JSON for every clip, on the logger `easi3r.clips` (docs/watching.md)."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from easi3r.errors import SettingsError
from easi3r.types import ClipReport

LOGGER = logging.getLogger("easi3r.clips")


def log_clip(
    report: ClipReport, result_id: str, device: str, seconds_by_stage: Mapping[str, float]
) -> None:
    """Log what became of a clip: at level INFO, or WARNING where it has no result."""
    level = logging.WARNING if report.outcome.is_trouble else logging.INFO
    if not LOGGER.isEnabledFor(level):
        return
    line = {
        "clip_id": report.subject,
        "result_id": result_id,
        "url": report.video_url,
        "outcome": report.outcome.value,
        "reason": report.reason,
        "message": report.message,
        "frames": report.frames,
        "bytes": report.bytes_written,
        "seconds": round(report.seconds, 3),
        "seconds_by_stage": {stage: round(value, 3) for stage, value in seconds_by_stage.items()},
        "degraded": list(report.degraded),
        "device": device,
        "pid": os.getpid(),
    }
    LOGGER.log(level, "%s", json.dumps(line, ensure_ascii=False))


@contextmanager
def logged_to(file: Path) -> Iterator[None]:
    """Append the lines of this process to a file while the block runs.

    Raises:
        SettingsError: the file cannot be written.
    """
    try:
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        problem = f"cannot be written ({error})"
        raise SettingsError(str(file), problem, "Choose another file for --clip-log") from error
    before = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.setLevel(before)
        LOGGER.removeHandler(handler)
        handler.close()
