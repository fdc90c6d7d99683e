"""Writing: prepare a dataset, write a clip, verify it, commit it exactly once."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from easi3r.config import StoreSettings
from easi3r.errors import (
    DestinationFullError,
    Easi3RError,
    NotADatasetError,
    StorageUnavailableError,
    UnwritableDestinationError,
)
from easi3r.store.checks import check_annotation
from easi3r.store.commits import (
    CommitRecord,
    check_objects,
    committed_names,
    corrupt,
    make_record,
    read_record,
)
from easi3r.store.encode import clip_arrays, clip_attributes, decoded_differences, encode_clip
from easi3r.store.files import Files, files_at
from easi3r.store.schema import (
    FORMAT,
    LICENCE_NOTE,
    PROBE,
    ROOT,
    SCHEMA_VERSION,
    attempt_path,
    commit_path,
)
from easi3r.types import ClipAnnotation


@dataclass(frozen=True)
class Written:
    """The outcome of a write.

    Attributes:
        record: of the result that is now committed.
        created: False where another writer had committed the same result first; `record` is then
            that writer's, and nothing of this write remains.
    """

    record: CommitRecord
    created: bool


def prepare_dataset(url: str, settings_json: str) -> None:
    """Make sure that clips can be committed at `url`; creates the dataset if there is none.

    Idempotent, and safe from many processes. Tries out that the destination creates objects,
    refuses to create one twice (on which every commit relies) and deletes them.

    Args:
        settings_json: settings of the run that creates the dataset, for information; every
            clip carries its own.

    Raises:
        UnwritableDestinationError: refused, full, or writes there are not exclusive.
        NotADatasetError: other files lie there, or a dataset of another schema.
        StorageUnavailableError: a transient failure.
    """
    files = files_at(url)
    try:
        _prepare(files, settings_json)
    except DestinationFullError as error:  # only a run under way waits for space
        raise UnwritableDestinationError(error.subject, error.problem, error.remedy) from error


def _prepare(files: Files, settings_json: str) -> None:
    try:
        read_root(files)
        exists = True
    except FileNotFoundError:
        exists = False
        _require_empty(files)
    _probe(files)
    if exists:
        return
    attributes = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "creator": f"easi3r {version('easi3r')}",
        "created_at": datetime.now(UTC).isoformat(),
        "licence_note": LICENCE_NOTE,
        "settings": json.loads(settings_json),
    }
    root = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    try:
        files.put_new(ROOT, json.dumps(root, indent=2, allow_nan=False).encode())
    except FileExistsError:
        read_root(files)


def read_root(files: Files) -> dict[str, object]:
    """Attributes of a dataset's root group.

    Raises:
        FileNotFoundError: there is no Zarr group.
        NotADatasetError: it is not a dataset, or one of another schema.
    """
    try:
        attributes = json.loads(files.get(ROOT)).get("attributes", {})
        identity = (attributes.get("format"), attributes.get("schema_version"))
    except (ValueError, AttributeError) as error:
        problem = f"its {ROOT} is not Zarr metadata ({error})"
        raise NotADatasetError(files.url, problem, "Choose another URL") from error
    if identity[0] != FORMAT:
        problem = f"holds a Zarr group that is not an easi3r dataset (format {identity[0]!r})"
        raise NotADatasetError(files.url, problem, "Choose another URL")
    if identity[1] != SCHEMA_VERSION:
        problem = f"has schema version {identity[1]!r}, and this version reads {SCHEMA_VERSION}"
        remedy = "Use the easi3r version named by `creator` in its attributes, or another URL"
        raise NotADatasetError(files.url, problem, remedy)
    return attributes


def _require_empty(files: Files) -> None:
    """A dataset is not begun among other files: a mistyped URL would scatter it there."""
    try:
        others = [name for name in files.names("") if name != PROBE]
    except FileNotFoundError:  # no folder: the probe shows whether there may be one
        return
    if others:
        shown = ", ".join(sorted(others)[:3]) + (", .." if len(others) > 3 else "")
        problem = f"holds other things ({shown}), and no dataset"
        raise NotADatasetError(files.url, problem, "Choose an empty folder, or a new one")


def _probe(files: Files) -> None:
    path = f"{PROBE}/{uuid.uuid4().hex}"
    remedy = "Use a local disk with hard links, or an S3 store that honours If-None-Match"
    files.put_new(path, b"probe: may be deleted")
    try:
        files.put_new(path, b"probe: second write")
    except FileExistsError:
        return
    else:
        problem = "accepts a create-only write of an object that exists, so commits would clash"
        raise UnwritableDestinationError(files.url, problem, remedy)
    finally:
        files.delete(path)


def is_committed(url: str, clip_id: str, result_id: str) -> bool:
    """Whether this result of this clip is committed.

    Raises:
        StorageUnavailableError, UnreadableURLError: storage did not say.
    """
    return files_at(url).exists(commit_path(clip_id, result_id))


def committed_results(url: str) -> frozenset[str]:
    """The `result_name` of every committed result, from one listing.

    Raises:
        StorageUnavailableError, UnreadableURLError: storage did not say.
    """
    return committed_names(files_at(url))


def write_clip(url: str, annotation: ClipAnnotation, settings: StoreSettings) -> Written:
    """Write, read back, verify and commit one clip; of concurrent writers exactly one creates it.

    Until the commit record is there nothing is visible to readers. A failure before it deletes
    what was written; a killed process leaves an attempt that no reader sees.

    Raises:
        InvalidAnnotationError, DegenerateGeometryError: before anything is written.
        UnwritableDestinationError: permission denied, no such bucket.
        DestinationFullError: no space left.
        StorageUnavailableError: a transient failure.
        CorruptClipError: what was read back is not what was written.
    """
    check_annotation(annotation)
    files = files_at(url)
    arrays = clip_arrays(annotation, settings)
    objects = encode_clip(arrays, clip_attributes(annotation, settings), settings)
    path = attempt_path(annotation.spec.clip_id, uuid.uuid4().hex)
    record = make_record(annotation, path, objects)
    try:
        files.put_all({f"{path}/{name}": data for name, data in objects.items()})
        different = list(decoded_differences(check_objects(files, record), arrays))
        if different:
            raise corrupt(files, record, f"{', '.join(different)}: decoded values differ")
    except BaseException as error:
        _discard(files, record, error)
        raise
    return commit(files, record)


def commit(files: Files, record: CommitRecord) -> Written:
    """Put the commit record of a verified attempt, unless the result is committed already.

    An unclear outcome (a timeout after which the record may yet appear) leaves the attempt in
    place: an orphan costs space, a record without its attempt would be a lost clip.
    """
    try:
        files.put_new(record.commit_path, record.model_dump_json(indent=1).encode())
    except FileExistsError:
        pass  # ours all the same, if the driver sent it twice because the first response was lost
    except StorageUnavailableError as unclear:
        if not files.exists(record.commit_path):
            raise unclear
    except Easi3RError as refused:
        _discard(files, record, refused)
        raise
    else:
        return Written(record, created=True)
    winner = read_record(files, record.commit_path)
    if winner.path == record.path:
        return Written(record, created=True)
    files.delete_folder(record.path)
    return Written(winner, created=False)


def _discard(files: Files, record: CommitRecord, error: BaseException) -> None:
    """Delete a failed attempt if storage lets us; the error that led here is the one to report."""
    try:
        files.delete_folder(record.path)
    except Easi3RError as second:
        error.add_note(f"Its attempt stays as an invisible orphan: {second}")
