"""What was noted: kept over restarts, in a bounded room, and counted once."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from crossfade.core.comparison import Comparison, Reference, compare
from crossfade.core.observation import ErrorKind
from crossfade.core.reading import Origin, Provenance, Reading, Reason
from crossfade.core.tally import Agreement, Tally, decode, encode
from crossfade.observer import MOST_MINUTES, Observer, compared_with_legacy, together
from crossfade.sources.call import Outcome
from crossfade.sources.component import Component, Sample
from crossfade.state import State
from crossfade.state.errors import StateError
from crossfade.state.tallies import TallyRow

NOW = 20_700 * DAY + 12 * HOUR


class Shown(Struct, frozen=True):
    value: int | None = 1


class Source:
    async def fetch(self, now: int) -> Sample:
        return Sample(Shown(), now)


PART = Component("part", "section", "use_real_part", Source(), Source())
OTHER = Component("other", "section", "use_real_other", Source(), Source())


class House:
    """An observer upon a state, with a clock that is told to move."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.db"
        self.state = State.open(self.path)
        self.clock = ManualClock(NOW)
        self.runs = 0
        self.anew()

    def anew(self) -> None:
        """As after a restart."""
        self.runs += 1
        self.observer = Observer(self.clock, self.state, self.runs)

    def call(self, component: Component = PART, *, at: int | None = None, error: bool = False) -> None:
        when = self.clock.now() if at is None else at
        if error:
            outcome = Outcome(when, None, "it is gone", ErrorKind.FAILED, 900)
        else:
            outcome = Outcome(when, Sample(Shown(), when), None, None, 900)
        self.observer.called(component, Origin.REAL, outcome)

    def calls(self, component: str = "part", since: int = 0, until: int = 2**62) -> int:
        return self.observer.tally(component, since, until).calls.get("real", 0)

    def stored(self) -> int:
        """Calls that the database has."""
        rows = self.state.tallies(0, 2**62)
        return sum(decode(row.tally.encode()).calls.get("real", 0) for row in rows)

    def minutes(self, count: float = 1) -> None:
        self.clock.advance(int(count * MINUTE))

    def break_state(self) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("ALTER TABLE tallies RENAME TO elsewhere")

    def mend_state(self) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("ALTER TABLE elsewhere RENAME TO tallies")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.state.close()


def comparison(number: int, *, agrees: bool = True, at: int = NOW, component: str = "part",
               kind: Reference = Reference.RECOUNT) -> Comparison:
    return compare(component, "events", 5, 5 if agrees else 4, kind,
                   window=(number * MINUTE, (number + 1) * MINUTE), at=at)


# What is told


def test_each_thing_is_counted_as_what_it_is(house: House) -> None:
    house.call()
    house.call(error=True)
    house.observer.called(PART, Origin.MOCK, Outcome(NOW, Sample(Shown(), NOW), None))
    told = Provenance(Origin.MOCK, True, NOW, NOW, Reason.FALLBACK, "it is gone")
    house.observer.served(PART, Reading("part", Shown(), told))
    house.observer.shed(PART)
    house.observer.accounted("part", 9, 7, NOW)
    house.observer.compared([comparison(1), comparison(2, agrees=False),
                             comparison(3, kind=Reference.SECOND_READER)])
    found = house.observer.tally("part", NOW, NOW + 1)
    assert found.calls == {"real": 2, "mock": 1}
    assert found.errors == {"real": {"failed": 1}}
    assert (found.served, found.synthetic, found.undeclared) == ({"mock/fallback": 1}, 1, 1)
    assert (found.shed, found.due, found.arrived) == (1, 9, 7)
    assert found.compared == {"recount": Agreement(1, 2), "second_reader": Agreement(1, 1)}
    assert {example.sort for example in found.examples} == {"error", "mismatch"}
    assert house.observer.tally("other", 0, 2**62) == Tally("other")


