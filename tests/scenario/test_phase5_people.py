"""Phase 5 with people, processes and clocks that do as they please: what waits says so, and what goes back stays."""

from collections.abc import Callable

import pytest

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND
from crossfade.core.rollout import Move, Status

from .test_phase5_faults import BUSINESS, FALLBACK, gate, plan, too_many
from .wound import Wound

House = Callable[..., Wound]
PROVED = gate("quality.quality", "least = 95", component="businessMetrics", judged="at_end")


def begun(house: House, text: str | None = None) -> Wound:
    """A rollout in the middle of its first soak."""
    server = house()
    server.start(text or plan(PROVED))
    server.turns(3)
    assert server.rollout().state.status is Status.SOAKING
    return server


def said(server: Wound) -> str:
    """As everybody is told it over HTTP."""
    return " ".join(server.document()["said"])  # type: ignore[arg-type]


def holding(server: Wound, *processes: str) -> None:
    """Processes that do not answer."""
    server.app.controller._behind = lambda _: processes


# People

def test_a_flag_set_by_hand_pauses_it_until_somebody_resumes(house: House) -> None:
    server = begun(house)
    server.set_flags(percentBusinessMetrics=30)
    server.turn()
    paused = server.steps()[-1]
    assert paused.move is Move.PAUSE
    assert "somebody else set percent_business_metrics = 30, where the rollout has" in paused.said[0]
    server.turns(20)
    assert server.flags["percent_business_metrics"] == 30
    assert "Resume it" in said(server)
    assert ("rollout", "paused") in {(alert.key.component, alert.key.check) for alert in server.app.alerts.live()}
    assert server.tell("resume")["soakedS"] == 0
    assert server.flags["percent_business_metrics"] == 100
    server.until(Move.DONE)


def test_a_flag_set_by_hand_and_an_abort_revert_all(house: House) -> None:
    server = begun(house)
    server.set_flags(useRealBusinessMetrics=False)
    server.turn()
    assert server.rollout().state.paused is not None
    server.set_flags(useRealBusinessMetrics=True)
    server.tell("abort", "smoke")
    server.turns(3)
    ended = server.rollout()
    assert (ended.state.status, ended.state.why) == (Status.REVERTED, "admin token aborted it: smoke")
    assert server.flags[BUSINESS] is False


def test_a_rollback_by_hand_ends_it_for_good(house: House) -> None:
    server = begun(house)
    assert server.sources()["businessMetrics"] == "real"
    assert server.rollback()["changed"]
    assert server.sources()["businessMetrics"] == "mock"
    step = server.steps()[-1]
    assert (step.move, step.said) == (Move.REVERTED, ("watched ends: admin token rolled back: by hand.",))
    server.turns(20)
    assert server.flags[BUSINESS] is False
    assert server.document()["status"] == "reverted"
    assert server.tell("resume", status=409)["message"] == "rollout 1 is over: nothing can be told to it"


def test_a_rollback_of_what_the_plan_is_not_about_leaves_it_alone(house: House) -> None:
    server = house()
    server.set_flags(useRealSystemMetrics=True)
    server.start(plan(PROVED))
    server.rollback("systemMetrics")
    server.until(Move.DONE)
    assert (server.flags[BUSINESS], server.flags["use_real_system_metrics"]) == (True, False)


def test_a_rollback_while_it_goes_back_ends_it_though_a_process_is_silent(house: House) -> None:
    server = begun(house)
    holding(server, "web-2")
    server.tell("abort")
    server.turns(20)
    assert server.rollout().state.status is Status.REVERTING
    assert "web-2. A rollback ends it without them." in said(server)
    server.rollback()
    assert server.rollout().state.status is Status.REVERTED
    assert server.flags[BUSINESS] is False


def test_without_approval_nothing_begins_however_long_it_takes(house: House) -> None:
    server = house()
    server.start(plan(PROVED, more="approval = true"))
    server.turns(30)
    assert server.rollout().state.status is Status.WAITING
    assert "somebody must approve it" in said(server)
    assert server.flags[BUSINESS] is False
    assert server.tell("approve")["status"] == "soaking"
    assert server.flags[BUSINESS] is True


def test_what_it_needs_and_nobody_sets_keeps_it_waiting(house: House) -> None:
    server = house()
    server.start(at="5D without fallback")
    server.turns(5)
    assert "use_real_system_metrics, use_real_historical_data must be on for every viewer: set it" in said(server)
    assert server.flags[FALLBACK] is True


# Processes

def test_a_silent_process_holds_the_soak_until_the_deadline_takes_it_back(house: House) -> None:
    server = begun(house)
    soaked = server.rollout().state.soaked
    holding(server, "web-2")
    reverted = server.until(Move.REVERT)
    assert server.rollout().state.soaked == soaked
    assert "has not passed within 15 min: not known to have the flags yet: web-2" in reverted.said[0]
    server.turn()
    assert "Goes back; not known to have the flags yet: web-2." in said(server)
    holding(server)
    server.until(Move.REVERTED)
    assert server.flags[BUSINESS] is False


# Evidence that is not enough

def test_one_disagreement_among_few_holds_until_it_is_repaired(house: House) -> None:
    server = house()
    too_many(server)
    server.start()
    server.turns(20)
    held = server.rollout()
    assert held.state.status is Status.SOAKING
    assert "the soak is over, but businessMetrics: quality.quality is" in said(server)
    assert "file_processed" in held.verdicts[0].sentence
    assert "compared windows agree" in held.verdicts[0].sentence
    server.recount(repair=True)
    assert "5B system begins." in server.until(Move.BEGIN).said


# Clocks

@pytest.mark.parametrize("jump", [HOUR, -HOUR, 40 * DAY, -40 * DAY])
def test_a_clock_that_jumps_is_told_and_makes_no_soak(house: House, jump: int) -> None:
    server = begun(house)
    soaked = server.rollout().state.soaked
    server.clock.advance(jump)
    server.turn(after=SECOND)
    assert ("Nobody watched for" if jump > 0 else "The clock went back by") in said(server)
    assert server.rollout().state.soaked - soaked <= MINUTE
    assert server.flags[BUSINESS] is True
    server.until(Move.DONE)


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_jumps_while_it_goes_back_holds_nothing_up(house: House, jump: int) -> None:
    server = begun(house)
    holding(server, "web-2")
    server.tell("abort")
    server.clock.advance(jump)
    server.turn()
    assert server.flags[BUSINESS] is False
    assert "web-2" in said(server)
    holding(server)
    server.until(Move.REVERTED, most=1)


def test_in_a_freeze_nothing_begins_and_after_it_all_goes_on(house: House) -> None:
    server = house()
    server.start(plan(PROVED, more="") + '[[phases.freeze]]\ndays = ["fri"]\nstart = "11:00"\nend = "12:20"\n')
    server.turns(15)
    assert "nothing begins during a freeze, fri 11:00 to 12:20 (UTC)" in said(server)
    assert server.flags[BUSINESS] is False
    began = server.until(Move.BEGIN, most=6)
    assert began.at % DAY >= 12 * HOUR + 20 * MINUTE
    server.until(Move.DONE)
