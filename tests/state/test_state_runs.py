"""The spans in which the collector was alive."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.state import State, StateError
from crossfade.state.runs import covered


def test_nothing_was_alive_before_the_first_run(state: State) -> None:
    assert state.alive(0, 2**62) == 0


def test_a_run_is_alive_from_its_start_to_when_it_was_last_seen(state: State) -> None:
    run = state.begin_run(100)
    assert state.alive(0, 1000) == 0
    state.touch_run(run, 140)
    state.touch_run(run, 160)
    assert state.alive(0, 1000) == 60
    assert state.alive(120, 130) == 10
    assert state.alive(150, 1000) == 10
    assert state.alive(0, 100) == state.alive(160, 200) == state.alive(130, 130) == 0


def test_a_clock_set_back_takes_nothing_away(state: State) -> None:
    run = state.begin_run(100)
    state.touch_run(run, 160)
    state.touch_run(run, 90)
    assert state.alive(0, 1000) == 60


def test_runs_that_overlap_count_once_and_a_gap_not_at_all(state: State) -> None:
    for start, end in ((100, 200), (150, 180), (190, 250), (300, 310)):
        state.touch_run(state.begin_run(start), end)
    assert state.alive(0, 1000) == 160


def test_two_runs_of_the_same_moment_are_two(state: State) -> None:
    one, two = state.begin_run(100), state.begin_run(100)
    assert (one, two) == (100, 101)
    state.touch_run(two, 200)
    assert state.alive(0, 1000) == 200 - two
    state.touch_run(one, 300)
    assert state.alive(0, 1000) == 300 - one


def test_a_run_that_nobody_began_cannot_be_touched(state: State) -> None:
    with pytest.raises(StateError, match="no run 5"):
        state.touch_run(5, 6)


spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted).map(tuple))


@given(spans=spans, start=st.integers(0, 30), length=st.integers(0, 30))
def test_covered_counts_each_moment_once(spans: Iterable[tuple[int, int]], start: int, length: int) -> None:
    moments = {moment for first, last in spans for moment in range(first, last)}
    expected = len(moments & set(range(start, start + length)))
    assert covered(sorted(spans), start, start + length) == expected