def test_a_reading_beside_the_legacy_one_is_one_comparison(house: House) -> None:
    def outcome(value: int | None) -> Outcome:
        return Outcome(NOW, Sample(Shown(value), NOW), None)

    house.observer.paired(PART, outcome(5), outcome(5), outcome(5))
    house.observer.paired(PART, outcome(9), outcome(5), outcome(5))
    house.observer.paired(PART, outcome(6), outcome(5), outcome(7))
    house.observer.paired(PART, outcome(None), outcome(5), outcome(5))
    house.observer.paired(PART, outcome(5), Outcome(NOW, None, "gone", ErrorKind.FAILED), outcome(5))
    assert house.observer.tally("part", 0, 2**62).compared == {"legacy": Agreement(2, 3, 1)}


class Rows(Struct, frozen=True):
    rows: tuple[Shown, ...]
    name: str = "n"


def test_numbers_are_compared_by_their_places() -> None:
    real, legacy = Rows((Shown(1), Shown(2), Shown(3))), Rows((Shown(1), Shown(5)))
    found = compared_with_legacy("part", real, legacy, legacy, window=(NOW, NOW), at=NOW)
    assert [(one.field, one.agrees) for one in found] == [("rows.0.value", True), ("rows.1.value", False)]


# What is kept


def test_a_restart_goes_on(house: House) -> None:
    for _ in range(3):
        house.call()
        house.minutes()
    house.observer.store()
    house.call(OTHER)  # and is killed before this is stored
    house.anew()
    assert (house.calls(), house.calls("other")) == (3, 0)
    house.call()
    assert house.calls() == 4
    house.observer.store()
    house.anew()
    assert house.calls() == 4


def test_two_runs_in_one_minute_add_up(house: House) -> None:
    house.call()
    house.observer.store()
    house.anew()
    house.call()
    house.call()
    assert house.calls() == 3
    house.observer.store()
    assert house.calls() == 3
    assert house.stored() == 3
    assert [row.run for row in house.state.tallies(0, 2**62)] == [1, 2]


def test_two_servers_on_one_state_see_each_others(house: House) -> None:
    mine = house.observer
    house.anew()
    house.call()
    house.observer.store()
    assert mine.tally("part", 0, 2**62).calls == {"real": 1}


def test_what_comes_late_is_added_to_what_is_stored(house: House) -> None:
    first = house.clock.now()
    house.call()
    house.observer.store()
    house.minutes(3)
    house.observer.store()
    house.call(at=first + SECOND)
    assert house.calls() == 2
    house.observer.store()
    assert (house.calls(), house.stored()) == (2, 2)


def test_a_clock_that_is_set_back_replaces_nothing(house: House) -> None:
    house.call()
    house.observer.store()
    house.minutes(10)
    house.call()
    house.observer.store()
    house.minutes(-10)
    house.call()
    house.observer.store()
    house.anew()
    assert (house.calls(), house.stored()) == (3, 3)


def test_what_cannot_be_stored_is_kept_and_stored_later(house: House) -> None:
    house.call()
    house.break_state()
    for _ in range(4):
        house.minutes()
        house.call()
        with structlog.testing.capture_logs() as logs:
            house.observer.store()
        assert [entry["event"] for entry in logs] == ["observer: what was noted cannot be stored now"]
    with pytest.raises(StateError):
        house.calls()
    house.mend_state()
    assert house.calls() == 5
    house.observer.store()
    assert house.stored() == 5
    house.anew()
    assert house.calls() == 5


def test_of_a_long_failure_the_last_day_is_kept(house: House) -> None:
    house.break_state()
    with structlog.testing.capture_logs():
        for _ in range(MOST_MINUTES + 100):
            house.call()
            house.minutes()
            if house.clock.now() // MINUTE % 50 == 0:
                house.observer.store()
        house.observer.store()
    assert len(house.observer._slots) == MOST_MINUTES
    house.mend_state()
    house.observer.store()
    assert house.stored() == MOST_MINUTES


