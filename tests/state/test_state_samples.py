"""Figures over time: replaced, found by span and step, put together to hours, and in the end forgotten."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE
from crossfade.core.comparison import Reference
from crossfade.state import State
from crossfade.state.samples import BESIDE, KEEP_HOURS, KEEP_MINUTES, Sample, pair

NOW = 20_700 * DAY + 5 * HOUR


def sample(start: int, value: float = 1, *, component: str = "c", source: str = "real",
           length: int = MINUTE) -> Sample:
    return Sample(component, start, length, source, start - 7, {"a.b": value})


def everything(state: State, component: str = "c") -> tuple[Sample, ...]:
    return state.samples(component, 0, 2**60)


def coarsen(state: State, now: int = NOW) -> int:
    count = 0
    while found := state.coarsen_samples(now):
        count += found
    return count


def test_a_sample_comes_back_as_it_went_and_is_replaced_by_a_later_one(state: State) -> None:
    state.put_samples([])
    state.put_samples([sample(NOW), sample(NOW, source="mock"), sample(NOW, component="d")])
    state.put_samples([sample(NOW, 2)])
    assert everything(state) == (sample(NOW, source="mock"), sample(NOW, 2))
    assert everything(state, "d") == (sample(NOW, component="d"),)


def test_a_span_is_half_open_and_takes_what_overlaps(state: State) -> None:
    state.put_samples(sample(NOW + number * MINUTE) for number in range(5))
    found = state.samples("c", NOW + MINUTE + 1, NOW + 3 * MINUTE)
    assert [(one.start - NOW) // MINUTE for one in found] == [1, 2]


def test_what_was_compared_is_not_among_what_was_shown(state: State) -> None:
    both = pair("c", NOW, MINUTE, NOW + 90, Reference.RECOUNT, real={"a": 3, "b": None}, reference={"a": 4.0})
    state.put_samples([sample(NOW), *both])
    assert everything(state) == (sample(NOW),)
    assert state.samples("c", NOW, NOW + 1, sources=BESIDE) == (
        Sample("c", NOW, MINUTE, "compared", NOW + 90, {"a": 3.0}),
        Sample("c", NOW, MINUTE, "recount", NOW + 90, {"a": 4.0}))
    assert pair("c", NOW, MINUTE, NOW, Reference.SECOND_READER, real={"a": None}, reference={}) == ()


def test_a_whole_day_is_found_by_its_end_and_forgotten_like_an_hour(state: State) -> None:
    midnight = NOW // DAY * DAY
    state.put_samples(pair("c", midnight, DAY, NOW, Reference.RECOUNT, real={"a": 1}, reference={"a": 1}))
    assert len(state.samples("c", midnight + DAY - 1, midnight + 2 * DAY, sources=BESIDE)) == 2
    assert state.samples("c", midnight + DAY, midnight + 2 * DAY, sources=BESIDE) == ()
    coarsen(state, midnight + KEEP_HOURS)
    assert len(state.samples("c", midnight, midnight + 1, sources=BESIDE)) == 2
    coarsen(state, midnight + KEEP_HOURS + 1)
    assert state.samples("c", midnight, midnight + 1, sources=BESIDE) == ()


def test_a_step_gives_the_last_of_each_source(state: State) -> None:
    start = NOW // HOUR * HOUR
    state.put_samples(sample(start + number * MINUTE, number) for number in range(20))
    state.put_samples(sample(start + number * MINUTE, number, source="mock") for number in range(3))
    found = state.samples("c", start, start + HOUR, step=10 * MINUTE)
    assert [(one.source, one.figures["a.b"]) for one in found] == [("mock", 2), ("real", 9), ("real", 19)]


def test_old_minutes_become_hours_with_the_last_figure_that_was_shown(state: State) -> None:
    old = (NOW - KEEP_MINUTES) // HOUR * HOUR - 2 * HOUR
    state.put_samples(sample(old + number * MINUTE, number) for number in range(150))
    state.put_samples([sample(old + 5 * MINUTE, 99, source="mock")])
    assert coarsen(state) == 121
    hours = [one for one in everything(state) if one.length == HOUR]
    assert [(one.source, one.start - old, one.figures["a.b"], one.as_of - old) for one in hours] == [
        ("mock", 0, 99, 5 * MINUTE - 7), ("real", 0, 59, 59 * MINUTE - 7), ("real", HOUR, 119, 119 * MINUTE - 7)]
    assert len(everything(state)) == 3 + 30
    assert coarsen(state) == 0


def test_weeks_of_minutes_are_put_together_a_day_at_a_time(state: State) -> None:
    state.put_samples(sample(NOW - KEEP_MINUTES - 3 * DAY + number * HOUR) for number in range(48))
    assert 0 < state.coarsen_samples(NOW) <= 24
    coarsen(state)
    assert {one.length for one in everything(state)} == {HOUR}


def test_the_oldest_hours_are_forgotten_and_ninety_days_are_not(state: State) -> None:
    state.put_samples([sample(NOW - KEEP_HOURS - HOUR, length=HOUR), sample(NOW - 91 * DAY, length=HOUR)])
    coarsen(state)
    assert [one.start for one in everything(state)] == [NOW - 91 * DAY]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    opened = State.open(Path(tmp_path_factory.mktemp("samples")) / "state.db")
    yield opened
    opened.close()


names = (f"c{number}" for number in count())


@given(st.lists(st.tuples(st.integers(0, 6000), st.sampled_from(["real", "mock"])), unique=True, max_size=40))
def test_no_hour_that_was_seen_is_lost(shared: State, minutes: list[tuple[int, str]]) -> None:
    name, begin = next(names), NOW - KEEP_MINUTES - 4 * DAY
    shared.put_samples(sample(begin + number * MINUTE, number, component=name, source=source)
                       for number, source in minutes)
    coarsen(shared)
    last = {((begin + number * MINUTE) // HOUR, source): number for number, source in sorted(minutes)}
    found = {(one.start // HOUR, one.source): one.figures["a.b"] for one in everything(shared, name)
             if one.length == HOUR}
    assert found == {key: value for key, value in last.items() if key[0] < (NOW - KEEP_MINUTES) // HOUR}
