"""The same dataset on every kind of storage: a local folder, fsspec's memory, a real S3 server."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs

from easi3r.store import prepare_dataset
from tests.servers import moto_server, s3_environment


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real S3 server, to which the environment of the whole session leads every client.

    One per session because s3fs keeps its connections, whatever the environment says later.
    """
    with (
        moto_server(tmp_path_factory.mktemp("moto") / "server.log") as endpoint,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in s3_environment(endpoint).items():
            patch.setenv(name, value)
        yield endpoint


@pytest.fixture
def bucket(s3_endpoint: str) -> str:
    """A new bucket."""
    name = f"bucket-{uuid.uuid4().hex}"
    s3fs.S3FileSystem().mkdir(name)
    return name


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
