"""Facts of the past: what was recorded is told as it was, and what was not is no data."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import Struct

from crossfade.core.alert import AlertKey, Condition, Pace, Severity
from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, ManualClock, micros, read_iso
from crossfade.core.days import Days
from crossfade.core.flag import ALL, default
from crossfade.core.gate import NOTHING, Fact, Gate
from crossfade.core.plan import Phase, Plan
from crossfade.core.rollout import State as Where
from crossfade.core.rollout import Status
from crossfade.core.sketch import bucket
from crossfade.core.tally import Agreement, Tally, encode
from crossfade.core.threshold import GUIDE, Window
from crossfade.observer import Observer
from crossfade.rehearsal import Ended, Recorded, Rehearsal
from crossfade.rehearsal.recorded import span
from crossfade.state import State
from crossfade.state.tallies import TallyRow

NAME = "businessMetrics"
THEN = micros(read_iso("2026-11-22T00:00Z"))
NOW = micros(read_iso("2026-11-23T09:00Z"))
FLAGS = {name: default(name) for name in ALL}


class Shown(Struct, frozen=True):
    start: int
    length: int
    source: str
    as_of: int
    figures: dict[str, float]


class House:
    """A control database of yesterday: a slot a minute, from midnight on."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock(NOW)
        self.state = State.open(path, durable=False)
        self.shown: list[Shown] = []

    def note(self, minute: int, *, calls: int = 60, errors: int = 0, length: int = MINUTE, agreeing: int = 1,
             due: int = 100, arrived: int = 100, component: str = NAME) -> None:
        start = THEN + minute * MINUTE
        answers = calls - errors
        tally = Tally(component, calls={"real": calls}, errors={"real": {"timeout": errors}} if errors else {},
                      expected=answers, present=answers, valid=answers, latency={bucket(20_000): calls},
                      newest=(start + length - SECOND, start + length - 2 * SECOND), due=due, arrived=arrived,
                      compared={"recount": Agreement(agreeing, 1)})
        self.state.put_tallies([TallyRow(component, start, length, 1, encode(tally).decode())])

    def recorded(self, until: int = NOW) -> Recorded:
        return Recorded(self.state, Observer(self.clock, self.state), GUIDE, Window(THEN, until),
                        samples=lambda name, _since, _until: [one for one in self.shown if name == "systemMetrics"])

    def fact(self, figure: str, at: int, *, soaked: int = 5 * MINUTE, component: str = NAME) -> Fact:
        gate = Gate(figure, component, least=0)
        plan = Plan("p", (Phase("a", {}, HOUR, DAY, (gate,)),))
        where = Where(at, Status.SOAKING, soaked=soaked)
        return asyncio.run(self.recorded()(plan, where, at))[gate.name]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "state.db")
    with closing(made.state):
        yield made


def test_quality_is_that_of_the_slots_of_the_window(house: House) -> None:
    for minute in range(10):
        house.note(minute, errors=6 * (minute == 2))
    early, late = (house.fact("quality.error_rate", THEN + minutes * MINUTE) for minutes in (5, 9))
    assert (early.n, early.k) == (360, 6)  # to whole slots: that of the moment too, as the monitor has it
    assert (late.n, late.k) == (360, 0)
    assert house.fact("quality.freshness", THEN + 5 * MINUTE).value == pytest.approx(1, abs=1)
    assert house.fact("quality.calls", THEN + HOUR).n == 0


def test_accuracy_is_that_of_all_comparisons_until_then(house: House) -> None:
    house.note(-120, agreeing=0)
    for minute in range(10):
        house.note(minute)
    fact = house.fact("quality.accuracy", THEN + 5 * MINUTE, soaked=MINUTE)
    assert (fact.k, fact.n) == (6, 7)


def test_events_are_those_that_were_due_until_then(house: House) -> None:
    for minute in range(10):
        house.note(minute, arrived=90 if minute < 3 else 100)
    assert house.fact("ledger.missing", THEN + 5 * MINUTE - 1, component="").value == 30
    assert house.fact("ledger.completeness", THEN + 5 * MINUTE - 1, component="").k == 470
    assert house.fact("ledger.waiting", THEN + 5 * MINUTE, component="") == NOTHING


def test_alerts_are_those_that_were_open_then_while_a_server_was_there(house: House) -> None:
    run = house.state.begin_run(THEN)
    condition = Condition(AlertKey(NAME, "errors"), Severity.CRITICAL, "cause", "it fails")
    pace = Pace(pending=0, hold=0)
    for minute, holds in ((10, True), (20, False)):
        house.state.step_alerts([condition] if holds else [], at=THEN + minute * MINUTE, pace=pace, targets=())
    house.state.touch_run(run, THEN + 30 * MINUTE)
    found = [house.fact("alerts.critical", THEN + minute * MINUTE, component="").value for minute in (5, 10, 19, 20)]
    assert found == [0, 1, 1, 0]
    assert house.fact("alerts.critical", THEN + 40 * MINUTE, component="") == NOTHING


