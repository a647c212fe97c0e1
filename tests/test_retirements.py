"""The mock of a retired component: nobody reads it, whatever the flags say and whatever fails; until it is undone."""

import asyncio
import gc
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from crossfade.core.clock import DAY, SECOND, ManualClock
from crossfade.core.flag import Flags, FlagValue, Stage
from crossfade.core.reading import Origin, Reason
from crossfade.core.retirement import KEPT, RetirementError
from crossfade.reader import Reader
from crossfade.retirements import Retirements
from crossfade.sources.component import Component, Sample, SourceError
from crossfade.state import State

NOW = 1_790_000_000 * SECOND
ORDERS, SALES = "use_real_orders", "use_real_sales"
FLAGS: dict[str, FlagValue] = {ORDERS: True, "percent_orders": 100, "shadow_orders": False, SALES: True,
                               "percent_sales": 100, "shadow_sales": False, "fallback_on_error": False}


class Shown(Struct, frozen=True):
    by: str


class Fake:
    """A source that says who it is, or fails."""

    def __init__(self, by: str) -> None:
        self.by, self.fails, self.calls = by, False, 0
        self.gate: asyncio.Event | None = None
        self.asked = asyncio.Event()

    async def fetch(self, now: int) -> Sample:
        self.calls += 1
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise SourceError(f"{self.by} is gone")
        return Sample(Shown(self.by), now)


class House:
    """Two components with their state, reader and retirements."""

    def __init__(self, path: Path, *, legacy: bool = False) -> None:
        self.clock = ManualClock(NOW)
        self.state = State.open(path / "state.db")
        self.state.seed_flags(FLAGS, at=NOW - 7 * DAY)
        self.real, self.mock, self.legacy = Fake("real"), Fake("mock"), Fake("legacy")
        self.made: list[Fake] = []
        self.reader = Reader([
            Component("orders", "orders", ORDERS, self.mock, self.real, stale_limit=0,
                      legacy=self.legacy if legacy else None),
            Component("sales", "sales", SALES, Fake("mock"), Fake("real")),
        ], self.state.flags, self.clock, max_age=0)
        self.retirements = Retirements(self.state, self.reader, self.clock, self.mocks, after_days=7)

    def mocks(self) -> dict[str, Fake]:
        self.made.append(Fake("mock"))
        return {"orders": self.made[-1], "sales": Fake("mock")}

    async def retire(self, **more: str) -> None:
        await self.retirements.retire("orders", who="ann", **more)

    async def read(self, component: str = "orders", viewer: str | None = None) -> tuple[str | None, Origin, Reason]:
        self.clock.advance(SECOND)
        reading = await self.reader.read(component, viewer)
        payload = reading.payload
        return (payload.by if isinstance(payload, Shown) else None, reading.provenance.source,
                reading.provenance.reason)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.state.close()


def test_a_retired_mock_stands_in_for_nothing(house: House) -> None:
    async def run() -> None:
        house.state.change_flags({"fallback_on_error": True}, who="ann", at=NOW)
        house.real.fails = True
        assert await house.read() == ("mock", Origin.MOCK, Reason.FALLBACK)
        house.state.change_flags({"fallback_on_error": False}, who="ann", at=NOW)
        await house.retire(despite="it is a test")
        house.state.change_flags({"fallback_on_error": True}, who="ann", at=NOW)
        calls = house.mock.calls
        assert await house.read() == (None, Origin.UNAVAILABLE, Reason.FAILED)
        house.real.fails = False
        assert await house.read() == ("real", Origin.REAL, Reason.FLAG)
        assert house.mock.calls == calls
        assert await house.read("sales") == ("real", Origin.REAL, Reason.FLAG)
    asyncio.run(run())


def test_a_legacy_system_may_still_stand_in(tmp_path: Path) -> None:
    house = House(tmp_path, legacy=True)

    async def run() -> None:
        await house.retire()
        house.state.change_flags({"fallback_on_error": True}, who="ann", at=NOW)
        house.real.fails = True
        assert await house.read() == ("legacy", Origin.LEGACY, Reason.LEGACY)
        house.legacy.fails = True
        assert await house.read() == (None, Origin.UNAVAILABLE, Reason.FAILED)
    try:
        asyncio.run(run())
    finally:
        house.state.close()


def test_nothing_of_ours_holds_the_mock_any_more(house: House) -> None:
    gone = weakref.ref(house.mock)
    asyncio.run(house.retire())
    del house.mock
    gc.collect()
    assert gone() is None
    assert house.reader.components["orders"].mock is None
    assert house.reader.components["sales"].mock is not None


def test_a_mock_that_is_asked_at_the_moment_of_its_retirement_is_not_shown(house: House) -> None:
    async def run() -> None:
        house.real.fails = True
        house.state.change_flags({"fallback_on_error": True}, who="ann", at=NOW)
        house.mock.gate = asyncio.Event()
        reading = asyncio.create_task(house.read())
        await house.mock.asked.wait()
        house.state.change_flags({"fallback_on_error": False}, who="ann", at=NOW)
        await house.retire(despite="it is a test")
        house.mock.gate.set()
        assert await reading == (None, Origin.UNAVAILABLE, Reason.FAILED)
        assert house.reader.served == {("orders", Origin.UNAVAILABLE, Reason.FAILED): 1}
    asyncio.run(run())


