"""The same dataset on every kind of storage: a local folder, fsspec's memory, a real S3 server."""

import uuid
from pathlib import Path

import pytest

from easi3r.store import prepare_dataset


@pytest.fixture(params=["local", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place where there is no dataset yet."""
    if request.param == "local":
        return str(tmp_path / "clips.zarr")
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex}/clips.zarr"
    return f"s3://{request.getfixturevalue('bucket')}/some/clips.zarr"


@pytest.fixture
def dataset_url(url: str) -> str:
    prepare_dataset(url, '{"store": {"mantissa_bits": 12}}')
    return url


@pytest.fixture
def local_url(tmp_path: Path) -> str:
    """A prepared dataset on the local disk."""
    url = str(tmp_path / "local.zarr")
    prepare_dataset(url, "{}")
    return url