def test_without_a_state_it_counts_and_keeps_nothing() -> None:
    observer = Observer(ManualClock(NOW))
    observer.compared([comparison(1)])
    observer.store()
    assert observer.proof("part") == Agreement(1, 1)
    assert observer.tally("part", 0, 2**62).compared == {"recount": Agreement(1, 1)}
    assert [start for start, _, _ in observer.series("part", 0, 2**62)] == [NOW]


@pytest.mark.parametrize("text", ["{", "[]", '{"component": 5}', encode(Tally("other", calls={"real": 5})).decode()])
def test_a_slot_that_cannot_be_read_is_left_out_and_said(house: House, text: str) -> None:
    house.call()
    house.observer.store()
    house.state.put_tallies([TallyRow("part", NOW - 5 * MINUTE, MINUTE, 1, text)])
    with structlog.testing.capture_logs() as logs:
        assert house.calls() == 1
        assert len(house.observer.series("part", 0, 2**62)) == 1
    assert {entry["log_level"] for entry in logs} == {"error"}


# In a bounded room


def test_memory_holds_the_last_minutes_alone(house: House) -> None:
    for _ in range(200):
        house.call()
        house.call(OTHER)
        house.observer.store()
        house.minutes(0.5)
        house.observer.store()
    assert len(house.observer._slots) <= 2 * 3
    assert house.calls() == 200


def test_a_year_takes_no_more_than_its_days(house: House) -> None:
    """A call every 3 hours: two days of minutes, sixty days of hours, and a year of days."""
    days = 365
    for _ in range(days * 8):
        house.call()
        house.clock.advance(3 * HOUR)
        if house.clock.now() % DAY == 0:
            house.observer.store()
            assert len(house.observer._slots) <= 1
    house.observer.store()
    rows = house.state.tallies(0, 2**62)
    lengths = {length: sum(row.length == length for row in rows) for length in (MINUTE, HOUR, DAY)}
    assert lengths[MINUTE] <= 8 * 3
    assert lengths[HOUR] <= 8 * 60
    assert lengths[DAY] <= days
    assert house.stored() == house.calls() == days * 8
    assert sum(tally.calls["real"] for _, _, tally in house.observer.series("part", 0, 2**62)) == days * 8
    month = house.observer.tally("part", house.clock.now() - 30 * DAY, house.clock.now())
    assert 30 * 8 <= month.calls["real"] <= 30 * 8 + 2, "to whole slots"


ages = st.integers(0, 200 * 24 * 60)
facts = st.lists(st.tuples(ages, st.integers(1, 3), st.integers(1, 9)), max_size=40)


@given(facts)
def test_putting_slots_together_keeps_every_count(told: list[tuple[int, int, int]]) -> None:
    rows = [TallyRow("c", NOW - age * MINUTE, MINUTE, run, encode(Tally(
        "c", calls={"real": n}, present=n, compared={"recount": Agreement(n, 2 * n)})).decode())
        for age, run, n in told]

    def sums(found: list[TallyRow]) -> dict[int, tuple[int, int, Agreement]]:
        by_run: dict[int, tuple[int, int, Agreement]] = {}
        for row in found:
            tally, before = decode(row.tally.encode()), by_run.get(row.run, (0, 0, Agreement()))
            by_run[row.run] = (before[0] + tally.calls["real"], before[1] + tally.present,
                               before[2] + tally.compared["recount"])
        return by_run

    hours = together(rows, HOUR)
    days = together(hours, DAY)
    assert sums(rows) == sums(hours) == sums(days)
    assert sums(together(rows, DAY)) == sums(days)
    for found, length in ((hours, HOUR), (days, DAY)):
        assert all(row.start % length == 0 and row.length == length for row in found)
        assert len({(row.start, row.run) for row in found}) == len(found)


