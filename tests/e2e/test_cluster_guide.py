"""docs/cluster.md, command by command: PostgreSQL, Prefect, SeaweedFS, Dask and a schedule."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.e2e.commands import environment
from tests.servers import free_port

GUIDE = REPOSITORY / "docs/cluster.md"
PORTS = (
    "POSTGRES_PORT",
    "PREFECT_PORT",
    "DASK_PORT",
    "S3_PORT",
    "MASTER_PORT",
    "VOLUME_PORT",
    "FILER_PORT",
)


def commands() -> list[str]:
    """The shell blocks of the guide but the first, which makes the environment we are in."""
    first, *rest = re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    assert first == "make setup && . .venv/bin/activate\n"
    return rest


def low_port() -> int:
    """A free port that leaves room for SeaweedFS's second one, 10000 above."""
    while (port := free_port()) > 50000:
        pass
    return port


@pytest.fixture
def postgres_folder() -> Iterator[Path]:
    """Where PostgreSQL, which runs as another user where we are root, may keep its data."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("needs PostgreSQL with its extensions (apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="easi3r-postgres-", dir="/var/tmp"))
    try:
        yield folder
    finally:
        pid_file = folder / "data/postmaster.pid"
        if pid_file.exists():  # the guide was left midway
            os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGQUIT)
        shutil.rmtree(folder)


def test_the_guide_leads_to_a_scheduled_deployment(tmp_path: Path, postgres_folder: Path) -> None:
    ports = {name: str(low_port()) for name in PORTS}
    # m: jobs are their own, as in the shell of a reader; without it they would ignore SIGINT.
    script = "set -emuxo pipefail\n" + "\n".join(commands())
    process = subprocess.Popen(
        ["bash", "-c", script],
        env=environment(
            FOLDER=str(tmp_path / "guide"),
            POSTGRES_FOLDER=str(postgres_folder),
            PYTHONPATH=os.pathsep.join(
                [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
            ),
            **ports,
        ),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=540)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    logs = "\n".join(
        f"--- {log.name}\n{log.read_text()[-2000:]}" for log in tmp_path.glob("guide/*.log")
    )
    assert process.returncode == 0, said + logs
    assert "0 2 * * *" in said
    assert len(re.findall(r"annotate-collection.*SCHEDULED", said)) > 1, said
    assert "Completed" in said
    assert "2 of 2 videos, 16 frames" in said, said
