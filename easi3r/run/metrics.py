"""Prometheus metrics of this process, in prometheus_client's default registry.

That registry is what a Dask worker serves at `/metrics` by itself; other processes serve it with
`serve`. Names and meanings: docs/watching.md.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, start_http_server

from easi3r.errors import SettingsError
from easi3r.types import ClipReport

CLIPS = Counter(
    "easi3r_clips", "Clips finished by this process, whatever the outcome.", ["outcome", "reason"]
)
FRAMES = Counter("easi3r_frames", "Frames of committed clips.")
BYTES = Counter("easi3r_written_bytes", "Bytes of committed clips in storage.")
DEGRADED = Counter("easi3r_degraded_clips", "Committed clips computed at a smaller size.")
STAGES = Counter("easi3r_stage_seconds", "Seconds spent on finished clips.", ["stage"])
PAUSED = Gauge("easi3r_paused", "Threads of this process that wait for the store.")


def count(report: ClipReport, seconds_by_stage: Mapping[str, float]) -> None:
    """Add a finished clip."""
    CLIPS.labels(outcome=report.outcome.value, reason=report.reason or "").inc()
    FRAMES.inc(report.frames)
    BYTES.inc(report.bytes_written)
    DEGRADED.inc(bool(report.degraded))
    for stage, seconds in seconds_by_stage.items():
        STAGES.labels(stage=stage).inc(seconds)


@contextmanager
def served(port: int) -> Iterator[None]:
    """Serve the metrics at `http://127.0.0.1:<port>/metrics` while the block runs.

    Raises:
        SettingsError: the port is taken, or not to be had.
    """
    try:
        server, thread = start_http_server(port, addr="127.0.0.1")
    except (OSError, OverflowError) as error:
        problem = f"cannot be listened on ({error})"
        raise SettingsError(f"port {port}", problem, "Choose another --metrics-port") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
