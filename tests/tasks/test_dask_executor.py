"""The executor on real Dask clusters: windows, errors, dying workers, a lost scheduler."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from distributed import Client

from easi3r.errors import ClusterLostError, DeviceFaultError, EmptyFileError, WorkerLostError
from easi3r.executor import map_suspects_alone
from tasks.cluster import ALLOWED_FAILURES, local_cluster
from tasks.dask_executor import IN_FLIGHT_PER_WORKER, DaskExecutor
from tests.servers import free_port


def double(number: int) -> int:
    return 2 * number


def refuse(number: int) -> int:
    raise EmptyFileError(f"{number}.mp4", "is empty", "Copy it again")


def kill_if_negative(number: int) -> int:
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fail_while_there(fault: str) -> int:
    """A fault of the device the first time, and the process that had it noted beside the file."""
    path = Path(fault)
    if path.exists():
        path.unlink()
        path.with_suffix(".pid").write_text(str(os.getpid()))
        raise DeviceFaultError("cuda:0", "the device failed (ECC)", "Replace it")
    return 0


def process_id(_: None) -> int:
    return os.getpid()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """One worker process, bound as a GPU would be."""
    with local_cluster(workers=1, gpus=1) as cluster, Client(cluster) as connected:
        yield connected


@pytest.fixture
def executor(client: Client) -> DaskExecutor:
    return DaskExecutor(client, "GPU")


def test_items_are_taken_as_workers_get_free(executor: DaskExecutor) -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    answers = executor.map(double, endless())
    for received in range(1, 6):
        number, answer = next(answers)
        assert answer == 2 * number
        assert len(taken) <= received - 1 + IN_FLIGHT_PER_WORKER
    answers.close()


def test_leaving_early_cancels_what_is_left(client: Client, executor: DaskExecutor) -> None:
    answers = executor.map(double, range(50))
    next(answers)
    answers.close()
    client.sync(client.scheduler.identity)
    assert not client.futures


def test_an_error_of_the_function_is_raised(executor: DaskExecutor) -> None:
    with pytest.raises(EmptyFileError, match=r"1\.mp4: is empty"):
        list(executor.map(refuse, [1]))


def test_two_threads_share_an_executor(executor: DaskExecutor) -> None:
    ranges = [range(20), range(100, 120)]
    with ThreadPoolExecutor(2) as threads:
        answers = threads.map(lambda items: sorted(executor.map(double, items)), ranges)
    assert list(answers) == [[(n, 2 * n) for n in items] for items in ranges]


def test_a_worker_that_keeps_dying_is_told_apart(client: Client, executor: DaskExecutor) -> None:
    ((_, lost),) = executor.map(kill_if_negative, [-1])
    assert isinstance(lost, WorkerLostError)
    assert f"{ALLOWED_FAILURES + 1} different workers" in str(lost)
    assert list(executor.map(kill_if_negative, [1])) == [(1, 1)]


def test_a_fault_of_the_device_ends_the_worker_and_another_one_goes_on(
    executor: DaskExecutor, tmp_path: Path
) -> None:
    fault = tmp_path / "fault"
    fault.touch()
    answers = map_suspects_alone(executor, fail_while_there, [str(fault)])
    assert list(answers) == [(str(fault), 0)]
    died = int(fault.with_suffix(".pid").read_text())
    ((_, alive),) = executor.map(process_id, [None])
    assert alive != died


def test_no_item_is_lost_beside_one_that_kills_its_worker(executor: DaskExecutor) -> None:
    answers = dict(executor.map(kill_if_negative, [1, 2, -1, 3]))
    assert answers.keys() == {1, 2, -1, 3}
    assert isinstance(answers.pop(-1), WorkerLostError)
    for number, answer in answers.items():
        assert answer == number or isinstance(answer, WorkerLostError)


def test_all_workers_are_counted_though_dask_lists_few() -> None:
    with Client(
        processes=False, n_workers=6, threads_per_worker=1, dashboard_address=None
    ) as client:
        assert DaskExecutor(client).workers == 6


def test_a_scheduler_that_goes_away_is_a_transient_error() -> None:
    port = free_port()
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    process = subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(port)])

    def items() -> Iterator[int]:
        yield 1
        process.kill()
        process.wait()
        yield 2

    try:
        with (
            Client(f"tcp://127.0.0.1:{port}", timeout=60) as client,
            pytest.raises(ClusterLostError, match=str(port)),
        ):
            list(DaskExecutor(client).map(double, items()))
    finally:
        process.kill()
        process.wait()