def test_undone_the_mock_is_back(house: House) -> None:
    async def run() -> None:
        await house.retire()
        await house.retirements.undo("orders", who="bob")
        house.state.change_flags({ORDERS: False}, who="bob", at=NOW)
        assert await house.read() == ("mock", Origin.MOCK, Reason.FLAG)
        assert house.mock.calls == 0, "it was made anew"
        assert house.made[-1].calls == 1
    asyncio.run(run())


def test_a_mock_that_is_no_longer_in_the_code_is_unavailable_and_says_so(house: House) -> None:
    async def run() -> None:
        house.retirements = Retirements(house.state, house.reader, house.clock, dict, after_days=7)
        await house.retire()
        await house.retirements.undo("orders", who="bob")
        house.state.change_flags({ORDERS: False}, who="bob", at=NOW)
        assert await house.read() == (None, Origin.UNAVAILABLE, Reason.FAILED)
        reading = await house.reader.read("orders")
        assert reading.provenance.error == "orders has no mock"
    asyncio.run(run())


def test_what_another_process_retires_is_not_read_here_either(house: House, tmp_path: Path) -> None:
    async def run() -> None:
        with closing(State.open(tmp_path / "state.db")) as other:
            other.retire("orders", ORDERS, who="ann", at=NOW, wait=0)
            house.state.refresh()
            house.real.fails = True
            house.state.change_flags({"fallback_on_error": True}, who="ann", at=NOW)
            assert await house.read() == (None, Origin.UNAVAILABLE, Reason.FAILED), "before anybody reconciles"
            house.retirements.reconcile()
            assert house.reader.components["orders"].mock is None
            other.undo_retirement("orders", who="ann", at=NOW)
            house.state.refresh()
            house.retirements.reconcile()
            assert house.reader.components["orders"].mock is house.made[-1]
            assert len(house.made) == 1
            house.retirements.reconcile()
            assert len(house.made) == 1, "nothing is made that nobody lost"
    asyncio.run(run())


def test_how_far_all_are(house: House) -> None:
    house.state.change_flags({"percent_sales": 50}, who="ann", at=NOW)
    asyncio.run(house.retire())
    orders, sales = house.retirements.standing()
    assert (orders.component, orders.stage, orders.prospect) == ("orders", Stage.RETIRED, None)
    assert orders.retirement is not None
    assert (sales.stage, sales.retirement) == (Stage.RAMPING, None)
    assert sales.prospect is not None
    assert sales.prospect.lacks[0].words == "percent_sales is 50 %, not 100 %"
    alone = Retirements(house.state, Reader([], house.state.flags, house.clock, max_age=0), house.clock, dict,
                        after_days=7)
    told, = alone.standing()
    assert (told.component, told.declared) == ("orders", False)
    with pytest.raises(RetirementError, match="there is no component 'magic'"):
        house.retirements.foresee("magic")
    for refused in (house.retirements.retire("magic", who="ann"), alone.undo("orders", who="ann")):
        with pytest.raises(RetirementError, match="there is no component"):
            asyncio.run(refused)


def test_it_purges_at_once_when_it_runs_and_bears_a_database_that_fails(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def turn() -> None:
        """Some rounds, until it is done or clear that it is not."""
        monkeypatch.setattr("crossfade.retirements.PERIOD", 0)
        running = asyncio.create_task(house.retirements.run())
        for _ in range(200):
            await asyncio.sleep(0)
            if house.state.retirements()[0].purged_at is not None:
                break
            await asyncio.to_thread(lambda: None)
        assert not running.done(), "it goes on"
        running.cancel()

    asyncio.run(house.retire())
    house.clock.advance(KEPT)
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.execute("CREATE TRIGGER stop BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END")
        connection.commit()
        asyncio.run(turn())
        assert house.state.retirements()[0].purged_at is None
        connection.execute("DROP TRIGGER stop")
        connection.commit()
    asyncio.run(turn())
    assert house.state.retirements()[0].purged_at == NOW + KEPT


CHANGES = st.dictionaries(st.sampled_from([*FLAGS]), st.booleans() | st.integers(0, 100), max_size=len(FLAGS))


@given(CHANGES, st.booleans(), st.booleans(), st.lists(st.none() | st.text(max_size=5), min_size=1, max_size=5))
@settings(max_examples=200)
def test_whatever_the_flags_say_a_retired_mock_is_never_read(
    values: dict[str, FlagValue], fails: bool, legacy: bool, viewers: list[str | None],
) -> None:
    real, mock, old = Fake("real"), Fake("mock"), Fake("legacy")
    real.fails = old.fails = fails
    clock = ManualClock(NOW)
    flags = Flags(values, retired=frozenset({ORDERS}))
    reader = Reader([Component("orders", "orders", ORDERS, mock, real, legacy=old if legacy else None)],
                    lambda: flags, clock, max_age=0)

    async def run() -> None:
        for viewer in viewers:
            clock.advance(SECOND)
            reading = await reader.read("orders", viewer)
            assert reading.provenance.source is (Origin.UNAVAILABLE if fails else Origin.REAL)
        await reader.close()
    asyncio.run(run())
    assert mock.calls == 0
