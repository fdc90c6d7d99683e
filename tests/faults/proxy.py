"""A proxy before an S3 server that counts requests and spoils chosen ones; on loopback only.

Each request is read whole, taken to the server over a connection of its own, and answered whole:
what becomes of it in between is the `Spoiler`'s.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

_CREATE_ONLY = b"if-none-match"


class Action(StrEnum):
    """Treatment of a request."""

    PASS = "pass"
    SLOW_DOWN = "answer 503 SlowDown"
    INTERNAL_ERROR = "answer 500"
    DELAY = "delay, answer too late"  # the write happens after its writer has given up waiting
    REFUSE = "cut before forwarding"
    CUT_BODY = "cut half-way through the request"
    LOSE_ANSWER = "lose the answer"  # the write happened, and its writer does not know
    CUT_ANSWER = "cut half-way through the answer"
    NOT_EXCLUSIVE = "strip If-None-Match"


@dataclass(frozen=True)
class Request:
    """A request as it came: its head's lines, without the empty one, and its body."""

    head: tuple[bytes, ...]
    body: bytes

    @property
    def name(self) -> str:
        """Method and path."""
        method, path, _ = self.head[0].decode("latin-1").split(" ", 2)
        return f"{method} {path}"

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, None if there is none; `name` in lower case."""
        for line in self.head[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name:
                return value.strip()
        return None

    def sent(self, dropped: frozenset[bytes] = frozenset()) -> bytes:
        """Its bytes, for a connection that ends with the answer, without some headers."""
        dropped |= {b"connection", b"expect"}
        lines = [
            line for line in self.head[1:] if line.partition(b":")[0].strip().lower() not in dropped
        ]
        head = b"\r\n".join([self.head[0], *lines, b"Connection: close"])
        return head + b"\r\n\r\n" + self.body


Spoiler = Callable[[int, Request], Action]


def pass_all(number: int, request: Request) -> Action:
    """Spoils nothing."""
    return Action.PASS


@dataclass
class Proxy:
    """Spoils the requests to a server, and remembers them.

    Attributes:
        server: host and port that requests are taken to.
        spoil: callback that decides about each request, by its number from 0 since `begin`.
        delay_seconds: how long `Action.DELAY` keeps a request back.
    """

    server: tuple[str, int]
    delay_seconds: float = 3.0
    spoil: Spoiler = pass_all
    requests: list[str] = field(default_factory=list)
    port: int = 0

    def begin(self, spoil: Spoiler = pass_all) -> None:
        """Forget what was seen; spoil otherwise from now on."""
        self.requests = []
        self.spoil = spoil

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client: one request, one fate."""
        try:
            request = await _read_request(reader, writer)
            if request is not None:
                number = len(self.requests)
                self.requests.append(request.name)
                await self._settle(self.spoil(number, request), request, writer)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass  # a client or server that went away midway, which is what faults do
        finally:
            with suppress(ConnectionError):
                writer.close()

    async def _settle(self, action: Action, request: Request, client: asyncio.StreamWriter) -> None:
        match action:
            case Action.REFUSE:
                client.transport.abort()
            case Action.SLOW_DOWN:
                await _answer(client, _error(b"503 Slow Down", b"SlowDown"))
            case Action.INTERNAL_ERROR:
                await _answer(client, _error(b"500 Internal Server Error", b"InternalError"))
            case Action.CUT_BODY:
                sent = request.sent()
                await self._forward(sent[: len(sent) - len(request.body) // 2 - 1], cut=True)
                client.transport.abort()
            case Action.DELAY:
                await asyncio.sleep(self.delay_seconds)
                await _answer(client, await self._forward(request.sent()))
            case Action.LOSE_ANSWER:
                await self._forward(request.sent())
                client.transport.abort()
            case Action.CUT_ANSWER:
                answer = await self._forward(request.sent())
                head = answer.partition(b"\r\n\r\n")[0]
                await _answer(client, answer[: (len(head) + len(answer)) // 2])
                client.transport.abort()
            case Action.NOT_EXCLUSIVE:
                await _answer(client, await self._forward(request.sent(frozenset([_CREATE_ONLY]))))
            case Action.PASS:
                await _answer(client, await self._forward(request.sent()))

    async def _forward(self, sent: bytes, cut: bool = False) -> bytes:
        """The server's whole answer; none where the request is cut."""
        reader, writer = await asyncio.open_connection(*self.server)
        try:
            writer.write(sent)
            await writer.drain()
            return b"" if cut else await reader.read(-1)
        finally:
            writer.close()


async def _read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    """None where the client closed without a word."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    request = Request(tuple(head.removesuffix(b"\r\n\r\n").split(b"\r\n")), b"")
    if request.header(b"expect"):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = int(request.header(b"content-length") or 0)
    return Request(request.head, await reader.readexactly(length))


async def _answer(client: asyncio.StreamWriter, answer: bytes) -> None:
    client.write(answer)
    await client.drain()


def _error(status: bytes, code: bytes) -> bytes:
    body = (
        b"<?xml version='1.0'?><Error><Code>" + code + b"</Code><Message>spoilt</Message></Error>"
    )
    head = b"HTTP/1.1 " + status + b"\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    return head + b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body


@contextmanager
def proxy_before(server: tuple[str, int], delay_seconds: float = 3.0) -> Iterator[Proxy]:
    """A proxy that runs in a thread of its own, on a free port."""
    proxy = Proxy(server, delay_seconds)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def run() -> None:
        listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxy.port = listener.sockets[0].getsockname()[1]
        ready.set()
        await ended.wait()
        listener.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), name="proxy")
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
