"""Reading: `open_dataset` lists committed clips and opens each as an `xarray.Dataset`."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from easi3r.errors import ClipNotFoundError, NotADatasetError
from easi3r.geometry import fill_world_planes
from easi3r.store.commits import CommitRecord, check_objects, corrupt, records, records_of
from easi3r.store.files import Files, files_at
from easi3r.store.quarantine_records import QuarantineRecord, read_quarantine
from easi3r.store.result_set import committed_set
from easi3r.store.schema import VARIABLES
from easi3r.store.write import read_root

if TYPE_CHECKING:
    import xarray as xr

_POINT_MAP = next(variable for variable in VARIABLES if variable.name == "point_map")


@dataclass(frozen=True)
class Dataset:
    """The committed clips of a dataset; sees nothing that is not committed.

    Small and picklable: it holds no connection, so hand it to spawned workers as it is. Listings
    (`clips`, `results`) read every commit record, once, and are cached: for 10^6 clips query the
    index (`easi3r.query`). Opening or looking up a clip reads records of that clip alone.

    Attributes:
        url: the argument of `open_dataset`.
        attributes: of the root group: schema version, creator, licence note, settings.
    """

    url: str
    attributes: dict[str, Any]

    @cached_property
    def results(self) -> tuple[CommitRecord, ...]:
        """Every committed result, by video, place in it, clip, then time of commit."""
        return records(files_at(self.url))

    @cached_property
    def clips(self) -> tuple[CommitRecord, ...]:
        """The newest result of every clip, by video and place in it."""
        return tuple({record.clip_id: record for record in self.results}.values())

    @property
    def quarantined(self) -> tuple[QuarantineRecord, ...]:
        """The quarantine records: permanent failures, read anew at each access."""
        return read_quarantine(self.url)

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[str]:
        return (record.clip_id for record in self.clips)

    def __contains__(self, clip_id: object) -> bool:
        return isinstance(clip_id, str) and bool(records_of(files_at(self.url), clip_id))

    def __getitem__(self, clip_id: str) -> "xr.Dataset":
        """The newest result of a clip; as `open_clip`."""
        return self.open_clip(clip_id)

    def record(self, clip_id: str, result_id: str | None = None) -> CommitRecord:
        """The commit record of a clip: of the newest result, or of the one named.

        Raises:
            ClipNotFoundError: no such clip, or no such result of it.
        """
        results = records_of(files_at(self.url), clip_id)
        if not results:
            raise self._not_found(clip_id)
        if result_id is None:
            return results[-1]
        named = [record for record in results if record.result_id == result_id]
        if not named:
            subject = f"result {result_id} of clip {clip_id} of {self.url}"
            remedy = f"Its results: {', '.join(record.result_id for record in results)}"
            raise ClipNotFoundError(subject, "is not committed", remedy)
        return named[-1]

    def _not_found(self, clip_id: str) -> ClipNotFoundError:
        """The error for an unknown clip; names the nearest ids with the same first digits."""
        committed = {name.partition(".")[0] for name in committed_set(self.url)}
        alike = [known for known in committed if known[:2] == clip_id[:2]]
        near = difflib.get_close_matches(clip_id, sorted(alike), n=3, cutoff=0.0)
        remedy = f"Nearest ids: {', '.join(near)}" if near else "See `easi3r inspect`"
        problem = f"no such clip among {len(committed)} committed ones"
        return ClipNotFoundError(f"clip {clip_id} of {self.url}", problem, remedy)

    def open_clip(self, clip_id: str, result_id: str | None = None) -> "xr.Dataset":
        """A clip with labelled dimensions, units and provenance; values are read when used.

        Variables as in `easi3r.store.schema.VARIABLES`, optional ones where the clip has them;
        `point_map` is computed from depth, intrinsics and poses where the dataset does not store
        it.

        Raises:
            ClipNotFoundError: no such clip, or no such result of it.
            CorruptClipError: an object of it is missing or has another length.
        """
        import xarray as xr  # slow, and a run does without

        files = files_at(self.url)
        record = self.record(clip_id, result_id)
        _require_complete(files, record)
        store = files.zarr_store(record.path)
        opened = xr.open_zarr(store, consolidated=False, zarr_format=3, chunks={})
        complete = opened if "point_map" in opened else _with_point_map(opened)
        names = [v.name for v in VARIABLES if not v.optional or v.name in complete]
        return complete[names]

    def verify_clip(self, clip_id: str, result_id: str | None = None) -> None:
        """Read a clip whole and compare every object with its recorded SHA-256.

        Raises:
            ClipNotFoundError: no such clip, or no such result of it.
            CorruptClipError: names the object that is missing or differs.
        """
        check_objects(files_at(self.url), self.record(clip_id, result_id))


def open_dataset(url: str) -> Dataset:
    """Open a dataset for reading: a path or any fsspec URL.

    Endpoint and credentials of `s3://` come from the environment, see `easi3r.store.files`.

    Raises:
        NotADatasetError: nothing lies there, or no dataset of a schema this version reads.
        UnreadableURLError: no driver for the URL, or no permission.
        StorageUnavailableError: a transient failure.
    """
    try:
        return Dataset(url, read_root(files_at(url)))
    except FileNotFoundError as error:
        remedy = "Give the URL that was annotated into (`easi3r annotate SOURCE URL`)"
        raise NotADatasetError(url, "no dataset lies there", remedy) from error


def _require_complete(files: Files, record: CommitRecord) -> None:
    """One listing; without it Zarr would read a lost object as fill values, silently."""
    sizes = files.sizes(record.path)
    for stored in record.objects:
        if sizes.get(stored.name) != stored.size:
            size = sizes.get(stored.name, "none")
            problem = f"{stored.name} has {size} bytes, and {stored.size} were committed"
            raise corrupt(files, record, problem)


def _with_point_map(opened: "xr.Dataset") -> "xr.Dataset":
    import xarray as xr

    points = xr.apply_ufunc(
        _float32_point_map,
        opened.depth,
        opened.intrinsics,
        opened.camera_to_world,
        input_core_dims=[
            ["y", "x"],
            ["intrinsics_row", "intrinsics_column"],
            ["pose_row", "pose_column"],
        ],
        output_core_dims=[["y", "x", "xyz"]],
        join="exact",
        dask="parallelized",
        output_dtypes=[np.float32],
        dask_gufunc_kwargs={"output_sizes": {"xyz": 3}},
    )
    points.attrs = {
        "units": opened.depth.attrs["units"],
        "long_name": _POINT_MAP.long_name,
        "description": _POINT_MAP.description,
        "max_relative_error": 2.0**-24,
    }
    return opened.assign(point_map=points)


def _float32_point_map(
    depth: np.ndarray, intrinsics: np.ndarray, camera_to_world: np.ndarray
) -> np.ndarray:
    planes = np.empty((len(depth), 3, *depth.shape[1:]))
    fill_world_planes(planes, depth, intrinsics, camera_to_world)
    return planes.transpose(0, 2, 3, 1).astype(np.float32)
