"""Annotated clips as Zarr on a local disk or object storage (schema 1).

Writers: `prepare_dataset`, then `write_clip` per clip; a clip is visible once its commit record
is there, and only then. Readers: `open_dataset`, `ClipWindows` for few frames of many clips (as
tensors: `easi3r.store.torch_windows`), `inspect`, `query`, or plain zarr and xarray.
Permanent failures go to the quarantine. Maintenance: `audit`, `collect_garbage`, `prune`,
`requeue`, `update_index`.
"""

from easi3r.store.auditing import AuditReport, audit
from easi3r.store.commits import CommitRecord, StoredObject
from easi3r.store.findings import Finding, Kind
from easi3r.store.garbage import Collected, collect_garbage
from easi3r.store.index import IndexUpdate, has_index, rebuild_index, update_index
from easi3r.store.index_trust import TrustUpdate, update_trust
from easi3r.store.pruning import made_by, newest, prune, superseded
from easi3r.store.quarantine_records import (
    UNEXPECTED,
    QuarantineRecord,
    clear_quarantine,
    quarantine,
    quarantine_id_of_video,
    quarantine_record,
    quarantined_ids,
    read_quarantine,
)
from easi3r.store.querying import open_index, query
from easi3r.store.read import Dataset, open_dataset
from easi3r.store.requeueing import choose, quarantine_records, quarantined_by_reason, requeue
from easi3r.store.result_set import (
    ResultSet,
    committed_set,
    pack_clip_ids,
    quarantined_set,
    result_names,
    unpack_clip_ids,
)
from easi3r.store.schema import SCHEMA_VERSION, VARIABLES, Variable, result_id, result_name
from easi3r.store.summary import DatasetSummary, first_clips, inspect
from easi3r.store.window import Window
from easi3r.store.windows import ClipWindows
from easi3r.store.write import (
    Written,
    committed_results,
    is_committed,
    prepare_dataset,
    write_clip,
)

__all__ = [
    "SCHEMA_VERSION",
    "UNEXPECTED",
    "VARIABLES",
    "AuditReport",
    "ClipWindows",
    "Collected",
    "CommitRecord",
    "Dataset",
    "DatasetSummary",
    "Finding",
    "IndexUpdate",
    "Kind",
    "QuarantineRecord",
    "ResultSet",
    "StoredObject",
    "TrustUpdate",
    "Variable",
    "Window",
    "Written",
    "audit",
    "choose",
    "clear_quarantine",
    "collect_garbage",
    "committed_results",
    "committed_set",
    "first_clips",
    "has_index",
    "inspect",
    "is_committed",
    "made_by",
    "newest",
    "open_dataset",
    "open_index",
    "pack_clip_ids",
    "prepare_dataset",
    "prune",
    "quarantine",
    "quarantine_id_of_video",
    "quarantine_record",
    "quarantine_records",
    "quarantined_by_reason",
    "quarantined_ids",
    "quarantined_set",
    "query",
    "read_quarantine",
    "rebuild_index",
    "requeue",
    "result_id",
    "result_name",
    "result_names",
    "superseded",
    "unpack_clip_ids",
    "update_index",
    "update_trust",
    "write_clip",
]
