"""A batch in trouble: storage that fails, devices too small, errors nobody foresaw.

On engines that cost nothing and on true storage, or on storage that fails when told to.
"""

import errno
import hashlib
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from prometheus_client import REGISTRY

import easi3r
from easi3r.config import Settings
from easi3r.errors import (
    CheckpointError,
    DeviceFaultError,
    OutOfMemoryError,
    UnwritableDestinationError,
)
from easi3r.run.engine import EngineFactory
from easi3r.run.run import Run
from easi3r.run.worker import annotate_batch
from easi3r.store import prepare_dataset, result_id, result_name
from easi3r.types import ClipAnnotation, ClipSpec, Frames, Outcome
from tests.engines import (
    INFERENCE_LOG,
    TROUBLED_CLIPS,
    WEIGHTS_SHA256,
    DeviceFaultEngine,
    NullEngine,
    OutOfMemoryEngine,
    TransientErrorEngine,
    inferences,
    null_settings,
)
from tests.store.faulty import failing

SETTINGS = null_settings(execution={"storage_patience_seconds": 600.0})
IMPATIENT = null_settings(execution={"storage_patience_seconds": 0.0})
WAIT_SECONDS = 60  # only ever reached where a test fails


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("easi3r.run.storage_pauses.backoff_seconds", lambda failures: 0.0)
    monkeypatch.setattr("easi3r.retries.backoff_seconds", lambda failures: 0.0)


@pytest.fixture
def specs(tmp_path: Path) -> tuple[ClipSpec, ...]:
    """Four clips of a file that no null engine opens, though a batch does hash it."""
    video = tmp_path / "video.mp4"
    video.write_bytes(b"not decoded here")
    fingerprint = hashlib.sha256(video.read_bytes()).hexdigest()
    return tuple(
        ClipSpec(
            str(video), fingerprint, (3 * i, 3 * i + 1), (0.3 * i, 0.3 * i + 0.1), 3 * i, 3 * i + 3
        )
        for i in range(4)
    )


@pytest.fixture
def computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    log = tmp_path / "inferences.log"
    monkeypatch.setenv(INFERENCE_LOG, str(log))
    return log


@pytest.fixture
def dataset(request: pytest.FixtureRequest) -> str:
    """On storage that fails when told to."""
    url = f"faulty://{request.node.name.replace('[', '-').replace(']', '')}"
    prepare_dataset(url, SETTINGS.model_dump_json())
    return url


def run(dataset: str, settings: Settings, load: EngineFactory) -> Run:
    return Run("videos", dataset, settings, load)


class FailingTimes:
    """A fault of writes to paths that hold some text: so many times, then no more."""

    def __init__(self, error: BaseException, times: int, where: str) -> None:
        self.error, self.times, self.where = error, times, where

    def __call__(self, path: str, data: bytes, mode: str) -> bytes:
        if self.where in path and self.times > 0:
            self.times -= 1
            raise self.error
        return data


