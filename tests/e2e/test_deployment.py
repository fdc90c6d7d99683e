"""The README's deployment: `infra/local.sh`, then `prefect deployment run`; real processes."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import easi3r as library
from easi3r.run.run_record import RunRecord
from easi3r.store import audit, collect_garbage, update_index
from tests.conftest import REPOSITORY
from tests.e2e.commands import BIN, environment
from tests.scenes import write_scenes
from tests.servers import free_port


@contextmanager
def running(command: list[str], env: dict[str, str], log: Path) -> Iterator[int]:
    """The id of a program in its own process group, its output in `log`, ended with the block."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=env, cwd=REPOSITORY, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=90)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_until(happened: Callable[[], bool], log: Callable[[], str]) -> None:
    """Return once something is so; fails with the log after five minutes."""
    deadline = time.monotonic() + 300
    while not happened():
        assert time.monotonic() < deadline, log()
        time.sleep(0.2)


SETTINGS = {
    "sampling": {"clip_frames": 6},
    "video": {"long_side_px": 96},
    "alignment": {"max_steps": 5},
    "execution": {"clips_per_batch": 1},
}


@dataclass(frozen=True)
class Deployment:
    """A deployed project: the environment that leads to its server, its programs and their log."""

    env: dict[str, str]
    process: psutil.Process
    log: Path

    def prefect(self, *arguments: str) -> str:
        """Run `prefect` to its end; what it said."""
        done = subprocess.run(
            [str(BIN / "prefect"), *arguments],
            env=self.env,
            cwd=REPOSITORY,
            text=True,
            capture_output=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == 0, done.stdout + done.stderr + self.log.read_text()
        return done.stdout

    def annotate(self, videos: Path, dataset: Path, *arguments: str) -> str:
        """Run the deployment `annotate` with one Dask worker."""
        return self.prefect(
            *("deployment", "run", "annotate-collection/annotate"),
            *("--param", f"source={videos}", "--param", f"destination={dataset}"),
            *("--param", 'cluster={"kind": "local_dask", "workers": 1}'),
            *("--param", f"settings={json.dumps(SETTINGS)}"),
            *arguments,
        )

    def dask_workers(self) -> list[psutil.Process]:
        """Processes of Dask that runs have started and that are alive."""
        return [
            child
            for child in self.process.children(recursive=True)
            if child.is_running() and "multiprocessing" in " ".join(child.cmdline())
        ]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """`infra/local.sh`, up and with its worker waiting for runs."""
    folder, port = tmp_path_factory.mktemp("deployment"), free_port()
    env = environment(
        PREFECT_HOME=str(folder / "prefect"),
        PREFECT_API_URL=f"http://127.0.0.1:{port}/api",
        DO_NOT_TRACK="1",
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
    )
    log = folder / "local.log"
    with running(["infra/local.sh"], {**env, "PORT": str(port)}, log) as pid:
        wait_until(lambda: "Worker 'ProcessWorker" in log.read_text(), log.read_text)
        yield Deployment(env, psutil.Process(pid), log)


def test_a_deployment_runs_to_completed(deployment: Deployment, tmp_path: Path) -> None:
    write_scenes(tmp_path / "videos", count=2)
    dataset = tmp_path / "out.zarr"
    said = deployment.annotate(tmp_path / "videos", dataset, "--watch")
    assert "Completed" in said
    committed = library.open_dataset(str(dataset))
    assert len(committed) == 2
    assert not committed.quarantined


def run_id_of(said: str) -> str:
    """The flow run that `prefect deployment run` says it made."""
    found = re.search(r"UUID: ([0-9a-f-]{36})", said)
    assert found, said
    return found[1]


def test_a_cancelled_run_stops_its_workers_and_leaves_a_clean_store(
    deployment: Deployment, tmp_path: Path
) -> None:
    write_scenes(tmp_path / "videos", count=1, frames=6 * 60)
    dataset = tmp_path / "out.zarr"
    run_id = run_id_of(deployment.annotate(tmp_path / "videos", dataset))
    wait_until(lambda: any(dataset.glob("commits/*/*.json")), deployment.log.read_text)
    assert deployment.dask_workers()

    deployment.prefect("flow-run", "cancel", run_id)
    wait_until(
        lambda: "CANCELLED" in deployment.prefect("flow-run", "inspect", run_id),
        deployment.log.read_text,
    )
    wait_until(lambda: not deployment.dask_workers(), deployment.log.read_text)
    done = len(library.open_dataset(str(dataset)))
    assert 1 <= done < 60, "not cancelled midway"
    (record,) = (dataset / "runs").glob("*.json")
    assert RunRecord.model_validate_json(record.read_text()).finished is None
    collect_garbage(str(dataset), older_than_seconds=0.0)  # nothing runs: what is there is orphaned
    update_index(str(dataset))
    assert audit(str(dataset)).clean


def test_a_killed_run_is_crashed_and_the_next_one_finishes(
    deployment: Deployment, tmp_path: Path
) -> None:
    write_scenes(tmp_path / "videos", count=1, frames=6 * 8)
    dataset = tmp_path / "out.zarr"
    run_id = run_id_of(deployment.annotate(tmp_path / "videos", dataset))
    wait_until(lambda: any(dataset.glob("commits/*/*.json")), deployment.log.read_text)
    supervisor = deployment.dask_workers()[0].parent()
    assert supervisor is not None
    supervisor.kill()
    wait_until(
        lambda: "CRASHED" in deployment.prefect("flow-run", "inspect", run_id),
        deployment.log.read_text,
    )
    wait_until(lambda: not deployment.dask_workers(), deployment.log.read_text)

    assert "Completed" in deployment.annotate(tmp_path / "videos", dataset, "--watch")
    collect_garbage(str(dataset), older_than_seconds=0.0)
    found = audit(str(dataset))
    assert found.clean
    assert found.results == 8
    records = [RunRecord.model_validate_json(p.read_text()) for p in dataset.glob("runs/*.json")]
    assert sorted(record.finished is None for record in records) == [False, True]
