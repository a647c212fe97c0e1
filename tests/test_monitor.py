"""The monitor with a real reader, observer and state, on a clock that the test winds."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import structlog
from msgspec import Struct
from msgspec.structs import replace

from crossfade import monitor as module
from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from crossfade.core.dimension import Status
from crossfade.core.flag import Flags
from crossfade.core.ledger import NOTHING
from crossfade.core.recounted import Recounted
from crossfade.core.threshold import GUIDE, Window
from crossfade.monitor import ASK_EVERY, Monitor, comparisons
from crossfade.observer import Observer
from crossfade.reader import Reader
from crossfade.sources.component import Component, Sample, SourceError
from crossfade.state import State
from crossfade.state.errors import StateError
from crossfade.state.recounts import Replaced
from crossfade.store.port import StoreBusy

NOW = 20_700 * DAY + 12 * HOUR
PATIENT = 20.0
BUSINESS, SYSTEM = "businessMetrics", "systemMetrics"


class Shown(Struct, frozen=True):
    value: int = 1


class Source:
    def __init__(self) -> None:
        self.calls = 0
        self.fails = False

    async def fetch(self, now: int) -> Sample:
        self.calls += 1
        if self.fails:
            raise SourceError("the disk is gone")
        return Sample(Shown(), now)


class House:
    """Two components, one of which events feed; a ledger and flags that the test sets."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.db"
        self.state = State.open(self.path)
        self.clock = ManualClock(NOW)
        self.flags: dict[str, bool | int] = {}
        self.sources = {BUSINESS: Source(), SYSTEM: Source()}
        self.account = NOTHING
        self.ledger_fails = False
        self.runs = 0
        self.anew()

    def anew(self) -> None:
        """As after a restart."""
        self.runs += 1
        self.observer = Observer(self.clock, self.state, self.runs)
        components = [Component(name, name, f"use_real_{name}", Source(), source)
                      for name, source in self.sources.items()]
        self.reader = Reader(components, lambda: Flags(self.flags), self.clock, max_age=1, watch=self.observer)
        self.monitor = Monitor(
            self.reader, self.observer, lambda: Flags(self.flags), self.clock, thresholds=GUIDE, window_s=900,
            ledger=self.ledger, mismatches=self.state.mismatches,
        )

    def ledger(self):
        if self.ledger_fails:
            raise StoreBusy("the store is being closed")
        return self.account

    def recounted(self, number: int, *, wrong: int = 0, field: str = "events", kind: str = "minute",
                  component: str = BUSINESS) -> Recounted:
        start = NOW - (number + 1) * MINUTE
        return Recounted(component, kind, start, start + MINUTE, field, 5 + wrong, 5,  # type: ignore[arg-type]
                         "journal", self.clock.now())

    def audit(self, *found: Recounted) -> None:
        """As the auditor keeps and tells what it found."""
        self.state.put_recount((), Replaced(("minute",), min(f.start for f in found), max(f.end for f in found)),
                               [one for one in found if not one.agrees])
        self.observer.compared(comparisons(found))

    def read(self, name: str = BUSINESS) -> None:
        asyncio.run(self.reader.read(name))

    def proof(self, name: str = BUSINESS) -> tuple[int, int] | None:
        found = self.monitor.quality(name).accuracy_proof
        return None if found is None else (found.agreeing, found.compared)

    def stored(self, sent: int, arrived: int, waiting: int = 0) -> None:
        self.account = replace(NOTHING, sent=sent, arrived=arrived, waiting=waiting)
        self.clock.advance(5 * SECOND)
        self.monitor.look()

    def events(self, name: str = BUSINESS, since: int = 0) -> tuple[int, int]:
        tally = self.observer.tally(name, since, self.clock.now() + MINUTE)
        return tally.due, tally.arrived

    def rename(self, table: str, other: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute(f"ALTER TABLE {table} RENAME TO {other}")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.state.close()


# Accuracy as it stands


def test_accuracy_stands_on_every_window_that_was_ever_compared(house: House) -> None:
    assert house.proof() is None
    house.audit(*map(house.recounted, range(60)))
    house.clock.advance(10 * DAY)
    house.audit(*(house.recounted(number) for number in range(100, 140)))
    assert house.proof() == (100, 100)
    assert house.proof(SYSTEM) is None
    house.observer.store()
    house.anew()
    assert house.proof() == (100, 100)


def test_a_wrong_window_lowers_it_once_and_until_it_is_mended(house: House) -> None:
    house.audit(*map(house.recounted, range(99)), house.recounted(99, wrong=1))
    house.read()
    for _ in range(3):
        found = house.monitor.quality(BUSINESS)
        assert (found.accuracy, found.mismatches) == (99, 1)
    (example,) = found.examples
    assert example.words.startswith("events is 6: the recount says 5, for 2026-")
    assert "99 of 100 compared windows agree" in found.sentence
    assert example.words in found.sentence
    house.clock.advance(DAY)
    assert house.monitor.quality(BUSINESS).accuracy == 99, "however long ago"
    house.anew()
    house.state.put_recount((), Replaced(("minute",), 0, NOW), ())  # repaired, and counted again
    house.observer.compared([])
    mended = house.monitor.quality(BUSINESS)
    assert (mended.mismatches, mended.accuracy_proof) == (0, None), "of the run before nothing was stored"


def test_mended_it_is_whole_again(house: House) -> None:
    house.audit(*map(house.recounted, range(99)), house.recounted(99, wrong=1))
    house.flags["use_real_businessMetrics"] = True
    house.read()
    house.state.put_recount((), Replaced(("minute",), 0, NOW), ())
    assert house.proof() == (100, 100)
    assert "recount says" not in house.monitor.quality(BUSINESS).sentence


def test_fields_of_one_window_are_one(house: House) -> None:
    house.audit(house.recounted(0), house.recounted(1, wrong=1, field="a"), house.recounted(1, wrong=2, field="b"))
    assert house.proof() == (1, 2)


def test_anothers_mismatch_is_not_its_own(house: House) -> None:
    house.audit(house.recounted(0), house.recounted(1, component=SYSTEM), house.recounted(2, component=SYSTEM, wrong=1))
    assert (house.proof(), house.proof(SYSTEM)) == ((1, 1), (1, 2))


def test_a_mismatch_whose_comparison_was_lost_counts(house: House) -> None:
    """As when the server was killed after it was found, or a command without a server found it."""
    house.state.put_recount((), Replaced((), 0, 0), [house.recounted(1, wrong=1), house.recounted(2, wrong=1)])
    assert house.proof() == (0, 2)
    house.observer.compared(comparisons([house.recounted(0)]))
    assert house.proof() == (0, 2)


def test_over_a_window_it_is_of_what_was_compared_in_it(house: House) -> None:
    house.audit(*map(house.recounted, range(10)))
    house.clock.advance(HOUR)
    house.audit(house.recounted(20), house.recounted(21, wrong=1))
    now = house.clock.now()
    for since, expected in ((now - MINUTE, (1, 2)), (NOW - MINUTE, (11, 12))):
        proof = house.monitor.quality(BUSINESS, Window(since, now + 1)).accuracy_proof
        assert proof is not None
        assert (proof.agreeing, proof.compared) == expected
    assert house.monitor.quality(BUSINESS, Window(now + HOUR, now + 2 * HOUR)).accuracy_proof is None


# The trackers' ledger


def test_events_that_are_due_are_counted_for_what_they_feed(house: House) -> None:
    house.flags["use_real_businessMetrics"] = True
    house.stored(1_000, 990)
    assert house.events() == (0, 0), "what was before the start is nobody's"
    house.stored(1_100, 1_085, waiting=5)
    assert house.events() == (95, 95)
    house.stored(1_110, 1_095)
    assert house.events() == (110, 105)
    assert house.events(SYSTEM) == (0, 0)
    house.read()
    found = house.monitor.quality(BUSINESS)
    assert found.completeness == pytest.approx(100 * 105 / 110)
    assert "105 of 110 events that were sent are stored" in next(
        one.sentence for one in found.dimensions if one.name == "completeness")


def test_what_arrives_late_is_whole_again(house: House) -> None:
    house.flags["use_real_businessMetrics"] = True
    house.stored(0, 0)
    house.stored(10, 8)
    house.clock.advance(10 * MINUTE)
    house.stored(10, 10)
    assert house.events() == (10, 10)
    house.read()
    assert house.monitor.quality(BUSINESS).completeness == 100


def test_an_account_that_goes_back_and_forth_counts_nothing_twice(house: House) -> None:
    house.stored(0, 0)
    for sent, arrived, waiting in ((10, 10, 0), (10, 7, 4), (10, 10, 0), (10, 10, 10), (12, 12, 0)):
        house.stored(sent, arrived, waiting)
    assert house.events() == (12, 12)


def test_a_restart_counts_nothing_twice(house: House) -> None:
    house.stored(0, 0)
    house.stored(50, 50)
    house.observer.store()
    house.anew()
    house.stored(50, 50)
    house.stored(60, 59)
    assert house.events() == (60, 59)


# Looking


def test_real_sources_are_asked_though_nobody_looks(house: House) -> None:
    def ask() -> tuple[int, int]:
        asyncio.run(house.monitor._ask())
        return house.sources[BUSINESS].calls, house.sources[SYSTEM].calls

    assert ask() == (0, 0), "the mock alone is shown"
    house.flags["use_real_businessMetrics"] = True
    house.flags["shadow_systemMetrics"] = True
    house.clock.advance(ASK_EVERY)
    assert ask() == (1, 1)
    house.clock.advance(ASK_EVERY - 1)
    assert ask() == (1, 1)
    house.clock.advance(1)
    assert ask() == (2, 2)
    house.flags["percent_businessMetrics"] = 0
    house.clock.advance(ASK_EVERY)
    assert ask() == (2, 3), "on, but for nobody"
    house.clock.advance(-HOUR)
    assert ask() == (2, 4), "a clock that was set back stops nothing"
    found = house.monitor.quality(SYSTEM, Window(0, house.clock.now() + DAY))
    assert (found.calls, found.served) == (4, 0), "nobody was shown anything"


def test_a_look_sees_what_is_wrong_and_says_what_to_do(house: House) -> None:
    house.flags |= {"use_real_businessMetrics": True, "fallback_on_error": True}
    house.sources[BUSINESS].fails = True
    for _ in range(12):
        house.read()
        house.clock.advance(2 * SECOND)
    house.audit(house.recounted(1, wrong=1))
    house.monitor.view = house.monitor.look()
    checks = {condition.key.check for condition in house.monitor.view.conditions}
    assert {"fallbacks", "errors", "errorRate", "completeness", "accuracy"} <= checks
    assert {condition.key.component for condition in house.monitor.view.conditions} == {BUSINESS}
    assert {advice.check for advice in house.monitor.recommendations()} >= {"fallbacks", "errors", "accuracy"}
    assert house.monitor.health().value == 0
    quality, other = house.monitor.view.qualities
    assert (quality.status, other.status) == (Status.FAIL, Status.NO_DATA)
    assert quality.window == Window(house.clock.now() - 900 * SECOND, house.clock.now() + 1)
    house.clock.advance(20 * MINUTE)
    house.sources[BUSINESS].fails = False
    house.state.put_recount((), Replaced(("minute",), 0, NOW), ())
    house.read()
    assert house.monitor.look().conditions == ()


def test_a_component_that_should_be_real_and_is_not_read_is_told(house: House) -> None:
    house.flags["use_real_systemMetrics"] = True
    (condition,) = house.monitor.look().conditions
    assert (condition.key.component, condition.key.check) == (SYSTEM, "noData")


@pytest.mark.parametrize("breaks", ["tallies", "mismatches", "ledger"])
def test_what_fails_leaves_the_last_view_and_is_said(house: House, monkeypatch: pytest.MonkeyPatch,
                                                     breaks: str) -> None:
    house.audit(house.recounted(1))
    house.observer.store()
    monkeypatch.setattr(module, "PERIOD_S", 0.005)

    def fail(on: bool) -> None:
        if breaks == "ledger":
            house.ledger_fails = on
        else:
            house.rename(*((breaks, "elsewhere") if on else ("elsewhere", breaks)))

    async def until(condition) -> None:
        async with asyncio.timeout(PATIENT):
            while not condition():  # noqa: ASYNC110  what it waits for tells nobody
                await asyncio.sleep(0.005)

    async def run() -> None:
        watch = asyncio.create_task(house.monitor.run())
        try:
            await until(lambda: house.monitor.view.qualities)
            with structlog.testing.capture_logs() as logs:
                fail(True)
                await until(lambda: [entry for entry in logs if entry["log_level"] == "warning"])
                kept = house.monitor.view
                house.clock.advance(MINUTE)
                await until(lambda: len(logs) > 3)
                assert house.monitor.view is kept
                assert house.monitor.trouble is not None
                assert {entry["event"] for entry in logs} == {"monitor: quality cannot be told now"}
            if breaks != "ledger":
                with pytest.raises(StateError):
                    house.monitor.quality(BUSINESS)
            fail(False)
            await until(lambda: house.monitor.view.at == house.clock.now())
            assert house.monitor.trouble is None
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    asyncio.run(run())


def test_windows_of_one_kind_and_span_are_one_comparison(house: House) -> None:
    found = comparisons([
        house.recounted(1), house.recounted(2, field="a"), house.recounted(2, wrong=1, field="b"),
        house.recounted(2, kind="hour"), house.recounted(2, component=SYSTEM),
    ])
    assert [(one.component, one.field, one.agrees) for one in found] == [
        (BUSINESS, "events", True), (BUSINESS, "b", False), (BUSINESS, "events", True), (SYSTEM, "events", True)]
    assert comparisons([]) == []
