"""The README's deployment: server, worker, deploy, run; real processes, torn down at the end."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import easi3r as library
from tests.conftest import REPOSITORY
from tests.e2e.commands import BIN, environment
from tests.scenes import write_scenes
from tests.servers import free_port, wait_for_http

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
    prefect = str(BIN / "prefect")

    def call(*arguments: str) -> str:
        done = subprocess.run(
            [prefect, *arguments],
            env=env,
            cwd=REPOSITORY,
            text=True,
            capture_output=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    server_log, worker_log = tmp_path / "server.log", tmp_path / "worker.log"
    serve = [prefect, "server", "start", "--port", str(port)]
    with running(serve, env, server_log):
        wait_for_http(f"http://127.0.0.1:{port}/api/health", server_log)
        call("work-pool", "create", "easi3r", "--type", "process")
        with running([prefect, "worker", "start", "--pool", "easi3r"], env, worker_log):
            call("--no-prompt", "deploy", "--all")
            output = call(
                *("deployment", "run", "annotate-collection/annotate", "--watch"),
                *("--param", f"source={tmp_path / 'videos'}"),
                *("--param", f"destination={dataset}"),
                *("--param", 'cluster={"kind": "local_dask", "workers": 1}'),
            )
    assert "Completed" in output, output + worker_log.read_text()
    committed = library.open_dataset(str(dataset))
    assert len(committed) == 2
    assert not committed.quarantined
