"""Rollouts: the table of decisions, row by row, and what holds whatever happens."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crossfade.core.clock import HOUR, MINUTE, SECOND
from crossfade.core.decide import decide
from crossfade.core.flag import Flags
from crossfade.core.freeze import Freeze
from crossfade.core.gate import Fact, Gate, NoData, When
from crossfade.core.plan import OnFail, Phase, Plan
from crossfade.core.rollout import Action, Command, Decision, Facts, Move, State, Status, since, start

BUSINESS, SYSTEM = "use_real_business_metrics", "use_real_system_metrics"
PERCENT = "percent_business_metrics"
ERRORS = Gate("live.errors", most=1)
QUALITY = Gate("quality.quality", "businessMetrics", least=95, judged=When.AT_END)
GOOD = {ERRORS.name: Fact(0, 1), QUALITY.name: Fact(99, 1)}
BAD = GOOD | {ERRORS.name: Fact(2, 1)}
LOW = GOOD | {QUALITY.name: Fact(50, 1)}
NONE: dict[str, Fact] = {}

RAMPED = Phase("business", {BUSINESS: True}, 5 * MINUTE, HOUR, (ERRORS, QUALITY), ramp=(5, 50, 100))
AT_ONCE = Phase("system", {SYSTEM: True}, MINUTE, 10 * MINUTE, (ERRORS,))
LAST = Phase("no fallback", {"fallback_on_error": False}, MINUTE, 10 * MINUTE, (ERRORS,), on_fail=OnFail.REVERT_ALL)
PLAN = Plan("move", (RAMPED, AT_ONCE, LAST))


class Story:
    """A rollout with its flags, as an applier keeps them: the state through JSON at every tick."""

    def __init__(self, plan: Plan = PLAN, at: str | None = None, **flags: bool | int) -> None:
        self.plan, self.now, self.flags = plan, 10**15, dict(flags)
        self.state = start(plan, self.now, at)
        self.made: Decision | None = None

    def tick(self, measured: dict[str, Fact] | None = None, command: Command | None = None, *, after: int = 10 * SECOND,
             waiting: tuple[str, ...] = ()) -> Decision:
        self.now += after
        facts = Facts(Flags(dict(self.flags)), GOOD if measured is None else measured, waiting)
        state = msgspec.json.decode(msgspec.json.encode(self.state), type=State)
        assert state == self.state
        self.made = decide(self.plan, state, facts, self.now, command)
        assert self.made == decide(self.plan, state, facts, self.now, command)
        self.state = self.made.state
        self.flags |= self.made.changes
        return self.made

    def told(self, action: Action, reason: str = "", measured: dict[str, Fact] | None = None) -> Decision:
        return self.tick(measured, Command(action, "ann", reason))

    def until(self, move: Move, measured: dict[str, Fact] | None = None, most: int = 1_000) -> Decision:
        for _ in range(most):
            made = self.tick(measured)
            if made.move is move:
                return made
        raise AssertionError(f"no {move}: {self.made}")


def begun(plan: Plan = PLAN, at: str | None = None) -> Story:
    story = Story(plan, at)
    assert story.tick().move is Move.BEGIN
    return story


def test_a_rollout_remembers_where_it_began() -> None:
    story = begun(at="system")
    story.until(Move.DONE)
    assert (story.state.first, story.state.phase) == (1, 3)


def test_a_plan_is_carried_out_to_its_end() -> None:
    story, shares = begun(), []
    while not story.state.status.over and len(shares) < 1_000:
        shares.append(story.flags.get(PERCENT))
        story.tick()
    assert sorted(set(shares)) == [5, 50, 100]
    assert shares == sorted(shares)
    assert story.state.status is Status.DONE
    assert {name: story.flags[name] for name in (BUSINESS, SYSTEM, PERCENT, "fallback_on_error")} == {
        BUSINESS: True, SYSTEM: True, PERCENT: 100, "fallback_on_error": False}
    assert "done" in story.tick().said[0]


def test_each_step_soaks_for_its_time_and_no_less() -> None:
    story = begun()
    for move in (Move.STEP, Move.STEP, Move.BEGIN):
        story.tick()  # from here on everybody has it
        began = story.now
        story.until(move)
        assert story.now - began == RAMPED.soak


def test_what_an_earlier_phase_set_is_still_watched() -> None:
    story = begun()
    story.until(Move.BEGIN)
    story.flags[BUSINESS] = False
    assert f"somebody else set {BUSINESS} = false" in story.tick().said[0]
    assert story.told(Action.RESUME).changes == {BUSINESS: True}


def test_time_before_every_process_has_the_flags_is_no_soak() -> None:
    story = begun()
    for _ in range(6):
        made = story.tick(waiting=("web-2",))
        assert made.move is Move.HOLD
        assert "web-2" in made.said[0]
    assert story.state.soaked == 0
    story.tick()
    assert story.state.soaked == 0
    story.tick()
    assert story.state.soaked == 10 * SECOND


@pytest.mark.parametrize("jump", [HOUR, 24 * HOUR, -HOUR, -24 * HOUR])
def test_a_clock_that_jumps_is_told_and_is_no_soak(jump: int) -> None:
    story = begun()
    story.tick()
    made = story.tick(after=jump)
    assert "clock" in made.said[0] or "Nobody watched" in made.said[0]
    assert story.state.soaked == (MINUTE if jump > 0 else 0)
    assert story.tick().move is Move.HOLD
    assert story.state.soaked == (MINUTE if jump > 0 else 0) + 10 * SECOND


def test_a_gate_that_counts_throughout_fails_the_phase_at_once() -> None:
    story = begun()
    made = story.tick(BAD)
    assert made.move is Move.REVERT
    assert made.changes[BUSINESS] is False
    assert "live.errors is 2" in made.said[0]
    assert story.tick(BAD, waiting=("web-2",)).move is Move.HOLD
    assert story.tick(BAD).move is Move.REVERTED
    assert story.flags[BUSINESS] is False
    assert story.flags[PERCENT] == 100


def test_a_gate_that_counts_at_the_end_fails_the_phase_then() -> None:
    story = begun()
    assert story.tick(LOW).move is Move.HOLD
    story.until(Move.REVERT, LOW)
    assert story.state.soaked >= RAMPED.soak
    assert story.state.step == 0


def test_a_failing_phase_takes_back_its_own_change_or_all() -> None:
    story = begun()
    story.until(Move.BEGIN)
    assert story.tick(BAD).move is Move.REVERT
    assert (story.flags[BUSINESS], story.flags[SYSTEM]) == (True, False)
    story = begun()
    story.until(Move.BEGIN)
    story.until(Move.BEGIN)
    assert story.flags["fallback_on_error"] is False
    story.tick(BAD)
    assert (story.flags[BUSINESS], story.flags[SYSTEM], story.flags["fallback_on_error"]) == (False, False, True)


def test_no_data_holds_until_the_deadline_and_says_so() -> None:
    story = begun()
    made = story.until(Move.REVERT, NONE)
    assert "has not passed within 1 h" in made.said[0]
    assert "no data" in made.said[0]
    assert story.state.spent <= RAMPED.deadline + 10 * SECOND


@pytest.mark.parametrize(("no_data", "move"), [(NoData.FAIL, Move.REVERT), (NoData.PASS, Move.PASS)])
def test_no_data_may_mean_something_else_at_the_end(no_data: NoData, move: Move) -> None:
    phase = replace(AT_ONCE, gates=(replace(ERRORS, no_data=no_data),))
    story = begun(Plan("p", (phase, replace(LAST, approval=True))))
    assert story.tick(NONE).move is Move.HOLD
    assert story.until(move, NONE).verdicts[0].status == "no data"


def test_a_flag_that_somebody_else_set_pauses_until_it_is_resumed() -> None:
    story = begun()
    story.tick()
    story.tick()
    story.flags[PERCENT] = 80
    made = story.tick()
    assert made.move is Move.PAUSE
    assert not made.changes
    assert f"{PERCENT} = 80" in made.said[0]
    assert story.tick().move is Move.HOLD
    assert story.flags[PERCENT] == 80
    made = story.told(Action.RESUME)
    assert made.changes == {PERCENT: 5}
    assert story.state.soaked == 0
    assert story.tick().move is Move.HOLD
    assert story.state.paused is None


def test_a_pause_stops_the_steps_and_the_deadline_but_not_the_watch() -> None:
    story = begun()
    story.tick()
    assert story.told(Action.PAUSE, "lunch").move is Move.PAUSE
    spent = story.state.spent
    for _ in range(500):
        assert "lunch" in story.tick().said[0]
    assert story.state.spent == spent
    assert story.tick(BAD).move is Move.REVERT


def test_a_phase_waits_for_its_approval() -> None:
    story = Story(Plan("p", (replace(AT_ONCE, approval=True),)))
    for _ in range(100):
        assert "approve" in story.tick().said[0]
    made = story.told(Action.APPROVE)
    assert made.move is Move.BEGIN
    assert made.said[0] == "ann approved it."


def test_a_phase_waits_for_what_it_needs() -> None:
    story = Story(Plan("p", (replace(AT_ONCE, needs=(BUSINESS,)),)), **{BUSINESS: True, PERCENT: 50})
    assert BUSINESS in story.tick().said[0]
    story.flags[PERCENT] = 100
    assert story.tick().move is Move.BEGIN


def test_a_freeze_lets_nothing_begin_or_step_and_does_not_run_the_deadline() -> None:
    always = Freeze()
    assert "freeze" in Story(Plan("p", (AT_ONCE,), freeze=(always,))).tick().said[0]
    story = begun()
    story.plan = replace(PLAN, freeze=(always,))
    for _ in range(1_000):
        made = story.tick()
        assert made.move is Move.HOLD
    assert "passes; its next step waits" in made.said[0]
    assert story.state.spent < RAMPED.deadline
    assert story.tick(BAD).move is Move.REVERT


def test_a_soak_is_skipped_with_a_reason_and_its_gates_are_not() -> None:
    story = begun()
    assert story.told(Action.SKIP).refused == "it needs a reason"
    assert "the soak is over, but" in story.told(Action.SKIP, "proved before", NONE).said[1]
    assert story.tick().move is Move.STEP
    assert story.state.skipped is None
    assert "soaked" in story.tick().said[0]


def test_a_rollout_starts_at_a_phase() -> None:
    story = begun(at="system")
    assert story.flags == {SYSTEM: True}
    with pytest.raises(ValueError, match="there are: business, system, no fallback"):
        start(PLAN, 0, "nothing")


def test_viewers_with_real_data_keep_it() -> None:
    story = Story(**{BUSINESS: True, PERCENT: 60})
    assert PERCENT not in story.tick().changes
    assert story.state.ours[PERCENT] == 60
    story.until(Move.STEP)
    assert story.flags[PERCENT] == 60
    story.until(Move.STEP)
    assert story.flags[PERCENT] == 100


def test_an_abort_takes_back_what_others_set_too() -> None:
    story = Story(**{BUSINESS: True}, at="no fallback")
    story.tick()
    assert story.told(Action.ABORT, "smoke").move is Move.REVERT
    assert story.flags[BUSINESS] is False
    story.flags[BUSINESS] = True
    assert story.tick().changes == {BUSINESS: False}
    assert story.tick().move is Move.REVERTED
    assert "smoke" in story.tick().said[0]


@pytest.mark.parametrize(("action", "refused"), [
    (Action.RESUME, "not paused"), (Action.APPROVE, "nothing waits"), (Action.SKIP, "needs a reason"),
])
def test_a_command_that_has_no_sense_is_refused_and_the_tick_goes_on(action: Action, refused: str) -> None:
    story = begun()
    story.tick()
    made = story.told(action)
    assert refused in (made.refused or "")
    assert story.state.soaked == 10 * SECOND
    story.told(Action.ABORT)
    assert "goes back already" in (story.told(Action.PAUSE).refused or "")
    assert "nothing to pause" in (story.told(Action.PAUSE).refused or "")


def test_every_gate_is_judged_at_every_tick() -> None:
    story = begun()
    assert [len(made.verdicts) for made in (story.tick(), story.tick(LOW), story.told(Action.PAUSE), story.tick(BAD))] \
        == [2, 2, 2, 2]


def test_a_window_never_looks_back_behind_the_step() -> None:
    state = replace(start(PLAN, 0), soaked=5 * MINUTE)
    assert since(ERRORS, state, HOUR) == HOUR - 5 * MINUTE
    assert since(replace(ERRORS, window=MINUTE), state, HOUR) == HOUR - MINUTE
    assert since(replace(ERRORS, window=HOUR), state, HOUR) == HOUR - 5 * MINUTE


MEASURED = st.sampled_from([GOOD, GOOD, GOOD, BAD, LOW, NONE])
COMMANDS = st.sampled_from([None] * 12 + [Command(action, "ann", "why") for action in Action])
HANDS = st.sampled_from(
    [None] * 12 + [(BUSINESS, True), (BUSINESS, False), (PERCENT, 70), ("fallback_on_error", False)])
TICKS = st.lists(st.tuples(
    MEASURED, COMMANDS, HANDS, st.sampled_from([-HOUR, 0, SECOND, MINUTE, MINUTE, 5 * MINUTE, HOUR]),
    st.sampled_from([(), (), ("web-2",)])), max_size=60)
PLANS = st.sampled_from([
    PLAN, Plan("asks", (replace(RAMPED, approval=True), replace(AT_ONCE, needs=(BUSINESS,)))),
    Plan("nights", (RAMPED, AT_ONCE), freeze=(Freeze(start="22:00", end="06:00"),)),
    Plan("all", (replace(RAMPED, on_fail=OnFail.REVERT_ALL), LAST)),
])


@given(PLANS, TICKS)
@settings(deadline=None)
def test_whatever_happens(plan: Plan, ticks: list[tuple]) -> None:
    story, aborted = Story(plan), False
    for measured, command, hand, after, waiting in ticks:
        if hand is not None and not story.state.status.over:
            story.flags[hand[0]] = hand[1]
        was, before = story.state, Flags(dict(story.flags))
        made = story.tick(measured, command, after=after, waiting=waiting)
        aborted |= made.move is Move.REVERT and command is not None and command.action is Action.ABORT
        _always(story, was, before, made, aborted=aborted)
        _same_tick(story, measured, waiting)


PLAN_FLAGS = {BUSINESS, SYSTEM}


def _always(story: Story, was: State, before: Flags, made: Decision, *, aborted: bool) -> None:
    """It says why, goes only forward unless it goes back, and nothing is real after it went back."""
    assert made.said
    assert all(sentence.strip() for sentence in made.said)
    assert made.state.phase >= was.phase
    assert made.changes == {name: value for name, value in made.changes.items() if before[name] != value}
    if made.move in {Move.BEGIN, Move.STEP} and PERCENT in made.changes and before[BUSINESS]:
        assert made.changes[PERCENT] > before[PERCENT]
    if made.move not in {Move.BEGIN, Move.STEP, Move.REVERT, Move.RESUME}:
        assert not made.changes
    if was.status.over:
        assert made.state == was
    if story.state.status is Status.REVERTED:
        flags = Flags(dict(story.flags))
        assert all(flags[name] == value for name, value in story.state.target.items())
        if aborted:
            assert not any(flags[name] for name in PLAN_FLAGS & story.state.target.keys())
            assert set(story.state.target) >= {name for phase in story.plan.phases for name in phase.flags}
            assert flags.fallback_on_error or "fallback_on_error" not in story.state.target


def _same_tick(story: Story, measured: dict[str, Fact], waiting: tuple[str, ...]) -> None:
    """Decided again at the same moment, with the processes as they were, nothing more is done."""
    waiting = ("web-2",) if story.made is not None and story.made.changes else waiting
    facts = Facts(Flags(dict(story.flags)), measured, waiting)
    if story.made is not None and story.made.move in {Move.HOLD, Move.DONE, Move.REVERTED, Move.PASS}:
        again = decide(story.plan, story.state, facts, story.now)
        assert (again.state, again.changes) == (story.state, {})


@given(PLANS, st.lists(st.sampled_from([GOOD, LOW, NONE]), min_size=1, max_size=5))
@settings(deadline=None, max_examples=30)
def test_a_rollout_that_nobody_holds_comes_to_an_end(plan: Plan, measured: list[dict[str, Fact]]) -> None:
    story = Story(plan)
    for number in range(10_000):
        if story.state.status.over:
            break
        waits = story.state.status is Status.WAITING and plan.phases[story.state.phase].approval
        command = Command(Action.APPROVE, "ann") if waits and story.state.approved_by is None else None
        story.tick(measured[number % len(measured)], command, after=MINUTE)
    assert story.state.status.over


def test_a_retired_component_is_neither_set_nor_set_back_nor_drift() -> None:
    story = Story(Plan("move", (AT_ONCE, LAST)))
    story.until(Move.BEGIN)
    retired = Flags({name: value for name, value in story.flags.items() if name != SYSTEM},
                    retired=frozenset({SYSTEM}))
    held = decide(story.plan, story.state, Facts(retired, GOOD), story.now + 10 * SECOND)
    assert held.move is not Move.PAUSE, "it is no drift"
    reverted = decide(story.plan, story.state, Facts(retired, BAD), story.now + 10 * SECOND)
    assert reverted.move is Move.REVERT
    assert SYSTEM not in reverted.changes
    over = decide(story.plan, reverted.state, Facts(retired, GOOD), story.now + 20 * SECOND)
    assert over.move is Move.REVERTED, "what cannot go back is not waited for"


def test_a_retired_component_is_what_another_phase_needs() -> None:
    plan = Plan("move", (replace(AT_ONCE, needs=(BUSINESS,)),))
    off, retired = Flags({}), Flags({}, retired=frozenset({BUSINESS}))
    assert decide(plan, start(plan, 0), Facts(off, GOOD), SECOND).move is Move.HOLD
    assert decide(plan, start(plan, 0), Facts(retired, GOOD), SECOND).move is Move.BEGIN
