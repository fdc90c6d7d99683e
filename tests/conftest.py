"""Fixtures every test may use. Array shapes of `easi3r` are checked by jaxtyping (pyproject)."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs

from tests.servers import moto_server, s3_environment

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real videos beside the repository; skips without it."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs {folder} (real videos, not part of the project)")
    return folder


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
