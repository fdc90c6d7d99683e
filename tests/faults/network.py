"""Faults between a run and its object store: a proxy spoils each request in turn, each way."""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.faults.collection import Run, annotate, finish, start
from tests.faults.proxy import Action, Proxy, Request, Spoiler, proxy_before
from tests.faults.trial import Arena, FailedTrialError, Fault
from tests.servers import SeaweedServer, s3_environment, seaweed_server

BUCKET = "faults"
OUTAGE_REQUESTS = 30
# Seconds; a user would wait longer, and for the proxy's delays this is long enough.
TIMEOUTS = {"read_timeout": 1.5, "connect_timeout": 1.5}
SPOILING = (
    Action.SLOW_DOWN,
    Action.INTERNAL_ERROR,
    Action.DELAY,
    Action.REFUSE,
    Action.CUT_BODY,
    Action.LOSE_ANSWER,
    Action.CUT_ANSWER,
)


@dataclass(frozen=True)
class ObjectStore:
    """An arena on a real S3 server, which the runs reach through a proxy."""

    arena: Arena
    server: SeaweedServer
    proxy: Proxy

    def faults(self) -> Iterator[Fault]:
        """Each request of a run spoiled, the way changing in turn; those that decide, every way."""
        requests = self.requests_of_a_run()
        for number, name in enumerate(requests):
            decides = name.startswith("PUT") and "/clips/" not in name
            for action in SPOILING if decides else (SPOILING[number % len(SPOILING)],):
                spoil = partial(_spoil_one, number, action)
                yield Fault(f"S3: {action}", name, partial(self.inflict, spoil=spoil))
            if decides or number % 2:
                yield Fault("S3: SIGKILL at a request", name, partial(self._kill_at, number=number))
        for number in range(0, len(requests), max(1, len(requests) // 6)):
            first = f"{OUTAGE_REQUESTS} requests from {requests[number]} on"
            inflict = partial(self.inflict, spoil=partial(_spoil_many, number, OUTAGE_REQUESTS))
            yield Fault("S3: refuses everything for a time", first, inflict)
            restart = partial(self._restart_at, number=number)
            yield Fault("S3 server: SIGKILL, restarted", requests[number], restart)

    def requests_of_a_run(self) -> list[str]:
        """Method and path of each request that an undisturbed run makes."""
        self.proxy.begin()
        run = self.arena.new_run()
        if finish(start(annotate, run)) != 0:
            raise FailedTrialError(run.output.read_text())
        return list(self.proxy.requests)

    def inflict(self, run: Run, spoil: Spoiler) -> bool:
        """A run whose requests are spoiled, to whatever end; True if any was."""
        inflicted: list[int] = []

        def remembering(number: int, request: Request) -> Action:
            action = spoil(number, request)
            if action is not Action.PASS:
                inflicted.append(number)
            return action

        self.proxy.begin(remembering)
        try:
            finish(start(annotate, run))  # however it ends: what counts is what it leaves
        finally:
            self.proxy.begin()
        return bool(inflicted)

    def _kill_at(self, run: Run, number: int) -> bool:
        victim: Future[BaseProcess] = Future()

        def spoil(reached: int, request: Request) -> Action:
            if reached != number:
                return Action.PASS
            victim.result(timeout=30).kill()
            return Action.REFUSE

        self.proxy.begin(spoil)
        victim.set_result(start(annotate, run))
        try:
            return finish(victim.result()) == -signal.SIGKILL
        finally:
            self.proxy.begin()

    def _restart_at(self, run: Run, number: int) -> bool:
        reached: Future[str] = Future()

        def spoil(count: int, request: Request) -> Action:
            if count == number:
                self.server.kill()
                reached.set_result(request.name)
            return Action.PASS

        self.proxy.begin(spoil)
        process = start(annotate, run)
        try:
            reached.result(timeout=60)
            self.server.start()
            finish(process)
        finally:
            self.proxy.begin()
        return True


def _spoil_one(number: int, action: Action, reached: int, request: Request) -> Action:
    return action if reached == number else Action.PASS


def _spoil_many(first: int, count: int, reached: int, request: Request) -> Action:
    return Action.SLOW_DOWN if first <= reached < first + count else Action.PASS


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """A new S3 server with a proxy before it, and an arena whose runs go through both."""
    with (
        seaweed_server(folder / "s3") as server,
        proxy_before(server.address, delay_seconds=2 * TIMEOUTS["read_timeout"]) as proxy,
    ):
        server.make_bucket(BUCKET)
        environment = s3_environment(proxy.endpoint)
        environment["FSSPEC_S3"] = json.dumps({"config_kwargs": TIMEOUTS})
        storage = {"endpoint_url": server.endpoint, "key": "test", "secret": "test"}
        arena = Arena(folder, f"s3://{BUCKET}", environment, storage)
        yield ObjectStore(arena, server, proxy)
