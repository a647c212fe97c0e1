"""Counted days."""

from datetime import date, timedelta

import pytest

from crossfade.state import DailyStats, State, StateError

DAY = date(2026, 3, 29)


def test_days_come_back_as_they_were_put(state: State) -> None:
    rows = [DailyStats(DAY, 1, 2**40, 3, 4, 5, 6), DailyStats(DAY + timedelta(1), 0, None, 0, 0, 0, 7)]
    state.put_daily_stats(rows)
    assert state.daily_stats(DAY, DAY + timedelta(1)) == {row.day: row for row in rows}


def test_both_ends_are_included_and_gaps_stay_gaps(state: State) -> None:
    days = [DAY + timedelta(offset) for offset in (-1, 0, 2, 3)]
    state.put_daily_stats(DailyStats(day, 1, None, 1, 1, 1, 1) for day in days)
    assert list(state.daily_stats(DAY, DAY + timedelta(2))) == days[1:3]
    assert state.daily_stats(DAY, DAY - timedelta(1)) == {}


def test_a_year_of_fewer_digits_is_in_its_place(state: State) -> None:
    early = date(999, 12, 31)
    state.put_daily_stats([DailyStats(early, 1, None, 1, 1, 1, 1), DailyStats(DAY, 1, None, 1, 1, 1, 1)])
    assert list(state.daily_stats(date.min, DAY)) == [early, DAY]


def test_a_new_count_takes_the_place_of_the_old(state: State) -> None:
    state.put_daily_stats([DailyStats(DAY, 1, 10, 3, 4, 5, 6)])
    again = DailyStats(DAY, 2, None, 5, 6, 7, 8)
    state.put_daily_stats([again])
    assert state.daily_stats(DAY, DAY) == {DAY: again}


def test_putting_nothing_is_fine(state: State) -> None:
    state.put_daily_stats([])
    assert state.daily_stats(date.min, date.max) == {}


def test_one_row_that_cannot_be_stored_keeps_all_out(state: State) -> None:
    good = DailyStats(DAY, 1, None, 1, 1, 1, 1)
    with pytest.raises(StateError, match="cannot hold this value"):
        state.put_daily_stats([good, DailyStats(DAY + timedelta(1), 2**63, None, 1, 1, 1, 1)])
    assert state.daily_stats(date.min, date.max) == {}
