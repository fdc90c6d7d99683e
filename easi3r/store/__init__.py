"""Annotated clips as Zarr on a local disk or object storage (schema 1).

Writers: `prepare_dataset`, then `write_clip` per clip; a clip is visible once its commit record
is there, and only then. Readers: `open_dataset`, `inspect`, or plain zarr and xarray. Failures
for good go to the quarantine.
"""

from easi3r.store.commits import CommitRecord, StoredObject
from easi3r.store.quarantine_records import (
    QuarantineRecord,
    clear_quarantine,
    quarantine,
    quarantine_id_of_video,
    quarantine_record,
    quarantined_ids,
    read_quarantine,
)
from easi3r.store.read import Dataset, open_dataset
from easi3r.store.schema import SCHEMA_VERSION, VARIABLES, Variable, result_id, result_name
from easi3r.store.summary import DatasetSummary, inspect
from easi3r.store.write import (
    Written,
    committed_results,
    is_committed,
    prepare_dataset,
    write_clip,
)

__all__ = [
    "SCHEMA_VERSION",
    "VARIABLES",
    "CommitRecord",
    "Dataset",
    "DatasetSummary",
    "QuarantineRecord",
    "StoredObject",
    "Variable",
    "Written",
    "clear_quarantine",
    "committed_results",
    "inspect",
    "is_committed",
    "open_dataset",
    "prepare_dataset",
    "quarantine",
    "quarantine_id_of_video",
    "quarantine_record",
    "quarantined_ids",
    "read_quarantine",
    "result_id",
    "result_name",
    "write_clip",
]
