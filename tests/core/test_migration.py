"""The migration's standing: its table, and what holds of every rollout."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossfade.core.alert import Alert, AlertKey, Evidence, Severity
from crossfade.core.alert import Status as AlertStatus
from crossfade.core.clock import HOUR, MINUTE, SECOND
from crossfade.core.flag import Flags
from crossfade.core.freeze import Freeze
from crossfade.core.migration import Around, Drilled, Migration, Underway, migration, progress, stands
from crossfade.core.plan import Plan
from crossfade.core.rollout import Action, Move, State, Status

from .tally_samples import quality
from .test_decide import (
    AT_ONCE,
    BAD,
    BUSINESS,
    GOOD,
    LAST,
    LOW,
    NONE,
    PERCENT,
    PLAN,
    PLANS,
    RAMPED,
    SYSTEM,
    TICKS,
    Story,
    begun,
)

COMPONENTS = {"businessMetrics": BUSINESS, "systemMetrics": SYSTEM}
WHOLE = 3 * 5 * MINUTE + MINUTE + MINUTE
DRILLED = Drilled(0, None)


def told(story: Story, **around: object) -> Migration:
    made = story.made
    found = Underway(story.plan, story.state, 10**15, made.said if made else (), made.verdicts if made else ())
    return migration(found, surroundings(story.flags, **around), story.now)


def surroundings(flags: dict[str, bool | int], **more: object) -> Around:
    return Around(**{"flags": Flags(dict(flags)), "components": COMPONENTS, "drilled": DRILLED, **more})


def alert(component: str, status: AlertStatus = AlertStatus.OPEN) -> Alert:
    return Alert(AlertKey(component, "errors"), Severity.CRITICAL, "why", "many errors", Evidence(), status, 0)


def test_a_rollout_from_its_beginning_to_its_end() -> None:
    story = begun()
    now = told(story)
    assert (now.phase, now.progress, now.blockers, now.risks) == ("business at 5 %: soaking", 0, (), ())
    assert now.estimated_completion == story.now + WHOLE
    story.until(Move.STEP)
    now = told(story)
    assert (now.phase, now.progress) == ("business at 50 %: soaking", 100 * 5 * MINUTE / WHOLE)
    assert now.estimated_completion == story.now + WHOLE - 5 * MINUTE
    story.until(Move.DONE)
    now = told(story)
    assert (now.phase, now.progress, now.blockers, now.risks) == ("done", 100, (), ())
    assert now.estimated_completion == story.state.seen_at


def test_what_holds_a_soak_is_told_and_nobody_guesses_its_end() -> None:
    story = begun()
    story.tick(LOW)
    assert "quality.quality is 50" in told(story).blockers[0]
    story.tick(NONE)
    now = told(story)
    assert now.blockers == ()
    assert [risk.partition(" ")[0] for risk in now.risks] == ["live.errors", "businessMetrics:"]
    assert now.estimated_completion is not None
    for _ in range(40):
        story.tick(NONE)
    now = told(story)
    assert len(now.blockers) == 2  # the soak is over, and they keep it from going on
    assert (now.risks, now.estimated_completion) == ((), None)
    assert now.progress == 100 * 5 * MINUTE / WHOLE  # to wait longer is no progress


def test_a_pause_a_process_and_a_trouble_hold_it() -> None:
    story = begun()
    assert told(story, behind=("web-2", "web-3")).blockers == ("Not known to have the flags yet: web-2, web-3.",)
    assert told(story, trouble="the rollout cannot be carried out now: locked").blockers == (
        "The rollout cannot be carried out now: locked.",)
    story.told(Action.PAUSE, "lunch")
    now = told(story)
    assert (now.phase, now.blockers) == ("business at 5 %: paused", ("It is paused: ann paused it: lunch.",))
    assert now.estimated_completion is None


def test_who_waits_for_somebody_says_for_whom() -> None:
    story = Story(Plan("p", (replace(AT_ONCE, approval=True), LAST)))
    story.tick()
    now = told(story)
    assert (now.phase, now.blockers) == ("system: waiting", (" ".join(story.made.said),))
    assert "somebody must approve it" in now.blockers[0]
    assert (now.progress, now.estimated_completion) == (0, None)


def test_a_later_approval_is_a_risk_and_leaves_the_end_open() -> None:
    story = begun(Plan("p", (RAMPED, replace(AT_ONCE, approval=True))))
    now = told(story)
    assert now.risks == ("system will wait until somebody approves it.",)
    assert now.estimated_completion is None
    assert now.blockers == ()


def test_the_end_waits_for_a_freeze_and_an_endless_one_has_none() -> None:
    story = begun()
    at = story.now + 5 * MINUTE  # the first step's end
    hour = (at // HOUR) % 24
    window = Freeze(start=f"{hour:02}:00", end=f"{(hour + 2) % 24:02}:00")
    story.plan = replace(PLAN, freeze=(window,))
    later = told(story).estimated_completion
    thawed = (at // HOUR + 2) * HOUR
    rest = WHOLE - 5 * MINUTE
    assert later is not None
    assert thawed + rest <= later <= thawed + rest + 15 * MINUTE
    story.plan = replace(PLAN, freeze=(Freeze(start="00:00", end="12:00"), Freeze(start="12:00", end="00:00")))
    assert told(story).estimated_completion is None


def test_what_was_reverted_is_no_progress_and_what_stands_is() -> None:
    story = begun()
    story.until(Move.BEGIN)
    story.tick(BAD)
    now = told(story)
    assert (now.phase, now.estimated_completion) == ("system: reverting", None)
    assert now.progress == pytest.approx(100 * 15 / 17)
    story.until(Move.REVERTED)
    now = told(story)
    assert now.phase == "system: reverted"
    assert now.blockers == ("It was reverted: live.errors is 2, where at most 1 is wanted: fail (1 measured).",)
    story.flags[BUSINESS] = False
    assert told(story).progress == 0


def test_who_takes_back_what_was_done_is_told_of() -> None:
    story = begun()
    story.until(Move.DONE)
    story.flags[SYSTEM] = False
    now = told(story)
    assert now.progress == pytest.approx(100 * 16 / 17)
    assert now.blockers == ("system passed, but its flags have been changed since.",)
    story.flags |= {BUSINESS: True, PERCENT: 99, SYSTEM: True, "fallback_on_error": True}
    assert stands(story.plan, story.state, Flags(story.flags)) == (False, True, False)


def test_more_viewers_than_were_asked_for_are_no_step_back() -> None:
    plan = Plan("p", (replace(RAMPED, ramp=(), flags={BUSINESS: True, PERCENT: 50}), LAST))
    story = begun(plan)
    story.until(Move.BEGIN)
    story.flags[PERCENT] = 70
    assert stands(plan, story.state, Flags(story.flags)) == (True,)


def test_risks_are_the_open_alerts_what_is_shown_and_a_drill_that_lacks() -> None:
    story = begun()
    found = (replace(quality(served={"mock/fallback": 3, "real/stale": 2}), component="businessMetrics",
                     undeclared_synthetic=3),)
    alerts = (alert("businessMetrics"), alert("businessMetrics", AlertStatus.CLOSED), alert("elsewhere"))
    assert told(story, alerts=alerts, qualities=found, drilled=None).risks == (
        "businessMetrics: many errors (critical).",
        "businessMetrics: 3 readings were made up, though it is ramping.",
        "businessMetrics: 2 readings were stale, though it is ramping.",
        "No rollback was rehearsed: crossfade rollout drill does it.",
    )
    assert told(story, drilled=Drilled(0, "web-2 did not answer.")).risks == (
        "The last rehearsed rollback did not pass: web-2 did not answer.",)
    story.flags[BUSINESS] = False  # a mock where the flag asks for one is no risk
    assert told(story, qualities=found).risks == ()


@pytest.mark.parametrize(("flags", "phase", "share"), [
    ({}, "not started", 0), ({BUSINESS: True}, "1 of 2 components live", 50),
    ({BUSINESS: True, PERCENT: 10}, "1 of 2 components live", 5),
    ({BUSINESS: True, SYSTEM: True}, "2 of 2 components live", 100), ({PERCENT: 10}, "not started", 0),
])
def test_without_a_rollout_the_flags_say_it(flags: dict[str, bool | int], phase: str, share: float) -> None:
    now = migration(None, surroundings(flags, switched_at=7, drilled=None, alerts=(alert("systemMetrics"),)), 9)
    assert (now.phase, now.progress) == (phase, share)
    assert now.started_at == (7 if share else None)
    assert (now.estimated_completion, now.blockers) == (None, ())
    assert now.risks == ("systemMetrics: many errors (critical).",)


def test_nothing_at_all_has_not_begun() -> None:
    assert migration(None, Around(Flags({}), {}), 0) == Migration("not started", 0, None, None, (), ())
    assert progress(Plan("p", ()), State(0, status=Status.DONE), Flags({})) == 100


@given(PLANS, TICKS)
def test_whatever_happens_it_is_told(plan: Plan, ticks: list[tuple]) -> None:
    story = Story(plan)
    for measured, command, hand, after, waiting in ticks:
        if hand is not None:
            story.flags[hand[0]] = hand[1]
        story.tick(measured, command, after=after, waiting=waiting)
        now = told(story, behind=waiting, drilled=None)
        assert 0 <= now.progress <= 100
        assert now.phase
        assert all(sentence.endswith((".", ")")) and sentence[:1].strip() for sentence in (*now.blockers, *now.risks))
        state = story.state
        if state.status is Status.DONE:
            assert now.estimated_completion == state.seen_at
        elif now.blockers:
            assert now.estimated_completion is None
        if state.paused is not None or state.status in {Status.REVERTED, Status.REVERTING, Status.WAITING}:
            assert now.blockers
        if now.estimated_completion is not None and not state.status.over:
            assert now.estimated_completion >= story.now


@given(PLANS, st.integers(0, 80))
def test_progress_never_falls_while_it_soaks(plan: Plan, ticks: int) -> None:
    story, before = Story(plan), 0.0
    for _ in range(ticks):
        story.tick(GOOD, after=30 * SECOND)
        if story.state.status is Status.WAITING and plan.phases[story.state.phase].approval:
            story.told(Action.APPROVE, measured=GOOD)
        now = told(story).progress
        assert now >= before
        before = now
    if story.state.status is Status.DONE:
        assert before == 100
