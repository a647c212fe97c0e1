"""Faults in the middle of Phase 5, with a real server: each is taken back or held, with its evidence in the steps."""

import asyncio
import math
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import msgspec
import pytest

from crossfade.core.clock import HOUR, MINUTE
from crossfade.core.flag import ALL
from crossfade.core.reading import Origin
from crossfade.core.rollout import Move, Status
from crossfade.sources.component import Sample, Source

from .wound import Wound

House = Callable[..., Wound]
Spoil = Callable[[Sample, int], Awaitable[Sample]]
REAL = [name for name in ALL if name.startswith("use_real_")]
BUSINESS, FALLBACK = "use_real_business_metrics", "fallback_on_error"


class Spoiled:
    """A real source with something between it and its reader."""

    def __init__(self, source: Source, spoil: Spoil) -> None:
        self.source, self.spoil, self.calls = source, spoil, 0

    async def fetch(self, now: int) -> Sample:
        self.calls += 1
        return await self.spoil(await self.source.fetch(now), self.calls)


def spoil(server: Wound, how: Spoil, component: str = "businessMetrics") -> None:
    slot = server.app.reader._slots[component, Origin.REAL]
    slot.source = Spoiled(slot.source, how)


async def down(_: Sample, __: int) -> Sample:
    raise ConnectionRefusedError(111, "the figures are out of order")


async def flapping(sample: Sample, calls: int) -> Sample:
    return sample if calls % 2 else await down(sample, calls)


async def slow(sample: Sample, _: int) -> Sample:
    await asyncio.sleep(0.3)
    return sample


async def hanging(sample: Sample, _: int) -> Sample:
    await asyncio.Event().wait()
    return sample


async def stale(sample: Sample, _: int) -> Sample:
    return Sample(sample.payload, sample.as_of - 20 * MINUTE)


async def of_tomorrow(sample: Sample, _: int) -> Sample:
    return Sample(sample.payload, sample.as_of + HOUR)


def with_users(users: object) -> Spoil:
    async def wrong(sample: Sample, _: int) -> Sample:
        return Sample(msgspec.structs.replace(sample.payload, active_users=users), sample.as_of)  # type: ignore[type-var]

    return wrong


def leaking(server: Wound) -> None:
    async def made_up(_: Sample, __: int) -> Sample:
        return await server.app.reader.components["businessMetrics"].mock.fetch(server.clock.now())

    spoil(server, made_up)



def too_many(server: Wound) -> None:
    """One event too many in the rollup of an old minute; the auditor looks at everything anew."""
    def add() -> None:
        server.app.store._connections.loader.execute(
            "UPDATE minute_rollup SET n = n + 1 WHERE event = 'file_processed' AND minute = "
            "(SELECT min(minute) FROM minute_rollup)")

    server.app.loader.between(add).result()
    server.recount()


def failing_requests(server: Wound) -> None:
    """Every other answer is a 500."""
    def broken(*_: object) -> object:
        raise RuntimeError("out of order")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server.app.state, "audit", broken)
        assert [server.http.get(path).status_code for path in ("/api/audit", "/healthz")] == [500, 200]


def without_store(server: Wound) -> None:
    server.app.store._connections.close()


@dataclass(frozen=True)
class Fault:
    """What goes wrong in a phase, and which evidence says so when it is taken back."""

    do: Callable[[Wound], object]
    evidence: str
    at: str = "5A business"
    gate: str = ""
    """With its own gate, in a plan of one phase; else the guide's plan is carried out."""
    each: Callable[[Wound], object] = Wound.live
    """What goes on at every turn."""
    settings: dict[str, object] = field(default_factory=dict)


def gate(figure: str, condition: str, *, component: str = "", judged: str = "throughout") -> str:
    of = f'component = "{component}"\n' if component else ""
    return f'[[phases.gates]]\nfigure = "{figure}"\n{of}{condition}\njudged = "{judged}"\n'


def plan(*gates: str, soak: str = "5 min", deadline: str = "15 min", more: str = "", name: str = "business") -> str:
    return (f'name = "watched"\n[[phases]]\nname = "{name}"\nsoak = "{soak}"\ndeadline = "{deadline}"\n{more}\n'
            f'[phases.set]\n{BUSINESS} = true\n' + "\n".join(gates))


