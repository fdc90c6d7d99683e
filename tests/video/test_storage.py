"""Videos on other storage than a disk, and storage that fails."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import fsspec
import numpy as np
import pytest

from easi3r.config import SamplingSettings, VideoSettings
from easi3r.errors import Easi3RError, StorageUnavailableError, UnreadableURLError
from easi3r.video import decode, list_videos, plan_clips, probe
from easi3r.video.storage import storage_errors
from tests.video.encoding import Recipe, encode


class _Files(BaseHTTPRequestHandler):
    """Serves files with ranges; or responds with the status of a path in `statuses`."""

    protocol_version = "HTTP/1.1"
    files: ClassVar[dict[str, bytes]] = {}
    statuses: ClassVar[dict[str, int]] = {}

    def do_GET(self) -> None:
        content = self.files.get(self.path, b"")
        status = self.statuses.get(self.path, 200 if self.path in self.files else 404)
        headers = {"Accept-Ranges": "bytes", "Connection": "close"}
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if status == 200 and wanted:
            start, stop = int(wanted[1]), min(int(wanted[2] or len(content)) + 1, len(content))
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
            status, content = 206, content[start:stop]
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    index = b'<a href="a.mp4">a</a> <a href="notes.txt">n</a>'
    _Files.files = {"/a.mp4": encode(Recipe(frames=30)), "/": index}
    _Files.statuses = {"/busy.mp4": 503, "/closed.mp4": 403}
    with ThreadingHTTPServer(("127.0.0.1", 0), _Files) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture
def memory() -> Iterator[str]:
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe("/videos/a.mp4", encode(Recipe(frames=30)))
    yield "memory:///videos/a.mp4"
    filesystem.rm("/videos", recursive=True)


def assert_decodes(url: str) -> None:
    video = probe(url)
    assert len(video) == 30
    last = plan_clips(video, SamplingSettings(clip_frames=4), VideoSettings())[-1]
    whole = plan_clips(video, SamplingSettings(clip_frames=30), VideoSettings())[0]
    np.testing.assert_array_equal(decode(last, 64, 16).images, decode(whole, 64, 16).images[-4:])


def test_videos_in_memory(memory: str) -> None:
    assert_decodes(memory)


def test_http(server: str) -> None:
    assert list(list_videos(f"{server}/a.mp4")) == [f"{server}/a.mp4"]
    listing = list_videos(f"{server}/")
    assert list(listing) == [f"{server}/a.mp4"]
    assert dict(listing.ignored) == {".txt": 1}
    assert_decodes(f"{server}/a.mp4")


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("gone.mp4", UnreadableURLError, "FileNotFoundError|404"),
        ("closed.mp4", UnreadableURLError, "403"),
        ("busy.mp4", StorageUnavailableError, "503"),
    ],
)
def test_http_failures(server: str, name: str, error: type[Easi3RError], words: str) -> None:
    url = f"{server}/{name}"
    for read in (list_videos, probe):
        with pytest.raises(error, match=words) as caught:
            read(url)
        assert caught.value.subject == url


def test_an_unreachable_server_is_a_transient_failure() -> None:
    with pytest.raises(StorageUnavailableError, match=r"127\.0\.0\.1:9"):
        probe("http://127.0.0.1:9/a.mp4")


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (FileNotFoundError("a"), UnreadableURLError),
        (PermissionError(13, "denied"), UnreadableURLError),
        (OSError(36, "File name too long"), UnreadableURLError),
        (TimeoutError(), StorageUnavailableError),
        (ConnectionResetError("gone"), StorageUnavailableError),
        (OSError(16, "Please reduce your request rate"), StorageUnavailableError),
        (OSError(5, "Input/output error"), StorageUnavailableError),
    ],
)
def test_storage_errors_are_permanent_or_transient(
    raised: Exception, error: type[Easi3RError]
) -> None:
    with pytest.raises(error) as caught, storage_errors("s3://bucket/a.mp4"):
        raise raised
    assert caught.value.__cause__ is raised


@pytest.mark.parametrize("healthy_reads", [0, 1, 2, 3])
def test_failure_in_the_midst_of_decoding_is_of_storage_not_of_the_video(
    memory: str, monkeypatch: pytest.MonkeyPatch, healthy_reads: int
) -> None:
    video = probe(memory)
    (spec,) = plan_clips(video, SamplingSettings(clip_frames=30), VideoSettings())
    file_type = type(fsspec.filesystem("memory").open("/videos/a.mp4"))
    original = file_type.read
    reads = 0

    def read(self: object, size: int = -1) -> bytes:
        nonlocal reads
        reads += 1
        if reads > healthy_reads:
            raise ConnectionResetError("connection lost")
        return original(self, min(size, 2000))

    monkeypatch.setattr(file_type, "read", read)
    with pytest.raises(StorageUnavailableError, match="connection lost"):
        decode(spec, 64, 16)
