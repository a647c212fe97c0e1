"""Slots of what components did: kept by run, replaced, found by span, and put together when they are old."""

from collections.abc import Sequence

import pytest

from crossfade.core.clock import DAY, HOUR, MINUTE
from crossfade.state import State
from crossfade.state.tallies import KEEP_HOURS, KEEP_MINUTES, TallyRow

NOW = 20_700 * DAY + 5 * HOUR


def row(start: int, text: str = "1", *, component: str = "c", length: int = MINUTE, run: int = 1) -> TallyRow:
    return TallyRow(component, start, length, run, text)


def summed(rows: Sequence[TallyRow], length: int) -> list[TallyRow]:
    """The texts are numbers here, and add up."""
    sums: dict[tuple[str, int, int], int] = {}
    for one in rows:
        key = one.component, one.start // length * length, one.run
        sums[key] = sums.get(key, 0) + int(one.tally)
    return [TallyRow(component, start, length, run, str(n)) for (component, start, run), n in sums.items()]


def everything(state: State) -> tuple[TallyRow, ...]:
    return state.tallies(-2**62, 2**62)


def coarsen(state: State, now: int = NOW) -> int:
    """Until there is nothing more to do; how many slots went."""
    count = 0
    while found := state.coarsen_tallies(now, summed):
        count += found
    return count


def test_a_slot_is_replaced_and_another_runs_is_not(state: State) -> None:
    state.put_tallies([])
    state.put_tallies([row(0), row(0, run=2), row(0, component="größe"), row(0, length=HOUR)])
    state.put_tallies([row(0, "7")])
    assert everything(state) == (
        row(0, "7"), row(0, run=2), row(0, length=HOUR), row(0, component="größe"),
    )


@pytest.mark.parametrize(("since", "until", "starts"), [
    (60, 120, [60]),
    (61, 62, [60]),
    (59, 61, [0, 60]),
    (119, 121, [60, 120]),
    (120, 120, []),
    (0, 0, []),
    (500, 900, []),
    (0, 10**9, [0, 60, 120]),
])
def test_a_span_has_every_slot_that_reaches_into_it(state: State, since: int, until: int, starts: list[int]) -> None:
    scale = MINUTE // 60
    state.put_tallies([row(start * scale) for start in (120, 0, 60)])
    assert [found.start // scale for found in state.tallies(since * scale, until * scale)] == starts
    assert state.tallies(since * scale, until * scale, "other") == ()


def test_minutes_become_hours_when_all_of_the_hour_is_old(state: State) -> None:
    edge = (NOW - KEEP_MINUTES) // HOUR * HOUR
    state.put_tallies([row(edge - HOUR), row(edge - MINUTE, "2"), row(edge - MINUTE, "4", run=2), row(edge, "8")])
    assert coarsen(state, NOW + HOUR - 1) == 3
    assert everything(state) == (
        row(edge - HOUR, "3", length=HOUR), row(edge - HOUR, "4", length=HOUR, run=2), row(edge, "8"),
    )
    assert coarsen(state, NOW + HOUR - 1) == 0
    assert coarsen(state, NOW + HOUR) == 1


def test_hours_become_days(state: State) -> None:
    midnight = (NOW - KEEP_HOURS) // DAY * DAY
    state.put_tallies([row(midnight - DAY + hour * HOUR, length=HOUR) for hour in range(48)])
    assert coarsen(state) == 24
    found = everything(state)
    assert found[0] == row(midnight - DAY, "24", length=DAY)
    assert {one.length for one in found[1:]} == {HOUR}
    assert len(found) == 25


def test_what_comes_late_is_added_to_the_longer_slot(state: State) -> None:
    """As after a clock that was wrong: the hour is there, and a minute of it comes to be put together."""
    start = NOW - 3 * DAY
    state.put_tallies([row(start, "5")])
    coarsen(state)
    state.put_tallies([row(start, "3"), row(start + MINUTE, "2")])
    coarsen(state)
    assert [(found.length, found.tally) for found in everything(state)] == [(HOUR, "10")]
    midnight = start // DAY * DAY - 100 * DAY
    state.put_tallies([row(midnight, "1", length=DAY), row(midnight + HOUR, "2")])
    coarsen(state)
    assert [(found.length, found.tally) for found in everything(state)] == [(DAY, "3"), (HOUR, "10")]


def test_months_at_once_go_a_day_at_a_time(state: State) -> None:
    state.put_tallies([row(NOW - age * DAY, str(age)) for age in range(3, 120)])
    assert state.coarsen_tallies(NOW, summed) <= 2
    coarsen(state)
    found = everything(state)
    assert sum(int(one.tally) for one in found) == sum(range(3, 120))
    assert MINUTE not in {one.length for one in found}


def test_a_merge_that_fails_leaves_everything_as_it_was(state: State) -> None:
    state.put_tallies([row(NOW - 3 * DAY)])

    def fails(_rows: Sequence[TallyRow], _length: int) -> list[TallyRow]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        state.coarsen_tallies(NOW, fails)
    assert everything(state) == (row(NOW - 3 * DAY),)
