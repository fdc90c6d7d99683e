"""The README's deployment: `infra/local.sh`, then `prefect deployment run`; real processes."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import easi3r as library
from tests.conftest import REPOSITORY
from tests.e2e.commands import BIN, environment
from tests.scenes import write_scenes
from tests.servers import free_port

pytestmark = pytest.mark.xdist_group("prefect")


@contextmanager
def running(command: list[str], env: dict[str, str], log: Path) -> Iterator[None]:
    """A program in its own process group, its output in `log`, terminated with the block."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=env, cwd=REPOSITORY, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_for_text(log: Path, text: str) -> None:
    """Return once a log holds a text; fails with the log after five minutes."""
    deadline = time.monotonic() + 300
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def test_a_deployment_runs_to_completed(tmp_path: Path) -> None:
    write_scenes(tmp_path / "videos", count=2)
    dataset = tmp_path / "out.zarr"
    port = free_port()
    env = environment(
        PREFECT_HOME=str(tmp_path / "prefect"),
        PREFECT_API_URL=f"http://127.0.0.1:{port}/api",
        DO_NOT_TRACK="1",
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
    )
    log = tmp_path / "local.log"
    with running(["infra/local.sh"], {**env, "PORT": str(port)}, log):
        wait_for_text(log, "Worker 'ProcessWorker")
        run = subprocess.run(
            [
                *(str(BIN / "prefect"), "deployment", "run", "annotate-collection/annotate"),
                *("--param", f"source={tmp_path / 'videos'}"),
                *("--param", f"destination={dataset}"),
                *("--param", 'cluster={"kind": "local_dask", "workers": 1}'),
                "--watch",
            ],
            env=env,
            cwd=REPOSITORY,
            text=True,
            capture_output=True,
            check=False,
            timeout=300,
        )
    assert run.returncode == 0, run.stdout + run.stderr + log.read_text()
    assert "Completed" in run.stdout
    committed = library.open_dataset(str(dataset))
    assert len(committed) == 2
    assert not committed.quarantined
