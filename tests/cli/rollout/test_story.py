"""What became of each phase, by the steps."""

from crossfade.cli.rollout import answer
from crossfade.cli.rollout.story import Chapter, chapters

from .samples import phase, step, told, verdict

PHASES = [phase("business", "passed", "useRealBusinessMetrics"), phase("system", "reverted", "useRealSystemMetrics")]
BEGUN = [
    step(1, "begin", "business", changes={"useRealBusinessMetrics": True}),
    step(2, "hold", "business", who="ann", verdicts=[verdict("inconclusive")]),
    step(3, "begin", "system", verdicts=[verdict("pass", n=99)]),
]


def told_by(*steps: dict[str, object]) -> dict[str, Chapter]:
    return dict(chapters(told(phases=PHASES, phase="system"), answer.steps(list(steps))))


def test_the_verdicts_of_a_step_are_about_the_phase_before_it() -> None:
    found = told_by(*BEGUN)
    assert [verdict.evidence.n for verdict in found["business"].verdicts] == [99]
    assert found["system"].verdicts == ()
    assert found["business"].ended == found["system"].began
    assert found["system"].ended is None


def test_a_phase_whose_flags_went_back_was_taken_back() -> None:
    back = step(4, "revert", "system", changes={"useRealSystemMetrics": False}, verdicts=[verdict("fail")])
    found = told_by(*BEGUN, back, step(9, "reverted", "system"))
    assert [chapter.taken_back for chapter in found.values()] == [False, True]
    assert [verdict.status for verdict in found["system"].verdicts] == ["fail"]
    assert found["system"].ended is not None
    assert found["system"].ended.second == 4


def test_what_goes_back_altogether_takes_back_phases_that_had_passed() -> None:
    changes = {"useRealSystemMetrics": False, "useRealBusinessMetrics": False}
    found = told_by(*BEGUN, step(4, "reverted", "system", changes=changes))
    assert [chapter.taken_back for chapter in found.values()] == [True, True]


def test_a_phase_that_never_began_has_no_times() -> None:
    found = told_by(step(1, "begin", "system"), step(2, "revert", "system", changes={"useRealBusinessMetrics": False}))
    assert found["business"] == Chapter()