PASSING = [
    TimeoutError("read timed out"),
    OSError(errno.EBUSY, "Please reduce your request rate"),
    OSError(errno.ENOSPC, "No space left on device"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__ + str(error)[:9])
@pytest.mark.parametrize("where", ["/depth/c/", "/commits/"])
def test_a_failed_write_is_written_again_and_not_computed_again(
    dataset: str, specs: tuple[ClipSpec, ...], computed: Path, error: OSError, where: str
) -> None:
    with failing(FailingTimes(error, times=7, where=where)):
        reports = annotate_batch(specs, run(dataset, SETTINGS, NullEngine))
    assert {report.outcome for report in reports} == {Outcome.COMMITTED}
    assert inferences(computed) == {spec.clip_id: 1 for spec in specs}
    for record in easi3r.open_dataset(dataset).results:
        easi3r.open_dataset(dataset).verify_clip(record.clip_id)


def test_a_clip_whose_store_stays_away_has_failed_and_the_next_run_makes_it(
    dataset: str, specs: tuple[ClipSpec, ...]
) -> None:
    broken = FailingTimes(OSError(errno.ENOSPC, "No space left"), times=2, where="/commits/")
    with failing(broken):
        reports = annotate_batch(specs, run(dataset, IMPATIENT, NullEngine))
    assert [report.outcome.value for report in reports] == ["failed"] * 2 + ["committed"] * 2
    assert {report.reason for report in reports} == {"destination_full", None}
    again = annotate_batch(specs, run(dataset, SETTINGS, NullEngine))
    assert [report.outcome.value for report in again] == ["committed"] * 2 + ["skipped"] * 2


def test_a_quarantine_record_that_cannot_be_kept_leaves_a_failure(
    dataset: str, specs: tuple[ClipSpec, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TROUBLED_CLIPS, specs[1].clip_id)
    with failing(FailingTimes(TimeoutError("no answer"), times=1, where="/quarantine/")):
        reports = annotate_batch(specs, run(dataset, IMPATIENT, OutOfMemoryEngine))
    outcomes = [report.outcome.value for report in reports]
    assert outcomes == ["committed", "failed", "committed", "committed"]
    assert "no memory for one pair" in str(reports[1].message)
    assert "no answer" in str(reports[1].message)


def test_a_store_that_refuses_for_good_ends_the_run(
    dataset: str, specs: tuple[ClipSpec, ...]
) -> None:
    denied = FailingTimes(PermissionError(errno.EACCES, "Access Denied"), 1, "/commits/")
    with failing(denied), pytest.raises(UnwritableDestinationError, match="Access Denied"):
        annotate_batch(specs, run(dataset, SETTINGS, NullEngine))


def test_a_transient_error_of_the_engine_is_tried_again(
    dataset: str, specs: tuple[ClipSpec, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TROUBLED_CLIPS, specs[2].clip_id)
    reports = annotate_batch(specs, run(dataset, SETTINGS, TransientErrorEngine))
    assert {report.outcome for report in reports} == {Outcome.COMMITTED}


def test_a_fault_of_the_device_ends_the_batch_and_blames_no_clip(
    dataset: str, specs: tuple[ClipSpec, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TROUBLED_CLIPS, specs[2].clip_id)
    with pytest.raises(DeviceFaultError, match="cuda:0: the device failed"):
        annotate_batch(specs, run(dataset, SETTINGS, DeviceFaultEngine))
    left = easi3r.open_dataset(dataset)
    assert set(left) <= {spec.clip_id for spec in specs[:2]}
    assert not left.quarantined
    again = annotate_batch(specs, run(dataset, SETTINGS, NullEngine))
    assert {report.outcome for report in again} <= {Outcome.COMMITTED, Outcome.SKIPPED}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, really mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs to mount a small file system ({done.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(file: Path) -> None:
    """Leave no room on the file's disk."""
    with file.open("wb", buffering=0) as written, suppress(OSError):
        while written.write(b"x" * 4096):
            pass


def test_a_full_disk_pauses_the_batch_until_somebody_makes_room(
    small_disk: Path, specs: tuple[ClipSpec, ...], computed: Path
) -> None:
    url, filler = str(small_disk / "out.zarr"), small_disk / "filler"
    prepare_dataset(url, SETTINGS.model_dump_json())
    fill(filler)
    pauses = []

    class MakeRoom(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            pauses.append(record.getMessage())
            filler.unlink(missing_ok=True)

    logger, handler = logging.getLogger("easi3r.run.storage_pauses"), MakeRoom()
    logger.addHandler(handler)
    try:
        reports = annotate_batch(specs, run(url, SETTINGS, NullEngine))
    finally:
        logger.removeHandler(handler)
    assert {report.outcome for report in reports} == {Outcome.COMMITTED}
    assert pauses[0].startswith("paused: waiting")
    assert "No space left on device" in pauses[0]
    assert inferences(computed) == {spec.clip_id: 1 for spec in specs}
    assert not list(Path(url).rglob("*.partial"))
    attempts = [path for path in Path(url).glob("clips/*/*/*") if path.is_dir()]
    assert len(attempts) == len(specs)  # what the full disk tore is gone


def test_a_full_disk_refuses_a_run_before_it_begins(small_disk: Path) -> None:
    fill(small_disk / "filler")
    with pytest.raises(UnwritableDestinationError, match="No space left on device"):
        prepare_dataset(str(small_disk / "out.zarr"), SETTINGS.model_dump_json())


MEETING: dict[str, Event] = {}


class MeetingEngine(NullEngine):
    """Computes the second clip only while the third is being decoded."""

    def decode(self, spec: ClipSpec, settings: Settings) -> Frames:
        if spec.owned_start == 6:
            meet("decode third")
        return super().decode(spec, settings)

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        if spec.owned_start == 3:
            meet("compute second")
        return super().annotate(spec, frames, settings)


def meet(mine: str) -> None:
    """Returns once all who are to meet have come."""
    MEETING[mine].set()
    for event in MEETING.values():
        assert event.wait(WAIT_SECONDS)


def test_the_next_is_decoded_and_the_last_written_while_one_is_computed(
    dataset: str, specs: tuple[ClipSpec, ...]
) -> None:
    MEETING.update({name: Event() for name in ("decode third", "compute second", "write first")})

    def write(path: str, data: bytes, mode: str) -> bytes:
        if specs[0].clip_id in path:
            meet("write first")
        return data

    with failing(write):
        reports = annotate_batch(specs, run(dataset, SETTINGS, MeetingEngine))
    assert [report.subject for report in reports] == [spec.clip_id for spec in specs]
    assert {report.outcome for report in reports} == {Outcome.COMMITTED}


class NarrowEngine(NullEngine):
    """Frames of 512 x 256 pixels, and a device for one pair, a window of 2 and 256 pixels."""

    tried: list[tuple[int, int, int]] = []  # noqa: RUF012  emptied by the test
    fits: tuple[int, int, int] = (1, 2, 256)

    def decode(self, spec: ClipSpec, settings: Settings) -> Frames:
        side = settings.video.long_side_px or 512
        return Frames(
            images=np.zeros((len(spec), side // 2, side, 3), np.uint8),
            pts_seconds=np.array(spec.pts_seconds),
            frame_index=np.array(spec.frame_index, np.int64),
            source_to_stored=np.eye(3),
        )

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        size = (settings.execution.pairs_per_batch, settings.graph.window, frames.images.shape[2])
        self.tried.append(size)
        if any(asked > fitting for asked, fitting in zip(size, self.fits, strict=True)):
            raise OutOfMemoryError("cuda:0", f"out of memory at {size}", "Take a larger device")
        return super().annotate(spec, frames, settings)


def test_out_of_memory_halves_pairs_then_window_then_resolution_and_says_so(
    dataset: str, specs: tuple[ClipSpec, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NarrowEngine, "tried", [])
    first, second = annotate_batch(specs[:2], run(dataset, SETTINGS, NarrowEngine))
    steps = [(8, 5, 512), (4, 5, 512), (2, 5, 512), (1, 5, 512), (1, 2, 512), (1, 1, 512)]
    steps.append((1, 1, 256))
    # The second clip begins with the pairs that fitted, and never with less of anything else.
    assert NarrowEngine.tried == [*steps, *steps[3:]]
    degraded = (
        "execution.pairs_per_batch 8 -> 1",
        "graph.window 5 -> 1",
        "video.long_side_px 512 -> 256",
    )
    assert first.degraded == second.degraded == degraded
    for spec in specs[:2]:
        opened = easi3r.open_dataset(dataset)
        record = opened.record(spec.clip_id)
        assert record.result_id == result_id(spec.clip_id, WEIGHTS_SHA256, SETTINGS.digest)
        assert record.degraded == degraded
        assert tuple(opened[spec.clip_id].attrs["degraded"]) == degraded


def test_what_fits_nowhere_is_quarantined_as_oom(
    dataset: str, specs: tuple[ClipSpec, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NarrowEngine, "tried", [])
    monkeypatch.setattr(NarrowEngine, "fits", (1, 1, 0))
    (report,) = annotate_batch(specs[:1], run(dataset, SETTINGS, NarrowEngine))
    assert (report.outcome, report.reason) == (Outcome.QUARANTINED, "oom")
    assert NarrowEngine.tried[-1] == (1, 1, 128)
    (record,) = easi3r.open_dataset(dataset).quarantined
    result = result_id(specs[0].clip_id, WEIGHTS_SHA256, SETTINGS.digest)
    assert record.id == result_name(specs[0].clip_id, result)
    assert "OutOfMemoryError" in record.traceback


class StoppingEngine(NullEngine):
    """Stops at the third clip with an error that the test chooses."""

    error: BaseException = KeyboardInterrupt()

    def annotate(self, spec: ClipSpec, frames: Frames, settings: Settings) -> ClipAnnotation:
        if spec.owned_start == 6:
            raise self.error
        return super().annotate(spec, frames, settings)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), CheckpointError("w.pth", "truncated", "Load it again")]
)
def test_what_ends_the_run_ends_the_batch_and_leaves_whole_clips(
    dataset: str,
    specs: tuple[ClipSpec, ...],
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(StoppingEngine, "error", error)
    with pytest.raises(type(error)):
        annotate_batch(specs, run(dataset, SETTINGS, StoppingEngine))
    opened = easi3r.open_dataset(dataset)
    assert set(opened) <= {spec.clip_id for spec in specs[:2]}
    for clip_id in opened:
        opened.verify_clip(clip_id)
    assert opened.quarantined == ()


def test_each_clip_is_one_line_of_json_and_counted(
    dataset: str,
    specs: tuple[ClipSpec, ...],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(TROUBLED_CLIPS, specs[0].clip_id)
    before = {name: REGISTRY.get_sample_value(*sample) or 0 for name, sample in SAMPLES.items()}
    with caplog.at_level(logging.INFO, logger="easi3r.clips"):
        reports = annotate_batch(specs, run(dataset, SETTINGS, OutOfMemoryEngine))
    lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == "easi3r.clips"]
    assert [line["clip_id"] for line in lines] == [report.subject for report in reports]
    lost, made = lines[0], lines[1]
    assert (lost["outcome"], lost["reason"], lost["frames"]) == ("quarantined", "oom", 0)
    assert (made["outcome"], made["frames"], made["device"]) == ("committed", 2, "null")
    assert made["bytes"] == reports[1].bytes_written > 0
    assert {"decode", "write"} <= set(made["seconds_by_stage"])
    assert made["result_id"] == result_id(specs[1].clip_id, WEIGHTS_SHA256, SETTINGS.digest)
    grown = {
        name: (REGISTRY.get_sample_value(*sample) or 0) - before[name]
        for name, sample in SAMPLES.items()
    }
    assert grown.pop("bytes") == sum(report.bytes_written for report in reports)
    assert grown == {"committed": 3, "oom": 1, "frames": 6}


SAMPLES: dict[str, tuple[str, dict[str, str]]] = {
    "committed": ("easi3r_clips_total", {"outcome": "committed", "reason": ""}),
    "oom": ("easi3r_clips_total", {"outcome": "quarantined", "reason": "oom"}),
    "frames": ("easi3r_frames_total", {}),
    "bytes": ("easi3r_written_bytes_total", {}),
}


def test_a_batch_on_another_engine_loads_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from easi3r.run.worker import annotate_batch; from easi3r.store import "
        "prepare_dataset; from easi3r.run.run import Run; from tests.engines import NullEngine, "
        "null_settings\n"
        f"url, settings = {str(tmp_path / 'out.zarr')!r}, null_settings()\n"
        "prepare_dataset(url, settings.model_dump_json())\n"
        "annotate_batch([], Run('', url, settings, NullEngine))\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