OF_BUSINESS = {"component": "businessMetrics"}
FAULTS: dict[str, Fault] = {
    "bad accuracy: one event too many": Fault(
        too_many, "businessMetrics: quality.mismatches is 1, where at most 0 is wanted: fail (",
        gate=gate("quality.mismatches", "most = 0", **OF_BUSINESS)),
    "missing events": Fault(
        Wound.traffic, "events that were sent are stored", each=lambda server: server.traffic(lost=4)),
    "events from a clock that is ahead": Fault(
        Wound.traffic, "events that were sent are stored", each=lambda server: server.traffic(ahead=HOUR)),
    "a tracker's gap, looked at directly": Fault(
        Wound.traffic, "ledger.missing is 4, where at most 0 is wanted", each=lambda server: server.traffic(lost=4),
        gate=gate("ledger.missing", "most = 0")),
    "source down": Fault(lambda server: spoil(server, down), "the figures are out of order"),
    "source down, one of another phase's": Fault(
        lambda server: spoil(server, down, "systemMetrics"), "the figures are out of order", at="5B system"),
    "source down, and the mock in its place": Fault(
        lambda server: spoil(server, down), "quality.fallback_rate is 100",
        gate=gate("quality.fallback_rate", "most = 5", **OF_BUSINESS),
        settings={"stand_ins": ["fallback"]}),
    "flapping source": Fault(lambda server: spoil(server, flapping), "calls gave none"),
    "flapping source, at once": Fault(
        lambda server: spoil(server, flapping), "quality.error_rate is", gate=gate(
            "quality.error_rate", "most = 5", **OF_BUSINESS)),
    "slow source": Fault(
        lambda server: spoil(server, slow), "where at most 250 is wanted: fail (",
        gate=gate("quality.latency_p50", "most = 250", **OF_BUSINESS)),
    "hanging source": Fault(
        lambda server: spoil(server, hanging), "no answer within 0.2 s",
        settings={"per_component": {"businessMetrics": {"source_timeout_s": 0.2}}}),
    "mock leak": Fault(leaking, "leak: the real source gave a value that the mock made up: auth_success_rate"),
    "mock leak, counted": Fault(
        leaking, "quality.leaks is 1, where at most 0 is wanted",
        gate=gate("quality.leaks", "most = 0", **OF_BUSINESS)),
    "stale data": Fault(lambda server: spoil(server, stale), "its newest data is 1,200 s old"),
    "data of the future": Fault(lambda server: spoil(server, of_tomorrow), "the data's time lies in the future"),
    "not a number": Fault(lambda server: spoil(server, with_users(math.nan)), "a number that is not finite"),
    "negative": Fault(lambda server: spoil(server, with_users(-3)), "activeUsers is -3: below 0"),
    "no traffic": Fault(
        lambda _: None, "ledger.completeness is unknown, where at least 99 is wanted: no data (nothing was measured)",
        gate=gate("ledger.completeness", "least = 99")),
    "event store down": Fault(without_store, "the event store did not answer"),
    "event store down, and nobody can tell what is missing": Fault(
        without_store, "business has not passed within 15 min", gate=gate("ledger.missing", "most = 0")),
    "errors without fallback": Fault(
        failing_requests, "live.system.errorRate is 50, where at most 1 is wanted", at="5D without fallback",
        each=failing_requests),
    "a target that others stand on": Fault(
        lambda server: server.target.close(), "alerts.critical is 1, where at most 0 is wanted",
        gate=gate("alerts.critical", "most = 0")),
}


@pytest.fixture
def billing() -> Iterator[socket.socket]:
    """A part that the infrastructure stands on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.mark.parametrize("name", FAULTS)
def test_it_is_taken_back_with_its_evidence(house: House, billing: socket.socket, name: str) -> None:
    fault = FAULTS[name]
    server = house(targets={"billing": f"tcp://127.0.0.1:{billing.getsockname()[1]}"}, **fault.settings)
    server.target = billing
    switched = {"5A business": 0, "5B system": 1, "5D without fallback": 4}[fault.at]
    server.set_flags(**dict.fromkeys(REAL[:switched], True))
    server.start(plan(fault.gate) if fault.gate else None, at=None if fault.gate else fault.at)
    changed = server.steps()[0].changes
    server.live()
    server.turn()
    assert server.rollout().state.status is Status.SOAKING, server.rollout().said
    fault.do(server)
    reverted = server.until(Move.REVERT, each=lambda: fault.each(server), most=150)
    assert fault.evidence in " ".join((*reverted.said, *(verdict.sentence for verdict in reverted.verdicts)))
    assert server.flags[FALLBACK] is True
    assert not any(server.flags[flag] for flag in changed if flag.startswith("use_real_"))
    assert {flag: server.flags[flag] for flag in REAL[:switched]} == dict.fromkeys(REAL[:switched], True)
    told = server.http.get("/api/rollouts/latest/steps").json()
    assert fault.evidence in str([step for step in told if step["move"] == "revert"])
    report = server.http.get("/api/monitoring/migration-report").json()
    assert fault.evidence in str((report["deeds"], report["phases"]))
    check_it_is_over(server, changed)


def check_it_is_over(server: Wound, changed: dict[str, bool | int]) -> None:
    """Whatever happens later, nothing of it comes back by itself."""
    server.turns(3)
    assert server.rollout().state.status is Status.REVERTED
    assert server.document()["status"] == "reverted"
    flags = server.flags
    assert not any(flags[flag] for flag in changed if flag.startswith("use_real_"))
    assert ("rollout", "reverted") in {(alert.key.component, alert.key.check) for alert in server.app.alerts.live()}