def test_a_slot_that_cannot_be_read_is_not_put_together() -> None:
    with structlog.testing.capture_logs() as logs:
        assert together([TallyRow("part", 0, MINUTE, 1, "{")], HOUR) == []
    assert logs[0]["component"] == "part"


# What is asked


def test_the_proof_is_all_that_was_ever_compared(house: House) -> None:
    house.observer.compared([comparison(1), comparison(2, agrees=False)])
    assert house.observer.proof("part") == Agreement(1, 2)
    house.observer.compared([comparison(3), comparison(4, kind=Reference.LEGACY)])
    assert house.observer.proof("part") == Agreement(2, 3)
    assert house.observer.proof("other") == Agreement()
    house.observer.store()
    house.minutes(60 * 24 * 100)
    house.anew()
    house.observer.compared([comparison(5, at=house.clock.now())])
    assert house.observer.proof("part") == Agreement(3, 4)


def test_a_state_that_fails_loses_no_comparison(house: House) -> None:
    house.observer.compared([comparison(1)])
    house.observer.store()
    house.anew()
    house.break_state()
    house.observer.compared([comparison(2)])
    with pytest.raises(StateError):
        house.observer.proof("part")
    house.mend_state()
    assert house.observer.proof("part") == Agreement(2, 2)


def test_a_series_is_in_order_and_whole(house: House) -> None:
    for _ in range(5):
        house.call()
        house.minutes(2)
    house.observer.store()
    house.anew()
    house.call()
    house.call(OTHER)
    found = house.observer.series("part", NOW, house.clock.now() + 1)
    assert [(start - NOW, length, tally.calls["real"]) for start, length, tally in found] == [
        (place * 2 * MINUTE, MINUTE, 1) for place in range(6)]
    assert [start - NOW for start, _, _ in house.observer.series("part", NOW + MINUTE, NOW + 2 * MINUTE + 1)] == [
        2 * MINUTE]
    house.observer.store()
    assert house.observer.series("part", NOW, house.clock.now() + 1) == found


def test_one_slot_of_two_runs_is_one_in_a_series(house: House) -> None:
    house.call()
    house.observer.store()
    house.anew()
    house.call()
    ((start, length, tally),) = house.observer.series("part", NOW, NOW + 1)
    assert (start, length, tally.calls) == (NOW, MINUTE, {"real": 2})


def test_what_is_given_out_changes_nothing_inside(house: House) -> None:
    house.call()
    house.observer.tally("part", 0, 2**62).calls["real"] = 99
    house.observer.series("part", 0, 2**62)[0][2].calls["real"] = 99
    assert house.calls() == 1


def test_threads_lose_nothing_and_count_nothing_twice(house: House) -> None:
    rounds, failures, seen = 150, [], []
    done = threading.Event()

    def tell(number: int) -> None:
        for place in range(rounds):
            house.call(at=NOW - place % 3 * MINUTE)
            house.observer.compared([comparison(number * rounds + place)])

    def keep() -> None:
        while not done.is_set():
            house.observer.store()

    def ask() -> None:
        while not done.is_set():
            seen.append((house.calls(), house.observer.proof("part").compared))

    def guarded(work, *arguments: int) -> None:
        try:
            work(*arguments)
        except (StateError, RuntimeError, KeyError, ValueError) as error:
            failures.append(error)

    tellers = [threading.Thread(target=guarded, args=(tell, number)) for number in range(3)]
    others = [threading.Thread(target=guarded, args=(work,)) for work in (keep, ask)]
    for thread in (*tellers, *others):
        thread.start()
    for thread in tellers:
        thread.join()
    done.set()
    for thread in others:
        thread.join()
    assert failures == []
    assert [calls for calls, _ in seen] == sorted(calls for calls, _ in seen)
    assert house.calls() == house.observer.proof("part").compared == 3 * rounds
    house.observer.store()
    assert house.stored() == 3 * rounds
    house.anew()
    assert house.observer.proof("part") == Agreement(3 * rounds, 3 * rounds)
