"""Commit records: what makes a written clip visible (docs/decisions/002-commit-records.md)."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from easi3r.errors import CorruptClipError
from easi3r.store.encode import finite_or_null
from easi3r.store.files import Files
from easi3r.store.schema import (
    COMMITS,
    SCHEMA_VERSION,
    commit_folder,
    commit_path,
    recorded_result,
    result_id,
    result_name,
)
from easi3r.types import ClipAnnotation


class StoredObject(BaseModel):
    """One object of a clip: its path within the attempt, its length and SHA-256 (hex)."""

    model_config = ConfigDict(frozen=True)

    name: str
    size: int
    sha256: str


class CommitRecord(BaseModel):
    """The commit record of one result of a clip, with all that a listing shows of it.

    Attributes:
        path: the Zarr group that holds it, below the dataset.
        owned_start, owned_stop: source frames [start, stop) that the clip owns.
        start_seconds, stop_seconds: presentation times of its first and last frame.
        quality: None where a figure does not exist.
        degraded: as in `ClipAnnotation`; records written before there was such a thing read as ().
        known_digest: as in `Provenance`; records written before there was such a thing read as
            None.
        trust, trust_reasons, trust_calibration: of `ClipAnnotation.trust`; None and () without.
        committed_at: by the writer's clock.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: int
    clip_id: str
    result_id: str
    path: str
    video_url: str
    video_fingerprint: str
    owned_start: int
    owned_stop: int
    stream_break: str | None
    start_seconds: float
    stop_seconds: float
    frames: int
    height: int
    width: int
    scale: str
    weights_name: str
    weights_sha256: str
    weights_licence: str
    code_version: str
    settings_digest: str
    device: str
    quality: dict[str, float | None]
    degraded: tuple[str, ...] = ()
    known_digest: str | None = None
    trust: float | None = None
    trust_reasons: tuple[str, ...] = ()
    trust_calibration: int | None = None
    committed_at: AwareDatetime
    objects: tuple[StoredObject, ...]

    @property
    def name(self) -> str:
        """As `committed_results` lists it."""
        return result_name(self.clip_id, self.result_id)

    @property
    def commit_path(self) -> str:
        """Where this record lies, below the dataset."""
        return commit_path(self.clip_id, self.result_id)

    @property
    def bytes(self) -> int:
        """What the clip takes in storage, without this record."""
        return sum(stored.size for stored in self.objects)


def make_record(annotation: ClipAnnotation, path: str, objects: dict[str, bytes]) -> CommitRecord:
    """The record that would commit these objects, written below `path`."""
    spec, provenance = annotation.spec, annotation.provenance
    height, width = annotation.images_shape
    trust = annotation.trust
    return CommitRecord(
        schema_version=SCHEMA_VERSION,
        clip_id=spec.clip_id,
        result_id=result_id(spec.clip_id, provenance.weights_sha256, provenance.settings_digest),
        path=path,
        video_url=spec.video_url,
        video_fingerprint=spec.video_fingerprint,
        owned_start=spec.owned_start,
        owned_stop=spec.owned_stop,
        stream_break=spec.stream_break,
        start_seconds=float(annotation.pts_seconds[0]),
        stop_seconds=float(annotation.pts_seconds[-1]),
        frames=len(annotation),
        height=height,
        width=width,
        scale=annotation.scale,
        weights_name=provenance.weights_name,
        weights_sha256=provenance.weights_sha256,
        weights_licence=provenance.weights_licence,
        code_version=provenance.code_version,
        settings_digest=provenance.settings_digest,
        device=provenance.device,
        quality=finite_or_null(annotation.reconstruction.quality),
        degraded=annotation.degraded,
        known_digest=provenance.known_digest,
        trust=None if trust is None else trust.value,
        trust_reasons=() if trust is None else trust.reasons,
        trust_calibration=None if trust is None else trust.calibration,
        committed_at=datetime.now(UTC),
        objects=tuple(
            StoredObject(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
            for name, data in objects.items()
        ),
    )


def read_record(files: Files, path: str) -> CommitRecord:
    """One commit record.

    Raises:
        FileNotFoundError: there is none.
        CorruptClipError: it is damaged.
    """
    return parse_record(files, path, files.get(path))


def parse_record(files: Files, path: str, data: bytes) -> CommitRecord:
    """A commit record.

    Raises:
        CorruptClipError: it is damaged, or of another schema.
    """
    try:
        return CommitRecord.model_validate_json(data)
    except ValidationError as error:
        problem = f"is no commit record of schema {SCHEMA_VERSION} ({error.error_count()} errors)"
        remedy = "Delete it and annotate the clip again"
        raise CorruptClipError(files.locate(path), problem, remedy) from error


def committed_names(files: Files) -> frozenset[str]:
    """Names of all committed results, from one listing and no other read."""
    return frozenset(filter(None, map(recorded_result, files.sizes(COMMITS))))


def records(files: Files) -> tuple[CommitRecord, ...]:
    """Every commit record of a dataset, by video, place in it, clip, then time of commit."""
    return _read(files, COMMITS, files.sizes(COMMITS))


def records_of(files: Files, clip_id: str) -> tuple[CommitRecord, ...]:
    """The commit records of one clip, the newest last."""
    folder = commit_folder(clip_id)
    names = [name for name in files.names(folder) if name.startswith(f"{clip_id}.")]
    return _read(files, folder, names)


def _read(files: Files, folder: str, names: Iterable[str]) -> tuple[CommitRecord, ...]:
    paths = [f"{folder}/{name}" for name in names if recorded_result(name)]
    parsed = [parse_record(files, path, data) for path, data in files.get_all(paths).items()]
    return tuple(
        sorted(
            parsed,
            key=lambda r: (r.video_url, r.owned_start, r.clip_id, r.committed_at, r.result_id),
        )
    )


def check_objects(files: Files, record: CommitRecord) -> dict[str, bytes]:
    """Read every object of a result back, and compare it with its record.

    Raises:
        CorruptClipError: an object is missing, or has another length or hash.
    """
    stored_bytes = files.get_all(f"{record.path}/{stored.name}" for stored in record.objects)
    contents = {}
    for stored in record.objects:
        path = f"{record.path}/{stored.name}"
        data = stored_bytes.get(path)
        if data is None:
            raise corrupt(files, record, f"{stored.name} is missing")
        if hashlib.sha256(data).hexdigest() != stored.sha256:
            problem = f"{stored.name} ({len(data)} bytes) differs from its recorded SHA-256"
            raise corrupt(files, record, problem)
        contents[stored.name] = data
    return contents


def corrupt(files: Files, record: CommitRecord, problem: str) -> CorruptClipError:
    """The error that says what is wrong with a result's objects."""
    subject = f"clip {record.clip_id} at {files.locate(record.path)}"
    remedy = f"Delete {record.commit_path}, if it exists, and annotate the clip again"
    return CorruptClipError(subject, problem, remedy)