def test_live_figures_are_those_of_the_real_source_and_fresh(house: House) -> None:
    figures = {"errorRate": 2.5}
    house.shown = [Shown(THEN, MINUTE, "real", THEN, figures),
                   Shown(THEN + MINUTE, MINUTE, "mock", THEN + MINUTE, figures),
                   Shown(THEN + 10 * MINUTE, MINUTE, "real", THEN, figures)]
    assert house.fact("live.system.errorRate", THEN + 30 * SECOND, component="").value == 2.5
    for moment, figure in ((MINUTE, "live.system.errorRate"), (10 * MINUTE, "live.system.errorRate"),
                           (0, "live.system.cpuUsage"), (0, "live.business.errorRate"), (0, "live.none.errorRate")):
        assert house.fact(figure, THEN + moment, component="") == NOTHING


def test_nothing_is_known_of_what_nobody_noted(house: House) -> None:
    assert house.fact("quality.quality", THEN) == NOTHING
    assert house.fact("quality.quality", THEN, component="other") == NOTHING
    assert house.fact("ledger.completeness", THEN, component="") == NOTHING
    assert house.recorded().coarseness == 0


def test_a_slot_of_an_hour_counts_as_a_whole_and_is_not_of_the_future(house: House) -> None:
    house.note(0, length=HOUR, calls=3600)
    fact = house.fact("quality.freshness", THEN + 5 * MINUTE)
    assert fact.value == pytest.approx(1, abs=1)
    assert house.recorded().coarseness == HOUR


@pytest.mark.parametrize("windows", [[(0, 5), (0, 7), (0, 9)], [(0, 5), (3, 9), (1, 4)], [(5, 9), (0, 2)]])
def test_what_is_added_up_step_by_step_is_the_whole(house: House, windows: list[tuple[int, int]]) -> None:
    for minute in range(10):
        house.note(minute, calls=minute + 1)
    recorded = house.recorded()
    gate = Gate("quality.calls", NAME, least=0)
    plan = Plan("p", (Phase("a", {}, HOUR, DAY, (gate,)),))
    for first, last in windows:
        at = THEN + last * MINUTE
        where = Where(at, Status.SOAKING, soaked=(last - first) * MINUTE)
        fact = asyncio.run(recorded(plan, where, at))[gate.name]
        assert fact.value == sum(minute + 1 for minute in range(first, last + 1))


PLAN = Plan("p", (Phase("a", {"use_real_business_metrics": True}, 10 * MINUTE, HOUR,
                        (Gate("quality.error_rate", NAME, most=5), Gate("quality.accuracy", NAME, least=95))),))


def rehearse(house: House, until: int) -> tuple[Ended, str, tuple[str, ...]]:
    found = Rehearsal(PLAN, house.recorded(until), start=THEN, flags=FLAGS, until=until).run()
    return found.ended, found.why, found.notes


def test_a_rollout_against_yesterday(house: House) -> None:
    for minute in range(60):
        house.note(-120 + minute)
    for minute in range(30):
        house.note(minute)
    assert rehearse(house, NOW)[0] is Ended.COMPLETED
    house.note(4, errors=60)
    ended, why, _ = rehearse(house, NOW)
    assert ended is Ended.REVERTED
    assert "quality.error_rate" in why


def test_where_the_record_ends_the_rehearsal_ends(house: House) -> None:
    ended, why, notes = rehearse(house, THEN + 20 * MINUTE)
    assert ended is Ended.UNFINISHED
    assert "what is recorded ends here; until then: a holds" in why
    assert [note.partition(" in ")[0] for note in notes] == [
        f"Nothing was measured of {NAME}:quality.accuracy:least",
        f"Nothing was measured of {NAME}:quality.error_rate:most"]


@pytest.mark.parametrize(("text", "begin", "end"), [
    ("yesterday", "2026-11-22T00:00+01:00", "2026-11-23T00:00+01:00"),
    ("2026-11-20", "2026-11-20T00:00+01:00", "2026-11-21T00:00+01:00"),
    ("2026-11-23", "2026-11-23T00:00+01:00", "2026-11-23T09:00Z"),
    ("7d", "2026-11-16T09:00Z", "2026-11-23T09:00Z"),
    ("12h", "2026-11-22T21:00Z", "2026-11-23T09:00Z"),
])
def test_a_span_of_the_past(text: str, begin: str, end: str) -> None:
    assert span(text, Days("Europe/Berlin"), NOW) == (micros(read_iso(begin)), micros(read_iso(end)))


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-11-24", "7 d", "-7d", "0d", "2026-13-01", "99999d"])
def test_what_is_no_span_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"no span of the past|is not past"):
        span(text, Days(), NOW)
