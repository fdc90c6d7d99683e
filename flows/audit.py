"""Audit a dataset: the flow that deployments run, on a schedule or by hand."""

from typing import Annotated

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.states import Completed, Failed, State
from pydantic import Field

from easi3r.run.run import absolute_location
from easi3r.store import AuditReport
from tasks.audit import audit_dataset, collect_garbage, rebuild_index

MOST_ROWS = 100  # of the table of findings


@flow(name="audit-dataset", validate_parameters=True)
def audit(
    url: str,
    sample: Annotated[int, Field(ge=0)] | None = None,
    older_than_seconds: Annotated[float, Field(ge=0)] = 3600.0,
    collect: bool = False,
    repair_index: bool = False,
) -> State[AuditReport]:
    """Check records, checksums, schema, values, quarantine and index of a dataset.

    Args:
        url: the dataset, on any fsspec URL.
        sample: read only so many results whole, chosen at random; empty: all of them.
        older_than_seconds: age from which an attempt without a record is an orphan; more than any
            writer takes, so that an audit may run beside a run.
        collect: first delete orphans and other leftovers.
        repair_index: first make the index anew.

    Returns:
        `Completed` without findings, else `Failed`, each with the report.
    """
    url = absolute_location(url)
    if collect:
        collect_garbage(url, older_than_seconds)
    if repair_index:
        rebuild_index(url)
    report = audit_dataset(url, sample, older_than_seconds)
    create_markdown_artifact(f"# {url}\n\n{report}", key="audit-dataset")
    if report.clean:
        return Completed(message=str(report), data=report)
    rows = [finding.model_dump(mode="json") for finding in report.findings[:MOST_ROWS]]
    create_table_artifact(rows, key="audit-findings")
    return Failed(message=str(report), data=report)
