"""Has the second reader compare, every few seconds, what the real sources say of the server and what it stands on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import structlog

from crossfade.core.clock import MINUTE, Clock
from crossfade.core.comparison import Comparison, Reference, of_window
from crossfade.core.latency import quantile_ms
from crossfade.requestlog import RequestLog
from crossfade.sources.beside import Beside, Seen, Unreadable
from crossfade.sources.second import (
    INFRASTRUCTURE,
    SYSTEM,
    DiskLook,
    MachineLook,
    MachineReader,
    SystemSecond,
    infrastructure,
    response_time,
    window_of,
)
from crossfade.state.errors import StateError
from crossfade.state.samples import Sample, pair

log = structlog.get_logger(__name__)

Look = TypeVar("Look")

REQUESTS = 3
"""How many requests of its own the client times; they are in the server's figures too."""
EVERY = 4
"""In every so many rounds, the first among them."""
TIMEOUT_S = 2.0


class Part(Generic[Look]):
    """A component's source with the readings beside it, and how they are compared."""

    def __init__(self, beside: Beside[Look], judge: Callable[[Sequence[Seen[Look]]], list[Comparison]]) -> None:
        self.beside = beside
        self._judge = judge
        self._heard: list[Seen[Look]] = []

    def listen(self) -> None:
        self.beside.listen()

    def stop(self) -> None:
        self._heard = self.beside.heard()

    def compared(self) -> list[Comparison]:
        """What was heard, field by field. It may read files."""
        return self._judge(self._heard)


Parts = Mapping[str, Part[MachineLook] | Part[DiskLook]]


def parts(system: Beside[MachineLook], stands_on: Beside[DiskLook], machine: MachineReader, started_at: int) -> Parts:
    """What can be compared on this machine: nothing where there is no ``/proc``."""
    try:
        second = SystemSecond(machine, started_at)
    except Unreadable as error:
        log.info("second reader: there is none on this machine", error=str(error))
        return {}
    return {SYSTEM: Part(system, second.compare), INFRASTRUCTURE: Part(stands_on, infrastructure)}


class SecondReader:
    """One comparison a component and round, of those components that somebody wants real."""

    def __init__(self, parts: Parts, *, observe: Callable[[str], Awaitable[object]],
                 wanted: Callable[[], Collection[str]], emit: Callable[[Iterable[Comparison]], None],
                 keep: Callable[[Iterable[Sample]], None],
                 client: "ClientTimer", interval_s: float, max_age_s: float,
                 pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """``observe`` has a real source called, unless that was less than ``max_age_s`` ago.

        ``keep`` stores both sides of what was compared; it may raise StateError.
        """
        self._parts = parts
        self._observe = observe
        self._wanted = wanted
        self._emit = emit
        self._keep = keep
        self._client = client
        self._interval_s = interval_s
        self._gap_s = min(max(0.5, max_age_s) + 0.1, interval_s / 2)
        self._pause = pause
        self._rounds = 0
        self._troubles: dict[str, str] = {}

    async def run(self) -> None:
        """A round every interval, however long each takes, until it is cancelled."""
        due = time.monotonic()
        while True:
            due = max(due + self._interval_s, time.monotonic())
            await self._pause(due - time.monotonic())
            try:
                await self.round()
            except Exception:  # nothing may end the rounds
                log.exception("second reader: a round failed")

    async def round(self) -> None:
        """Has each source called twice, so that there is a first and a last reading, and compares."""
        names = [name for name in self._parts if name in self._wanted()]
        for name in names:
            self._parts[name].listen()
        try:
            await self._observe_all(names)
            await self._pause(self._gap_s)
            await self._observe_all(names)
        finally:
            for name in names:
                self._parts[name].stop()
        for name in names:
            found = await asyncio.to_thread(self._parts[name].compared)
            if self._rounds % EVERY == 0 and any(each.field == "processMemory" for each in found):  # the server's own
                found += await self._client.compare()
            self._note(name, self._parts[name].beside.trouble)
            if found:
                self._emit([of_window(found)])
                await self._store(name, found)
        self._rounds += 1

    async def _store(self, name: str, found: Sequence[Comparison]) -> None:
        """Of the minute, the last; a field of it that was compared earlier alone is let go with it."""
        at = max(each.at for each in found)
        rows = pair(name, at // MINUTE * MINUTE, MINUTE, at, Reference.SECOND_READER,
                    real={each.field: each.real for each in found},
                    reference={each.field: each.reference for each in found})
        try:
            await asyncio.to_thread(self._keep, rows)
        except StateError as error:
            log.warning("second reader: what was compared cannot be stored now", component=name, error=str(error))

    async def _observe_all(self, names: Iterable[str]) -> None:
        await asyncio.gather(*(self._observe(name) for name in names))

    def _note(self, name: str, trouble: str | None) -> None:
        """Says once what it cannot read."""
        if trouble is None:
            self._troubles.pop(name, None)
        elif name not in self._troubles:
            self._troubles[name] = trouble
            log.warning("second reader: cannot read", component=name, error=trouble)


class ClientTimer:
    """Times a few requests to the server as a client does, beside what the server's own request log says of them."""

    def __init__(self, requests: RequestLog, clock: Clock) -> None:
        self._requests = requests
        self._clock = clock
        self.url: str | None = None
        """Where the server answers, once it does."""
        self._failed = False

    async def compare(self) -> list[Comparison]:
        """The quickest of the requests; nothing if the server answered others meanwhile, or not at all."""
        if self.url is None:
            return []
        began, before = self._clock.now(), self._requests.slot()
        try:
            seconds = await asyncio.to_thread(_timed, self.url)
        except ConnectionError as error:
            if not self._failed:
                log.warning("second reader: the server does not answer its own client", error=str(error))
            self._failed = True
            return []
        self._failed = False
        recorded = _recorded(before, self._requests.slot())
        if recorded is None or sum(recorded) != len(seconds):
            return []
        return [response_time(quantile_ms(recorded, 0), 1_000 * min(seconds), window_of(began, self._clock.now()))]


def _timed(url: str) -> list[float]:
    """Seconds of each of a few requests over one connection. Raises ConnectionError, which tells the error's kind."""
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_S)
    try:
        return [_request(connection) for _ in range(REQUESTS)]
    except (OSError, HTTPException) as error:
        raise ConnectionError(type(error).__name__) from error
    finally:
        connection.close()


def _request(connection: HTTPConnection) -> float:
    began = time.perf_counter()
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    answer.read()
    took = time.perf_counter() - began
    if answer.status != HTTPStatus.OK:
        raise HTTPException(answer.status)
    return took


def _recorded(before: tuple[int, Sequence[int]], after: tuple[int, Sequence[int]]) -> list[int] | None:
    """The requests in each bucket from one look at the log to the next; None if its window moved on meanwhile."""
    if before[0] != after[0]:
        return None
    return [now - then for then, now in zip(before[1], after[1], strict=True)]
