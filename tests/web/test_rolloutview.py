"""What is shown of a rollout as it stands, and which buttons there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossfade.core.clock import MINUTE, SECOND
from crossfade.core.decide import decide
from crossfade.core.flag import Flags
from crossfade.core.gate import Fact
from crossfade.core.plan import Plan
from crossfade.core.planfile import DEFAULT, parse
from crossfade.core.rollout import Action, Command, Facts, State, Status
from crossfade.state.rollouts import Drill, Rollout
from crossfade.web.rolloutview import aside, buttons, drill_words, view

GUIDE = parse(DEFAULT)
assert isinstance(GUIDE, Plan)
APPROVED = replace(GUIDE, phases=(replace(GUIDE.phases[0], approval=True), *GUIDE.phases[1:]))
FLAGS = Flags({"use_real_business_metrics": False, "percent_business_metrics": 100})
NOW = 10**15


def standing(state: State, plan: Plan = APPROVED) -> Rollout:
    return Rollout(3, plan, NOW, "ann", None, 1, state, ("So it is.",), ())


def actions(state: State) -> list[str]:
    return [button.action for button in buttons(standing(state))]


@pytest.mark.parametrize(("state", "found"), [
    (State(NOW), ["approve", "pause", "abort"]),
    (State(NOW, approved_by="ann"), ["pause", "abort"]),
    (State(NOW, paused="lunch"), ["approve", "resume", "abort"]),
    (State(NOW, status=Status.SOAKING), ["pause", "skip", "abort"]),
    (State(NOW, status=Status.SOAKING, skipped="ann"), ["pause", "abort"]),
    (State(NOW, status=Status.SOAKING, soaked=5 * MINUTE), ["pause", "abort"]),
    (State(NOW, status=Status.SOAKING, paused="lunch"), ["resume", "abort"]),
    (State(NOW, status=Status.REVERTING), []),
    (State(NOW, status=Status.REVERTED), []),
    (State(NOW, status=Status.DONE, phase=len(GUIDE.phases)), []),
])
def test_the_buttons_are_those_that_do_something(state: State, found: list[str]) -> None:
    assert actions(state) == found


@given(st.sampled_from(list(Status)), st.sampled_from([None, "lunch"]), st.sampled_from([None, "ann"]),
       st.sampled_from([None, "ann"]))
def test_no_button_is_refused(status: Status, paused: str | None, approved: str | None, skipped: str | None) -> None:
    phase = len(GUIDE.phases) if status is Status.DONE else 0
    state = State(NOW, status=status, phase=phase, paused=paused, approved_by=approved, skipped=skipped)
    for button in buttons(standing(state)):
        command = Command(Action(button.action), "ann", "why" if button.reason == "needed" else "")
        assert decide(APPROVED, state, Facts(FLAGS), NOW, command).refused is None, button


def test_each_button_says_what_comes_of_it() -> None:
    soaking = State(NOW, status=Status.SOAKING, soaked=2 * MINUTE, ours={"use_real_business_metrics": True},
                    before={"use_real_business_metrics": True})
    told = {button.action: button.consequence for button in buttons(standing(soaking))}
    assert told["abort"] == "Ends the rollout, and sets back: use_real_business_metrics = off."
    assert "3\u00a0min 0\u00a0s of 5\u00a0min 0\u00a0s left or not" in told["skip"]
    approve = buttons(standing(State(NOW)))[0].consequence
    assert "use_real_business_metrics = on" in approve


def test_phases_before_passed_and_those_after_are_to_come() -> None:
    shown = view(standing(State(NOW, status=Status.SOAKING, phase=1, soaked=30 * SECOND), GUIDE))
    assert [passage.standing for passage in shown.passages[:3]] == ["passed", "soaking", "to come"]
    assert [passage.current for passage in shown.passages[:3]] == [False, True, False]
    assert shown.passages[1].progress == pytest.approx(0.1)
    reverted = view(standing(State(NOW, status=Status.REVERTED, phase=1), GUIDE), behind=("p1",), trouble="stuck")
    assert [passage.standing for passage in reverted.passages[:3]] == ["passed", "reverted", "never begun"]
    assert (reverted.behind, reverted.trouble) == ((), ""), "of what is over nothing is waited for"


def test_a_gate_shows_its_figure_beside_its_bound() -> None:
    gate = GUIDE.phases[0].gates[0]
    state = State(NOW, status=Status.SOAKING, soaked=MINUTE)
    facts = Facts(FLAGS, {gate.name: Fact(41.0, 41)})
    verdicts = decide(GUIDE, state, facts, NOW).verdicts
    shown = view(replace(standing(state, GUIDE), verdicts=verdicts)).passages[0].gates[0]
    assert (shown.figure, shown.value, shown.n) == (gate.figure, "41", "41")
    assert shown.wanted.startswith(("at least", "at most"))
    assert shown.sentence


@pytest.mark.parametrize(("state", "told"), [
    (State(NOW), "waits for approval"),
    (State(NOW, approved_by="ann"), "waits"),
    (State(NOW, paused="lunch"), "is paused: lunch"),
    (State(NOW, status=Status.SOAKING), "left"),
    (State(NOW, status=Status.REVERTING, why="an error"), "goes back: an error"),
])
def test_the_verdict_hears_of_a_rollout_under_way(state: State, told: str) -> None:
    assert aside(standing(state))[0].endswith(told)


@pytest.mark.parametrize("status", [Status.DONE, Status.REVERTED])
def test_it_hears_nothing_of_one_that_is_over(status: Status) -> None:
    assert aside(standing(State(NOW, status=status))) == aside(None) == ()


def test_the_drill_is_told_with_its_time() -> None:
    made = Drill(NOW, "ann", "c", ("use_real_drill",), 84_000, 3, (), None)
    assert drill_words(made) == "last drill: 84\u00a0ms to 3 processes"
    assert drill_words(replace(made, processes=1)) == "last drill: 84\u00a0ms to 1 process"
    assert drill_words(replace(made, problem="it took 2 s")) == "last drill: did not pass: it took 2 s"
    assert drill_words(None) == "no drill yet in this configuration"
