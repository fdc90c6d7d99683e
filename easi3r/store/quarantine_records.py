"""Quarantine records: permanent failures with their reason, count and remedy."""

import hashlib
import logging
import platform
import re
import traceback
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from easi3r.errors import Easi3RError, StoreError
from easi3r.store.files import Files, files_at
from easi3r.store.schema import QUARANTINE, quarantine_path

_LOGGER = logging.getLogger(__name__)
UNEXPECTED = "unexpected"
"""The reason of an error that is none of ours."""

_PACKAGES = ("easi3r", "numpy", "torch", "av", "zarr", "fsspec", "s3fs")
_JSON = re.compile(r"[A-Za-z0-9._-]+\.json")


class QuarantineRecord(BaseModel):
    """One permanent failure: of a clip, or of a video that gave no clip.

    Attributes:
        id: the `result_name` of the result there is none of, or `quarantine_id_of_video`; the
            clip id alone in records of older versions.
        video_fingerprint: None where the video could not be read.
        reason: the stable word of the error (`Easi3RError.reason`), or `UNEXPECTED`.
        remedy: what the reader can do about it.
        environment: versions, host and device of the last failure.
        count: how often it was recorded, between `first_time` and `last_time`.
    """

    model_config = ConfigDict(frozen=True)

    id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")
    video_url: str
    video_fingerprint: str | None
    reason: str
    error_class: str
    message: str
    remedy: str
    traceback: str
    environment: dict[str, str]
    count: int = Field(ge=1)
    first_time: AwareDatetime
    last_time: AwareDatetime


def quarantine_id_of_video(video_url: str) -> str:
    """Id of the record of a video that gave no clip."""
    return f"video-{hashlib.sha256(video_url.encode()).hexdigest()[:32]}"


def quarantine_record(
    record_id: str,
    video_url: str,
    error: BaseException,
    *,
    video_fingerprint: str | None = None,
    device: str = "unknown",
) -> QuarantineRecord:
    """The record of a failure that just happened, on `device` where the caller knows it."""
    now = datetime.now(UTC)
    reason, remedy = UNEXPECTED, "Report it with this record: easi3r did not foresee it"
    if isinstance(error, Easi3RError):
        reason, remedy = error.reason, error.remedy
    return QuarantineRecord(
        id=record_id,
        video_url=video_url,
        video_fingerprint=video_fingerprint,
        reason=reason,
        error_class=type(error).__qualname__,
        message=str(error),
        remedy=remedy,
        traceback="".join(traceback.format_exception(error)),
        environment={**_environment(), "device": device},
        count=1,
        first_time=now,
        last_time=now,
    )


def _environment() -> dict[str, str]:
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    versions["host"] = platform.node()
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def quarantine(url: str, record: QuarantineRecord) -> QuarantineRecord:
    """Store a record, adding to the count of an earlier one of the same id; returns it as stored.

    Two writers recording the same id at once may count one failure too few; a record is always
    whole.

    Raises:
        UnwritableDestinationError, StorageUnavailableError: it could not be stored.
    """
    files = files_at(url)
    try:
        earlier = parse_quarantine_record(
            files, quarantine_path(record.id), files.get(quarantine_path(record.id))
        )
    except FileNotFoundError:
        stored = record
    except StoreError as broken:  # this failure must be recorded all the same
        _LOGGER.warning("overwritten: %s", broken)
        stored = record
    else:
        count = earlier.count + record.count
        stored = record.model_copy(update={"count": count, "first_time": earlier.first_time})
    files.put(quarantine_path(stored.id), stored.model_dump_json(indent=2).encode())
    return stored


def read_quarantine(url: str) -> tuple[QuarantineRecord, ...]:
    """Every record, by id.

    Raises:
        StoreError: one of them is not a quarantine record.
        StorageUnavailableError, UnreadableURLError: storage did not answer.
    """
    files = files_at(url)
    paths = [f"{QUARANTINE}/{name}" for name in files.sizes(QUARANTINE) if _JSON.fullmatch(name)]
    return tuple(
        parse_quarantine_record(files, path, data) for path, data in files.get_all(paths).items()
    )


def quarantined_ids(url: str) -> frozenset[str]:
    """Ids of every record, from one listing that reads none.

    Raises:
        StorageUnavailableError, UnreadableURLError: storage did not answer.
    """
    names = files_at(url).sizes(QUARANTINE)
    return frozenset(name.removesuffix(".json") for name in names if _JSON.fullmatch(name))


def clear_quarantine(url: str, record_id: str) -> None:
    """Delete a record, if there is one: the clip was committed after all, or is to be retried.

    Raises:
        UnwritableDestinationError, StorageUnavailableError: it could not be deleted.
    """
    files_at(url).delete(quarantine_path(record_id))


def parse_quarantine_record(files: Files, path: str, data: bytes) -> QuarantineRecord:
    """A quarantine record.

    Raises:
        StoreError: it is none.
    """
    try:
        return QuarantineRecord.model_validate_json(data)
    except ValidationError as error:
        problem = f"is not a quarantine record ({error.error_count()} errors)"
        raise StoreError(files.locate(path), problem, "Delete it") from error
