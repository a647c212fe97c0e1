"""What is said of a rollout first: one sentence that says what it does, one that says what is needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.cli.client import Json
from crossfade.cli.errors import CommandError
from crossfade.cli.rollout import answer
from crossfade.cli.rollout.words import headline, soak_left

from .samples import document, phase, told, verdict

OVER: dict[str, Json] = {"phase": None, "phases": [phase("business", "left out", "a"), phase("system", "passed", "b")]}
APPROVAL = [phase("business", "waiting", "useRealBusinessMetrics", approval=True)]
FAILING = [phase("business", "soaking", "a", judged=verdict("inconclusive")), phase("system", "to come", "b")]


@pytest.mark.parametrize(("more", "well", "now", "need"), [
    ({"status": "done", **OVER}, True, "is done: 1 phase passed in 3 min 9 s", "Nothing is needed"),
    ({"status": "reverted", "why": "errors rose."}, False, "was reverted: errors rose.", "rollout history 3"),
    ({"trouble": "the disk is full"}, False, "stands still: the disk is full.", "crossfade rollback --all"),
    ({"seenAt": "2026-11-23T08:00:10Z"}, False, "no server has looked at it for 3 min", "still runs"),
    ({"status": "reverting", "why": "ann aborted it", "waitingFor": ["web-1"]}, False,
     "goes back: ann aborted it. It is over when these have the flags: web-1.", "it ends by itself"),
    ({"paused": "ann paused it: lunch"}, False, "is paused in business at 25 % of the viewers: ann paused it: lunch.",
     "`crossfade rollout resume` goes on"),
    ({"status": "waiting", "phases": APPROVAL, "said": ["business waits: somebody must approve it."]}, True,
     "business waits: somebody must approve it.", "`crossfade rollout approve` begins business"),
    ({"status": "waiting", "phases": APPROVAL, "said": ["business waits: nothing begins during a freeze."]}, True,
     "during a freeze", "it goes on by itself"),
    ({"status": "waiting", "phases": APPROVAL, "approvedBy": "ann", "said": ["Who must approve it has."]}, True,
     "Who must approve it has.", "it goes on by itself"),
    ({"waitingFor": ["a", "b", "c", "d", "e", "f", "g"]}, True, "Not known to have them: a, b, c, d, e and 2 more.",
     "takes more than 1 h 56 min from now, business goes back"),
    ({"soakedS": 300.0, "said": ["business holds: the soak is over, but it is unknown."]}, True,
     "the soak is over, but it is unknown.", "as soon as that is proved"),
    ({}, True, "watches business at 25 % of the viewers, 3 min of 5 min: its gate passes.",
     "in 2 min it goes on to 100 % if its gates pass"),
    ({"step": 1}, True, "business at 100 %", "it goes on to system if"),
    ({"phases": FAILING}, True, "1 of 1 gate not passed yet. businessMetrics:quality.validity:least says inconclusive.",
     "it goes on to system if"),
    ({"phases": [phase("business", "soaking", "a")]}, True, "have not been judged yet", "it goes on to the end if"),
])
def test_the_first_line_that_holds_is_told(more: dict[str, Json], well: bool, now: str, need: str) -> None:
    found = headline(told(**more))
    assert now in found.now
    assert need in found.need
    assert found.well is well
    assert found.now.startswith("Rollout 3 (move)")


@given(st.fixed_dictionaries({}, optional={
    "status": st.sampled_from(["waiting", "soaking", "reverting", "done", "reverted"]),
    "paused": st.sampled_from([None, "ann"]), "why": st.sampled_from([None, "why"]),
    "trouble": st.sampled_from([None, "full"]), "phase": st.sampled_from([None, "business", "system"]),
    "soakedS": st.floats(0, 1e6), "heldS": st.floats(0, 1e6), "waitingFor": st.lists(st.just("a"), max_size=7),
    "said": st.lists(st.just("x."), max_size=2), "skipped": st.sampled_from([None, "enough"]),
}))
def test_whatever_a_rollout_does_two_sentences_are_said(more: dict[str, Json]) -> None:
    rollout = told(**more)
    found = headline(rollout)
    assert found.now
    assert found.now[-1] in ".x:" or not rollout.said
    assert "None" not in found.now + found.need
    assert soak_left(rollout) >= 0


def test_characters_that_steer_a_terminal_are_taken_out() -> None:
    found = told(reason="\x1b[31mred\x07", paused="a\r\nb")
    assert found.reason == " [31mred "
    assert found.paused == "a  b"


def test_an_answer_of_another_kind_is_said_to_be_none() -> None:
    with pytest.raises(CommandError, match="same version"):
        answer.rollout({"id": 3})
    with pytest.raises(CommandError, match="same version"):
        answer.rollout(document(status="dancing"))
