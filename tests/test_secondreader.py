"""The second reader's rounds: one comparison each, and never a failure."""

import asyncio
import socket
from collections.abc import Sequence

import pytest
import structlog
import uvicorn
from structlog.testing import capture_logs

from crossfade.core.asgi import Message, ObservedRequests, Receive, Send
from crossfade.core.clock import MINUTE, SECOND, ManualClock
from crossfade.core.comparison import Comparison
from crossfade.core.payloads import Disk, InfrastructureMetrics, IngestQueue
from crossfade.requestlog import RequestLog
from crossfade.secondreader import ClientTimer, Part, SecondReader, _recorded
from crossfade.sources.beside import Beside, Unreadable
from crossfade.sources.component import Sample
from crossfade.sources.second import INFRASTRUCTURE, SYSTEM, DiskLook, infrastructure
from crossfade.state.errors import StateError
from crossfade.state.samples import Sample as Kept

START = 1_700_000_000 * SECOND


class Rounds:
    """Rounds over one disk, on a clock of their own."""

    def __init__(self, free: int = 50) -> None:
        self.clock = ManualClock(START)
        self.shown, self.read = free, free * 10**9
        self.emitted: list[Comparison] = []
        self.kept: list[Kept] = []
        self.observed: list[str] = []
        self.wanted = {INFRASTRUCTURE, "businessMetrics"}
        self.trouble: str | None = None
        beside = Beside(self, self.look, self.clock)
        self.beside = beside
        self.second = SecondReader(
            {INFRASTRUCTURE: Part(beside, infrastructure)}, observe=self.observe, wanted=lambda: self.wanted,
            emit=self.emitted.extend, keep=self.kept.extend, client=ClientTimer(RequestLog(60, self.clock), self.clock),
            interval_s=15, max_age_s=1, pause=self.pause,
        )

    async def fetch(self, now: int) -> Sample:
        return Sample(InfrastructureMetrics((), IngestQueue(0, 0), Disk(10**11, self.shown * 10**9, 50.0)), now)

    def look(self) -> DiskLook:
        if self.trouble is not None:
            raise Unreadable(self.trouble)
        return DiskLook(self.clock.now(), 10**11, self.read, 50.0, ())

    async def observe(self, name: str) -> None:
        self.observed.append(name)
        await self.beside.fetch(self.clock.now())

    async def pause(self, seconds: float) -> None:
        self.clock.advance(int(seconds * SECOND))
        await asyncio.sleep(0)


def test_a_round_gives_one_comparison() -> None:
    rounds = Rounds()
    asyncio.run(rounds.second.round())
    assert [one.agrees for one in rounds.emitted] == [True]
    assert rounds.observed == [INFRASTRUCTURE] * 2


def test_both_sides_of_what_was_compared_are_kept_in_their_minute() -> None:
    rounds = Rounds()
    rounds.shown = 49
    asyncio.run(rounds.second.round())
    assert [(one.source, one.figures["disk.free"]) for one in rounds.kept] == [
        ("compared", 49e9), ("second_reader", 50e9)]
    assert {(one.component, one.start, one.length) for one in rounds.kept} == {
        (INFRASTRUCTURE, rounds.clock.now() // MINUTE * MINUTE, MINUTE)}


def test_what_cannot_be_kept_is_compared_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise StateError("the disk is full")

    rounds = Rounds()
    monkeypatch.setattr(rounds.second, "_keep", full)
    with capture_logs() as logs:
        asyncio.run(rounds.second.round())
    assert [one.agrees for one in rounds.emitted] == [True]
    assert [(entry["log_level"], entry["error"]) for entry in logs] == [("warning", "the disk is full")]


def test_one_field_that_does_not_agree_stands_for_the_round() -> None:
    rounds = Rounds()
    rounds.shown = 49
    asyncio.run(rounds.second.round())
    assert [(one.agrees, one.field) for one in rounds.emitted] == [(False, "disk.free")]


def test_what_nobody_wants_real_is_not_asked() -> None:
    rounds = Rounds()
    rounds.wanted = {SYSTEM}
    asyncio.run(rounds.second.round())
    assert (rounds.emitted, rounds.observed) == ([], [])


def test_what_cannot_be_read_is_said_once_and_compared_when_it_can_be_again() -> None:
    rounds = Rounds()
    rounds.trouble = "no such file"
    structlog.reset_defaults()
    with capture_logs() as logs:
        for _ in range(3):
            asyncio.run(rounds.second.round())
    assert [entry["error"] for entry in logs] == ["no such file"]
    assert rounds.emitted == []
    rounds.trouble = None
    asyncio.run(rounds.second.round())
    assert len(rounds.emitted) == 1


def test_a_round_that_fails_does_not_end_the_rounds() -> None:
    rounds = Rounds()
    failures = iter([RuntimeError("once")])

    def emit(found: Sequence[Comparison]) -> None:
        for failure in failures:
            raise failure
        rounds.emitted.extend(found)
        task.cancel()

    async def course() -> None:
        nonlocal task
        rounds.second._emit = emit
        task = asyncio.create_task(rounds.second.run())
        await asyncio.gather(task, return_exceptions=True)

    task: asyncio.Task[None]
    asyncio.run(course())
    assert len(rounds.emitted) == 1


def test_a_client_without_an_address_or_a_server_compares_nothing() -> None:
    clock = ManualClock(START)
    client = ClientTimer(RequestLog(60, clock), clock)
    assert asyncio.run(client.compare()) == []
    client.url = "http://127.0.0.1:1"
    structlog.reset_defaults()
    with capture_logs() as logs:
        assert asyncio.run(client.compare()) == []
        assert asyncio.run(client.compare()) == []
    assert [entry["error"] for entry in logs] == ["ConnectionRefusedError"]


@pytest.mark.parametrize(("factor", "others", "verdicts"), [(1, 0, [True]), (1000, 0, [False]), (1, 1, [])])
def test_a_client_times_requests_beside_a_real_servers_log(factor: int, others: int, verdicts: list[bool]) -> None:
    """``factor``: by how much the log is wrong; ``others``: how often somebody else is answered meanwhile."""
    requests = RequestLog(3_600, ManualClock(START))
    client = ClientTimer(requests, ManualClock(START))

    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        for _ in range(others):
            requests.record(200, 0.001)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def record(status: int, seconds: float) -> None:
        requests.record(status, seconds * factor)

    async def course() -> list[Comparison]:
        server = uvicorn.Server(uvicorn.Config(ObservedRequests(app, record), lifespan="off", log_config=None))
        bound = socket.create_server(("127.0.0.1", 0))
        running = asyncio.create_task(server.serve(sockets=[bound]))
        client.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        found = await client.compare()
        server.should_exit = True
        await running
        return found

    found = asyncio.run(course())
    assert [one.agrees for one in found] == verdicts
    assert all(one.field == "responseTime" for one in found)


def test_the_log_tells_the_requests_between_two_looks_unless_its_window_moved_on() -> None:
    clock = ManualClock(START)
    requests = RequestLog(60, clock)
    requests.record(200, 0.01)
    before = requests.slot()
    requests.record(200, 0.02)
    requests.record(200, 0.02)
    recorded = _recorded(before, requests.slot())
    assert recorded is not None
    assert sorted(recorded)[-2:] == [0, 2]
    clock.advance(2 * SECOND)
    assert _recorded(before, requests.slot()) is None
