"""Real servers for tests, each its own process on a free port of this machine."""

import http
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil


def free_port() -> int:
    """A TCP port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def s3_environment(endpoint: str) -> dict[str, str]:
    """Environment variables under which s3fs, botocore and plain xarray reach `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@contextmanager
def moto_server(log: Path) -> Iterator[str]:
    """A moto S3 server; yields its endpoint URL, and ends the process on leaving.

    Buckets are made with `PUT`, say `s3fs.S3FileSystem(...).mkdir("name")`.
    """
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_until_it_answers(f"{endpoint}/moto-api/", process, log)
            yield endpoint
        finally:
            process.terminate()
            process.wait(timeout=30)


@dataclass
class SeaweedServer:
    """A SeaweedFS S3 server that keeps its data in a folder: it can be killed and started again."""

    folder: Path
    _ports: list[int] = field(default_factory=lambda: [free_port() for _ in range(8)])
    _process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the endpoint."""
        return "127.0.0.1", self._ports[0]

    def start(self) -> None:
        """Returns once it takes objects; in seconds, with whatever it held when it ended."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "server.log"
        names = (
            *("s3.port", "s3.port.grpc", "filer.port", "filer.port.grpc"),
            *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
        )
        ports = [f"-{name}={port}" for name, port in zip(names, self._ports, strict=True)]
        local = [f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        small = ["-master.volumeSizeLimitMB=64", "-volume.max=20", "-master.electionTimeout=1s"]
        unused = ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
        program = shutil.which("weed", path=Path(sys.executable).parent) or "weed"
        command = [program, "-logtostderr", "server", "-filer", "-s3"]
        # With keys in its environment it would ask for them, also when it is asked if it is there.
        keyless = {name: value for name, value in os.environ.items() if name[:4] != "AWS_"}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, *local, *ports, *small, *unused],
                env=keyless,
                stdout=output,
                stderr=output,
            )
        _wait_until_it_answers(self.endpoint, self._process, log)
        self._wait_until_it_takes_objects()

    def _wait_until_it_takes_objects(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                for path in ("ready", "ready/object"):
                    request = urllib.request.Request(
                        f"{self.endpoint}/{path}", b"ready", method="PUT"
                    )
                    _ignoring_conflict(request)
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"{self.endpoint} took no object within 60 s")

    def kill(self) -> None:
        """SIGKILL: what it had not yet written is lost."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def make_bucket(self, name: str) -> None:
        """A new bucket; none may have that name."""
        request = urllib.request.Request(f"{self.endpoint}/{name}", b"", method="PUT")
        urllib.request.urlopen(request, timeout=30).close()


@contextmanager
def seaweed_server(folder: Path) -> Iterator[SeaweedServer]:
    """A SeaweedFS S3 server with its data in `folder`; ended on leaving."""
    server = SeaweedServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@dataclass
class PrefectServer:
    """A Prefect server with a SQLite database in a folder: it can be killed and started again."""

    folder: Path
    _port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead to it; to be set before `prefect` is imported."""
        return {
            "PREFECT_HOME": str(self.folder),
            "PREFECT_API_URL": f"http://127.0.0.1:{self._port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }

    @property
    def pid(self) -> int:
        """Of its process, once it was started."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns once it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "server.log"
        program = str(Path(sys.executable).parent / "prefect")
        command = [program, "server", "start", "--port", str(self._port)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, env={**os.environ, **self.environment}, stdout=output, stderr=output
            )
        url = f"{self.environment['PREFECT_API_URL']}/health"
        _wait_until_it_answers(url, self._process, log, seconds=240)

    def kill(self) -> None:
        """SIGKILL, to it and to what it started."""
        if self._process and self._process.poll() is None:
            started = psutil.Process(self._process.pid).children(recursive=True)
            self._process.kill()
            self._process.wait()
            for child in started:
                with suppress(psutil.NoSuchProcess):
                    child.kill()


@contextmanager
def prefect_server(folder: Path) -> Iterator[PrefectServer]:
    """A Prefect server; killed on leaving."""
    server = PrefectServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _ignoring_conflict(request: urllib.request.Request) -> None:
    """Send it; a bucket that exists from before the server was killed will do."""
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.CONFLICT:
            raise


def _wait_until_it_answers(
    url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 60
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}: {log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"{url} did not answer within {seconds} s: {log.read_text()}")
