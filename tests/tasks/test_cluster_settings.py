"""Clusters as parameters: told apart by kind, checked before a run exists."""

import pytest
from pydantic import TypeAdapter, ValidationError

from tasks.cluster_settings import Cluster, ExistingDask, JobQueueDask, LocalDask

ADAPTER: TypeAdapter[Cluster] = TypeAdapter(Cluster)


def test_clusters_are_told_apart_by_kind() -> None:
    assert ADAPTER.validate_python({"kind": "local_dask", "workers": 2}) == LocalDask(workers=2)
    slurm = {"kind": "job_queue_dask", "system": "slurm", "jobs": 4, "cores": 8, "memory": "64GB"}
    assert ADAPTER.validate_python(slurm) == JobQueueDask(
        system="slurm", jobs=4, cores=8, memory="64GB"
    )
    existing = {"kind": "existing_dask", "address": "tcp://host:8786", "resource": "GPU"}
    assert ADAPTER.validate_python(existing) == ExistingDask(
        address="tcp://host:8786", resource="GPU"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "local_dask", "workers": 0},
        {"kind": "existing_dask"},
        {"kind": "existing_dask", "address": ""},
        {"kind": "job_queue_dask", "system": "cron", "jobs": 1, "cores": 1, "memory": "1GB"},
        {"kind": "job_queue_dask", "system": "pbs", "jobs": 1, "cores": 1, "memory": "plenty"},
        {"kind": "kubernetes_dask", "workers": 1},
        {"kind": "somewhere"},
    ],
)
def test_what_no_cluster_can_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(wrong)
