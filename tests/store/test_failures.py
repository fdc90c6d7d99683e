"""Responses of storage: transient failures are waited for, permanent ones end the run."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import s3fs

from easi3r.errors import (
    Easi3RError,
    StorageUnavailableError,
    UnreadableURLError,
    UnwritableDestinationError,
)
from easi3r.store.files import Files


class Answering(BaseHTTPRequestHandler):
    """Answers every request with the same bytes, and hangs up."""

    answer = b""
    protocol_version = "HTTP/1.1"  # else clients wait in vain for "100 Continue"

    def handle(self) -> None:
        """Respond the same to every request."""
        self.raw_requestline = self.rfile.readline()
        if not self.raw_requestline or not self.parse_request():
            return
        self.rfile.read(int(self.headers.get("content-length") or 0))
        head, end, body = type(self).answer.partition(b"\r\n\r\n")
        self.wfile.write(head + end + (b"" if self.command == "HEAD" else body))

    def log_message(self, *_: object) -> None:
        """Not into the tests' output."""


def error(status: str, code: str) -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>told to</Message></Error>"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


PASSING = {
    "slow_down": error("503 Slow Down", "SlowDown"),
    "unavailable": error("503 Service Unavailable", "ServiceUnavailable"),
    "internal": error("500 Internal Server Error", "InternalError"),
    "gateway": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    "gateway_page": b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 8\r\n\r\n<html>..",
    "too_many": error("429 Too Many Requests", "TooManyRequests"),
    "full": error("507 Insufficient Storage", "XMinioStorageFull"),
    "incomplete": error("400 Bad Request", "IncompleteBody"),
    "timeout": error("400 Bad Request", "RequestTimeout"),
    "nothing": b"",
    "half_a_head": b"HTTP/1.1 200 OK\r\nContent-Le",
}
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
FOR_GOOD = {
    "denied": error("403 Forbidden", "AccessDenied"),
    "no_such_header": error("501 Not Implemented", "NotImplemented"),
}
WRITES: dict[str, Callable[[Files], object]] = {
    "put": lambda files: files.put("a/b", b"data"),
    "put_new": lambda files: files.put_new("a/b", b"data"),
    "put_all": lambda files: files.put_all({"a/b": b"1", "a/c": b"2"}),
    "delete": lambda files: files.delete("a/b"),
}
READS: dict[str, Callable[[Files], object]] = {
    "get": lambda files: files.get("a/b"),
    "get_all": lambda files: files.get_all(["a/b", "a/c"]),
    "exists": lambda files: files.exists("a/b"),
    "sizes": lambda files: files.sizes("a"),
}
# A HEAD request has no body to name the error, so 400 tells it nothing of what happened.
UNTOLD = {("exists", "incomplete"), ("exists", "timeout")}


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    fs = s3fs.S3FileSystem(
        key="test",
        secret="test",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        config_kwargs={"retries": {"total_max_attempts": 1}},
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    fs.retries = 1  # the drivers' own retries only take time here
    try:
        yield Files("s3://bucket/out.zarr", fs, "bucket/out.zarr")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("answer", PASSING)
@pytest.mark.parametrize("call", WRITES | READS)
def test_retryable_responses_are_transient(files: Files, call: str, answer: str) -> None:
    if (call, answer) in UNTOLD:
        pytest.skip("the answer to a HEAD request cannot tell")
    Answering.answer = PASSING[answer]
    with pytest.raises(StorageUnavailableError):
        (WRITES | READS)[call](files)


@pytest.mark.parametrize("call", ["get", "get_all", "sizes"])
def test_a_response_cut_half_way_is_transient(files: Files, call: str) -> None:
    Answering.answer = CUT
    with pytest.raises(StorageUnavailableError):
        READS[call](files)


@pytest.mark.parametrize("answer", FOR_GOOD)
@pytest.mark.parametrize("call", WRITES | READS)
def test_other_responses_are_permanent(files: Files, call: str, answer: str) -> None:
    Answering.answer = FOR_GOOD[answer]
    expected: type[Easi3RError] = UnwritableDestinationError
    if call in READS:
        expected = UnreadableURLError
    with pytest.raises(expected):
        (WRITES | READS)[call](files)
