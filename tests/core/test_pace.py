"""The steps of a rehearsal, and how its timeline is put together."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND
from crossfade.core.freeze import Freeze
from crossfade.core.gate import Gate, judge
from crossfade.core.pace import MOST_LOOKS, pace
from crossfade.core.plan import Phase, Plan
from crossfade.core.rollout import State, Status
from crossfade.core.timeline import Entry, compressed

GATE = Gate("live.a.b", most=1)
NOON = 20_700 * DAY + 12 * HOUR  # a Sunday
NIGHT = Freeze(start="20:00", end="06:00")


def plan(soak: int, *freeze: Freeze) -> Plan:
    return Plan("p", (Phase("A", {}, soak, 4 * soak, (GATE,)),), freeze)


def soaking(soaked: int = 0, spent: int = 0) -> State:
    return State(NOON, Status.SOAKING, soaked=soaked, spent=spent, known=True)


def test_a_soak_is_looked_at_often_enough_and_not_too_often() -> None:
    assert pace(plan(5 * MINUTE), soaking(), NOON) == 10 * SECOND
    assert pace(plan(5 * SECOND), soaking(), NOON) == SECOND
    assert pace(plan(DAY), soaking(), NOON) == DAY // MOST_LOOKS
    assert pace(plan(365 * DAY), soaking(), NOON) == 365 * DAY // MOST_LOOKS


def test_a_step_ends_with_the_soak_and_the_deadline() -> None:
    assert pace(plan(5 * MINUTE), soaking(5 * MINUTE - 3 * SECOND), NOON) == 3 * SECOND
    assert pace(plan(5 * MINUTE), soaking(5 * MINUTE, 20 * MINUTE - 2 * SECOND), NOON) == 2 * SECOND


def test_what_waits_for_a_thaw_wakes_at_its_first_minute() -> None:
    waiting = State(NOON)
    assert pace(plan(MINUTE, NIGHT), waiting, NOON) == MINUTE
    assert pace(plan(MINUTE, NIGHT), waiting, NOON + 9 * HOUR + 7 * SECOND) == 9 * HOUR - 7 * SECOND
    assert pace(plan(MINUTE, NIGHT), soaking(MINUTE), NOON + 9 * HOUR) == 15 * MINUTE


def test_a_freeze_without_end_is_no_endless_search() -> None:
    assert pace(plan(MINUTE, Freeze()), State(NOON), NOON) == 7 * DAY


@given(st.integers(1, 365 * DAY), st.builds(soaking, st.integers(0, 400 * DAY), st.integers(0, 2000 * DAY)),
       st.booleans(), st.sampled_from(Status), st.sampled_from([(), (NIGHT,), (Freeze(),)]))
def test_a_step_is_never_shorter_than_a_second(soak: int, state: State, known: bool, status: Status,
                                               freeze: tuple[Freeze, ...]) -> None:
    state = replace(state, status=status, known=known, phase=int(status is Status.DONE))
    assert pace(plan(soak, *freeze), state, NOON) >= SECOND


def entry(after: int, words: str, move: str = "hold", phase: str = "A", **more: object) -> Entry:
    return replace(Entry(NOON + after, after, after, phase, move, "r", (words,)), **more)


def test_holds_that_differ_in_numbers_alone_are_one() -> None:
    made = compressed([
        entry(1, "begins", "begin"), entry(2, "soaked 10 s of 5 min."), entry(3, "soaked 1 min of 5 min."),
        entry(4, "soaked 90 s of 5 min."), entry(5, "waits for web-1."), entry(6, "soaked 2 min of 5 min."),
        entry(7, "soaked 2 min of 5 min.", phase="B"),
        entry(8, "soaked 2 min of 5 min.", phase="B", verdicts=(judge(GATE),)), entry(9, "gone", "revert"),
        entry(9, "gone", "revert")])
    assert [(one.after, one.until, one.words) for one in made] == [
        (1, 1, "begins"), (2, 4, "soaked 90 s of 5 min."), (5, 5, "waits for web-1."), (6, 6, "soaked 2 min of 5 min."),
        (7, 7, "soaked 2 min of 5 min."), (8, 8, "soaked 2 min of 5 min."), (9, 9, "gone"), (9, 9, "gone")]
    assert made[1].at == NOON + 2
