"""The sampler with a real reader and state, on a clock that the test winds."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from crossfade.core.flag import Flags
from crossfade.reader import Reader
from crossfade.sampler import Sampler, pause
from crossfade.sources.component import Component, SourceError
from crossfade.sources.component import Sample as Answer
from crossfade.state import State
from crossfade.state.errors import StateError
from crossfade.state.samples import KEEP_MINUTES, Sample

NOW = 20_700 * DAY + 12 * HOUR + 17


class Shown(Struct, frozen=True):
    value: float | None


class Odd(Struct, frozen=True):
    value: object


class Source:
    def __init__(self, value: object, age: int = 0) -> None:
        self.value = value
        self.age = age
        self.fails = False

    async def fetch(self, now: int) -> Answer:
        if self.fails:
            raise SourceError("gone")
        known = self.value is None or isinstance(self.value, int)
        return Answer(Shown(self.value) if known else Odd(self.value), now - self.age)  # type: ignore[arg-type]


class House:
    def __init__(self, folder: Path) -> None:
        self.state = State.open(folder / "state.db")
        self.clock = ManualClock(NOW)
        self.flags: dict[str, bool | int] = {}
        self.real, self.mock, self.other = Source(1, age=5), Source(2), Source(3)
        self.components = [Component("one", "one", "use_real_one", self.mock, self.real),
                           Component("two", "two", "use_real_two", self.other, Source(4))]
        self.reader = Reader(self.components, lambda: Flags(self.flags), self.clock, max_age=1)
        self.wanted: set[str] = set()
        self.sampler = Sampler(self.reader, self.state, self.clock, lambda: self.wanted)

    def take(self) -> list[tuple[str, str, float]]:
        self.clock.advance(MINUTE)
        return [(row.component, row.source, row.figures["value"]) for row in asyncio.run(self.sampler.take())]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.state.close()


def test_what_everybody_sees_is_noted_with_its_source_and_time(house: House) -> None:
    house.flags["use_real_one"] = True
    assert house.take() == [("one", "real", 1), ("two", "mock", 3)]
    start = (NOW + MINUTE) // MINUTE * MINUTE
    assert house.state.samples("one", 0, 2**60) == (
        Sample("one", start, MINUTE, "real", NOW + MINUTE - 5, {"value": 1.0}),)
    assert house.reader.served.total() == 0  # nobody was shown anything


def test_a_shadow_is_noted_beside_what_is_shown(house: House) -> None:
    house.wanted = {"one"}
    assert house.take() == [("one", "mock", 2), ("one", "real", 1), ("two", "mock", 3)]


def test_a_source_that_fails_leaves_a_gap_and_its_stand_in_is_no_real_one(house: House) -> None:
    house.flags |= {"use_real_one": True}
    house.wanted = {"one"}
    house.real.fails = True
    assert house.take() == [("one", "mock", 2), ("two", "mock", 3)]
    house.flags["fallback_on_error"] = False
    assert house.take() == [("two", "mock", 3)]


def test_a_payload_that_cannot_be_read_costs_no_other_its_row(house: House) -> None:
    house.mock.value = object()
    assert house.take() == [("two", "mock", 3)]
    house.mock.value = None  # unknown: nothing to note
    assert house.take() == [("two", "mock", 3)]


def test_old_minutes_are_put_together_every_hour(house: House) -> None:
    house.state.put_samples([Sample("one", NOW - KEEP_MINUTES - 2 * HOUR, MINUTE, "real", 1, {"value": 1.0})])
    house.take()
    assert [row.length for row in house.state.samples("one", 0, 2**60)] == [HOUR, MINUTE]


def test_what_cannot_be_stored_now_is_stored_later(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(_: object) -> None:
        raise StateError("the database is locked")

    with monkeypatch.context() as broken:
        broken.setattr(house.state, "put_samples", locked)
        with pytest.raises(StateError):
            house.take()
    assert house.state.samples("one", 0, 2**60) == ()
    house.take()
    house.take()
    assert len(house.state.samples("one", 0, 2**60)) == 3


TURNS = st.lists(st.tuples(st.integers(-SECOND + 1, 20 * SECOND), st.integers(0, 30 * SECOND)), min_size=1, max_size=20)


@given(st.integers(0, MINUTE - 1), TURNS)
def test_no_minute_is_missed_however_early_or_late_a_timer_is(offset: int, turns: list[tuple[int, int]]) -> None:
    now = NOW // MINUTE * MINUTE + offset
    noted = [now // MINUTE]
    for late, work in turns:
        began, now = now, now + work
        now += max(0, int(pause(began, now) * SECOND) + late)
        noted.append(now // MINUTE)
    assert {after - before for before, after in pairwise(noted)} <= {0, 1}


def test_a_clock_that_is_set_back_does_not_stop_it() -> None:
    assert pause(NOW + 90 * DAY, NOW) == 61
    assert pause(NOW, NOW + 90 * DAY) == 0
