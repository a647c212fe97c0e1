"""No row that is asked for lies before the horizon, and not many more lie after it."""

from hypothesis import given
from hypothesis import strategies as st

from crossfade.store.horizon import EVERY, NOTHING, UNKNOWN, Horizon, Mark

segments = st.lists(st.tuples(st.integers(1, 2 * EVERY), st.integers(0, 1_000), st.integers(-50, 1_000)), max_size=12)
"""Rows, and how late they happened: by our clock, by the sender's."""


def grown(several: list[tuple[int, int, int]]) -> Horizon:
    horizon = Horizon((), NOTHING)
    for number, (rows, latest, latest_raw) in enumerate(several, 1):
        horizon.grow(horizon.due(), rows, number, latest, latest_raw)
    return horizon


@given(segments, st.integers(-100, 1_100))
def test_all_that_is_asked_for_lies_behind_it(several: list[tuple[int, int, int]], moment: int) -> None:
    horizon, place = grown(several), 0
    for number, (rows, latest, latest_raw) in enumerate(several, 1):
        if latest >= moment:
            assert horizon.since(moment) <= place
        if latest_raw >= moment:
            assert horizon.since_raw(moment) <= place
        if number > moment:
            assert horizon.after(moment) <= place
        place += rows
    assert horizon.rows == place


@given(st.lists(st.integers(1, EVERY), min_size=1, max_size=12))
def test_of_events_in_their_order_about_a_row_group_too_many_is_looked_at(rows: list[int]) -> None:
    horizon, before = grown([(count, number, number) for number, count in enumerate(rows)]), 0
    for number, count in enumerate(rows):
        assert before - 2 * EVERY < horizon.since(number) <= before
        before += count


@given(segments)
def test_marks_that_were_kept_give_the_same_again(several: list[tuple[int, int, int]]) -> None:
    horizon, kept = Horizon((), NOTHING), []
    for number, (rows, latest, latest_raw) in enumerate(several, 1):
        if (mark := horizon.due()) is not None:
            kept.append(mark)
        horizon.grow(mark, rows, number, latest, latest_raw)
    again = Horizon(kept, horizon._whole)
    for moment in range(0, 1_001, 50):
        assert (again.since(moment), again.since_raw(moment), again.after(moment)) == (
            horizon.since(moment), horizon.since_raw(moment), horizon.after(moment))
    assert again.due() == horizon.due()


def test_what_is_unknown_stays_so() -> None:
    UNKNOWN.grow(UNKNOWN.due(), 10 * EVERY, 5, 5, 5)
    assert (UNKNOWN.rows, UNKNOWN.due(), UNKNOWN.since(9), UNKNOWN.after(9)) == (None, None, 0, 0)
    assert Horizon([Mark(7, 1, 1, 1)], Mark(9, 1, 1, 1), fixed=False).since(5) == 0
