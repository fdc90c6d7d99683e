"""Questions to the index, in SQL, by DuckDB; Arrow reads the files, so any fsspec URL will do."""

from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads

from easi3r.errors import SettingsError, StoreError
from easi3r.store.files import Files, files_at
from easi3r.store.index import COLUMNS
from easi3r.store.read import open_dataset
from easi3r.store.schema import INDEX
from easi3r.store.threads import in_threads


def open_index(url: str) -> pads.Dataset:
    """The index as a `pyarrow.dataset.Dataset`, read when used; columns of every part.

    Raises:
        StoreError: there is no index yet.
        NotADatasetError, UnreadableURLError, StorageUnavailableError: it could not be read.
    """
    open_dataset(url)
    files = files_at(url)
    names = [name for name in sorted(files.names(INDEX)) if name.endswith(".parquet")]
    if not names:
        remedy = f"Make it with `easi3r index {url}`"
        raise StoreError(url, "has no index", remedy)
    return _opened(files, names)


def query(
    url: str,
    expression: str = "true",
    columns: Sequence[str] = ("*",),
    limit: int | None = None,
) -> pa.Table:
    """Rows of the index for which an SQL expression over its columns holds.

    Args:
        expression: such as `frames >= 12 and median_reprojection_px < 1.5 and newest`.
        columns: names, or SQL expressions such as `sum(frames)`.
        limit: rows at most; None: all.

    Raises:
        SettingsError: DuckDB refuses the expression; says why.
        StoreError: there is no index yet.
    """
    clips = open_index(url)
    select = f"SELECT {', '.join(columns)} FROM clips WHERE ({expression})"
    if limit is not None:
        select += f" LIMIT {limit:d}"
    with duckdb.connect(config={"enable_external_access": "false"}) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.register("clips", clips)
        try:
            return connection.sql(select).to_arrow_table()
        except duckdb.Error as error:
            problem = " ".join(str(error).split("\n\nLINE")[0].split())
            remedy = f"Columns: {', '.join(clips.schema.names)}"
            subject = f"query {expression!r} for columns {', '.join(columns)}"
            raise SettingsError(subject, problem, remedy) from error


def _opened(files: Files, names: Sequence[str]) -> pads.Dataset:
    paths = [files.absolute(f"{INDEX}/{name}") for name in names]
    dataset = pads.dataset(paths, filesystem=files.fs, format="parquet")
    # Parts may have figures that others lack, and older parts lack columns.
    schemas = in_threads(lambda part: part.physical_schema, dataset.get_fragments())
    return dataset.replace_schema(pa.unify_schemas([*schemas, COLUMNS]).remove_metadata())
