"""Whether one committed result is what its record says: objects, schema, values."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from easi3r.errors import DegenerateGeometryError
from easi3r.geometry import require_poses
from easi3r.store.checks import wrong_values
from easi3r.store.commits import CommitRecord
from easi3r.store.files import Files
from easi3r.store.findings import Finding, Kind
from easi3r.store.schema import UNIT_OF_LENGTH, VARIABLES, Variable

_IDENTITY_ERROR = 1e-6  # of the first pose; what rounding leaves is far below


def audit_result(files: Files, record: CommitRecord) -> tuple[Finding, ...]:
    """Findings about one result, every byte of it read; none if it is sound.

    Raises:
        StorageUnavailableError, UnreadableURLError: storage did not answer.
    """
    objects = files.get_all(f"{record.path}/{name}" for name in files.sizes(record.path))
    contents = {path.removeprefix(f"{record.path}/"): data for path, data in objects.items()}
    damage = [
        Finding(kind=kind, path=f"{record.path}/{name}", problem=problem)
        for kind, name, problem in _damage(record, contents)
    ]
    if any(finding.kind is not Kind.UNKNOWN_OBJECT for finding in damage):
        return tuple(damage)  # what damaged bytes decode to says nothing more
    wrong = [
        Finding(kind=kind, path=record.path, problem=problem)
        for kind, problem in _wrong_contents(record, contents)
    ]
    return tuple(damage + wrong)


def _damage(record: CommitRecord, contents: Mapping[str, bytes]) -> Iterator[tuple[Kind, str, str]]:
    for stored in record.objects:
        data = contents.get(stored.name)
        if data is None:
            yield Kind.MISSING_OBJECT, stored.name, f"{stored.size} bytes were committed"
        elif len(data) != stored.size:
            problem = f"{len(data)} bytes, and {stored.size} were committed"
            yield Kind.WRONG_LENGTH, stored.name, problem
        elif hashlib.sha256(data).hexdigest() != stored.sha256:
            yield Kind.WRONG_CHECKSUM, stored.name, f"not the SHA-256 {stored.sha256[:16]}.."
    for name in sorted(contents.keys() - {stored.name for stored in record.objects}):
        yield Kind.UNKNOWN_OBJECT, name, "not among the objects that were committed"


def _wrong_contents(
    record: CommitRecord, contents: Mapping[str, bytes]
) -> Iterator[tuple[Kind, str]]:
    make = default_buffer_prototype().buffer.from_bytes
    store = MemoryStore({name: make(data) for name, data in contents.items()}, read_only=True)
    try:
        group = zarr.open_group(store, mode="r", use_consolidated=False)
        attributes = dict(group.attrs)
        wanted = [variable for variable in VARIABLES if _stores(variable, attributes)]
        wrong = list(_wrong_attributes(record, attributes))
        shape = _shapes(record)
        for variable in wanted:
            wrong += _wrong_array(group, variable, shape, record.scale)
        if wrong:
            yield from ((Kind.WRONG_SCHEMA, problem) for problem in wrong)
            return
        for variable in wanted:  # one decoded array at a time: they are large
            values = np.asarray(group[variable.name][...])  # type: ignore[index]
            for problem in _wrong_array_values(record, attributes, variable.name, values):
                yield Kind.BAD_VALUES, problem
    except (ValueError, TypeError, KeyError, RuntimeError, OSError) as error:  # zarr's, of no Zarr
        yield Kind.WRONG_SCHEMA, f"zarr cannot read it ({type(error).__name__}: {error})"


def _stores(variable: Variable, attributes: Mapping[str, Any]) -> bool:
    """Whether a clip of these attributes has the array."""
    match variable.name:
        case "point_map":
            return attributes.get("point_map") == "stored"
        case "dynamic_mask_unrefined":
            return attributes.get("provenance", {}).get("refiner_sha256") is not None
    return True


def _shapes(record: CommitRecord) -> dict[str, int]:
    """Lengths of the dimensions that the record or the schema fixes."""
    fixed = dict.fromkeys(("pose_row", "pose_column"), 4)
    fixed |= dict.fromkeys(("intrinsics_row", "intrinsics_column", "xyz"), 3)
    return fixed | {"time": record.frames, "y": record.height, "x": record.width}


def _wrong_attributes(record: CommitRecord, attributes: Mapping[str, Any]) -> Iterator[str]:
    for name in ("schema_version", "clip_id", "result_id", "scale", "owned_start", "owned_stop"):
        value, expected = attributes.get(name), getattr(record, name)
        if value != expected:
            yield f"attribute {name} is {value!r}, and {expected!r} was committed"


def _wrong_array(
    group: zarr.Group, variable: Variable, lengths: Mapping[str, int], scale: str
) -> Iterator[str]:
    array = group.get(variable.name)
    if not isinstance(array, zarr.Array):
        yield f"{variable.name} is missing"
        return
    if array.dtype != np.dtype(variable.dtype):
        yield f"{variable.name} is {array.dtype}, not {np.dtype(variable.dtype)}"
    dims = getattr(array.metadata, "dimension_names", None)
    if dims != variable.dims:
        yield f"{variable.name} has dimensions {dims}, not {variable.dims}"
    expected = tuple(lengths.get(dim, n) for dim, n in zip(variable.dims, array.shape))
    if array.shape != expected or len(array.shape) != len(variable.dims):
        yield f"{variable.name} has shape {array.shape}, not {expected}"
    units = variable.units or UNIT_OF_LENGTH.get(scale)
    if array.attrs.get("units") != units:
        yield f"{variable.name} has units {array.attrs.get('units')!r}, not {units!r}"


def _wrong_array_values(
    record: CommitRecord, attributes: Mapping[str, Any], name: str, values: np.ndarray
) -> Iterator[str]:
    problems = list(wrong_values({name: values}))
    yield from problems
    if problems:
        return
    if name == "time" and (values[0], values[-1]) != (record.start_seconds, record.stop_seconds):
        yield f"time runs from {values[0]} to {values[-1]} s, unlike its record"
    if name == "camera_to_world":
        yield from _wrong_poses(values, are_known=bool(attributes.get("poses_given", True)))


def _wrong_poses(poses: np.ndarray, are_known: bool) -> Iterator[str]:
    try:
        require_poses("camera_to_world", poses)
    except DegenerateGeometryError as error:
        yield f"{error.subject} {error.problem}"
        return
    if not are_known and np.abs(poses[0] - np.eye(4)).max() > _IDENTITY_ERROR:
        yield "camera_to_world[0] is not the identity, though the poses were estimated"
