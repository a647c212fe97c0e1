"""The story of a rollout, from the steps that were kept of it."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from crossfade.core.chronicle import Chronicle, Ending, Passage, Point, chronicle, thinned
from crossfade.core.dimension import Status as Figure
from crossfade.core.flag import Flags, FlagValue
from crossfade.core.gate import Verdict
from crossfade.core.plan import Plan
from crossfade.core.rollout import Action, Command, Move, Status

from .test_decide import BAD, BUSINESS, ERRORS, LOW, PLAN, PLANS, QUALITY, RAMPED, SYSTEM, TICKS, Story


class Step(Struct, frozen=True):
    """As the control database keeps it."""

    at: int
    who: str
    move: Move
    phase: int
    step: int
    said: tuple[str, ...]
    changes: dict[str, FlagValue]
    verdicts: tuple[Verdict, ...]


class Kept(Story):
    """A story that keeps every step."""

    def __init__(self, plan: Plan = PLAN, at: str | None = None, **flags: bool | int) -> None:
        super().__init__(plan, at, **flags)
        self.steps: list[Step] = []

    def tick(self, measured=None, command: Command | None = None, **more):
        made = super().tick(measured, command, **more)
        self.steps.append(Step(self.now, "rollout 1" if command is None else command.who, made.move, made.state.phase,
                               made.state.step, made.said, dict(made.changes), made.verdicts))
        return made

    @property
    def chronicle(self) -> Chronicle:
        return chronicle(self.plan, self.state, iter(self.steps), Flags(dict(self.flags)))


def endings(found: Chronicle) -> list[str]:
    return [passage.ending.value for passage in found.passages]


def passage(story: Kept, name: str) -> Passage:
    return next(each for each in story.chronicle.passages if each.name == name)


def test_a_rollout_that_is_done_phase_by_phase() -> None:
    story = Kept()
    story.until(Move.DONE)
    found = story.chronicle
    assert endings(found) == ["passed", "passed", "passed"]
    assert all(each.holds for each in found.passages)
    moments = {move: [step.at for step in story.steps if step.move is move] for move in Move}
    assert [each.began_at for each in found.passages] == moments[Move.BEGIN]
    assert [each.ended_at for each in found.passages] == [*moments[Move.BEGIN][1:], *moments[Move.DONE]]
    business = found.passages[0]
    assert [(mark.percent, mark.at) for mark in business.steps] == list(
        zip((5, 50, 100), [moments[Move.BEGIN][0], *moments[Move.STEP]], strict=True))
    assert [verdict.status for verdict in business.verdicts] == [Figure.PASS, Figure.PASS]
    assert {verdict.gate for verdict in business.verdicts} == {ERRORS.name, QUALITY.name}
    errors, = (curve for curve in business.curves if curve.gate is RAMPED.gates[0])
    assert {point.figure for point in errors.points} == {0.0}
    assert [deed.move for deed in found.deeds] == [Move.BEGIN, Move.STEP, Move.STEP, Move.BEGIN, Move.BEGIN, Move.DONE]


def test_verdicts_are_those_of_the_phase_that_they_were_passed_on() -> None:
    story = Kept()
    story.until(Move.DONE)
    for each, phase in zip(story.chronicle.passages, PLAN.phases, strict=True):
        assert [verdict.gate for verdict in each.verdicts] == [gate.name for gate in phase.gates]
        for curve in each.curves:
            assert curve.points[0].at > (each.began_at or 0)
            assert curve.points[-1].at == each.ended_at


def test_a_phase_that_fails_keeps_the_evidence_of_it() -> None:
    story = Kept()
    story.until(Move.BEGIN)
    story.until(Move.BEGIN)
    story.tick(BAD)
    story.until(Move.REVERTED)
    assert endings(story.chronicle) == ["passed", "reverted", "not begun"]
    system = passage(story, "system")
    assert system.verdicts[0].evidence.figure == 2
    assert system.said[0].startswith("Goes back: live.errors is 2")
    assert system.holds is None
    assert system.curves[0].points[-1].status is Figure.FAIL
    assert passage(story, "business").holds is True
    assert passage(story, "no fallback").began_at is None


def test_a_rollback_past_the_rollout_is_told_as_such() -> None:
    story = Kept()
    story.until(Move.BEGIN)
    story.flags[BUSINESS] = False
    state = replace(story.state, status=Status.REVERTED, why="bob rolled back")
    end = Step(story.now + 1, "bob", Move.REVERTED, state.phase, state.step, ("move ends: bob rolled back.",), {}, ())
    found = chronicle(PLAN, state, [*story.steps, end], Flags(story.flags))
    assert endings(found) == ["rolled back", "not begun", "not begun"]
    assert found.passages[0].ended_at == story.now + 1
    assert found.deeds[-1].who == "bob"


def test_what_was_passed_and_changed_since_does_not_hold() -> None:
    story = Kept()
    story.until(Move.DONE)
    story.flags[SYSTEM] = False
    assert [each.holds for each in story.chronicle.passages] == [True, False, True]


def test_commands_are_deeds_and_quiet_ticks_are_none() -> None:
    story = Kept()
    story.until(Move.BEGIN)
    for _ in range(5):
        story.tick()
    story.told(Action.PAUSE, "lunch")
    story.told(Action.RESUME)
    story.told(Action.SKIP, "seen enough")
    assert [(deed.who, deed.move.value) for deed in story.chronicle.deeds] == [
        ("rollout 1", "begin"), ("ann", "pause"), ("ann", "resume"), ("ann", "step")]


def test_a_phase_still_in_effect_has_no_end() -> None:
    story = Kept()
    story.until(Move.BEGIN)
    story.tick(LOW)
    business = passage(story, "business")
    assert (business.ending, business.ended_at) == (Ending.IN_EFFECT, None)
    assert "soaked" in business.said[-1]


@given(PLANS, TICKS)
def test_whatever_happens_there_is_a_story_of_it(plan: Plan, ticks: list[tuple]) -> None:
    story = Kept(plan)
    for measured, command, hand, after, waiting in ticks:
        if hand is not None:
            story.flags[hand[0]] = hand[1]
        story.tick(measured, command, after=after, waiting=waiting)
    found = story.chronicle
    assert [each.name for each in found.passages] == list(plan.names)
    for index, each in enumerate(found.passages):
        assert (each.began_at is None) == (each.ending is Ending.NOT_BEGUN)
        assert (each.ended_at is None) == (each.ending in {Ending.NOT_BEGUN, Ending.IN_EFFECT})
        if each.ending is Ending.IN_EFFECT:
            assert (story.state.status, story.state.phase) == (Status.SOAKING, index)
        if each.ending is Ending.PASSED:
            assert story.state.phase > index
    assert sum(each.ending is Ending.IN_EFFECT for each in found.passages) == (
        story.state.status is Status.SOAKING)
    moved = [step for step in story.steps if step.move is not Move.HOLD]
    assert [deed.said for deed in found.deeds if deed.move is not Move.HOLD] == [step.said for step in moved]


FIGURES = st.none() | st.floats(allow_nan=False, allow_infinity=False)
POINTS = st.lists(st.tuples(FIGURES, st.sampled_from(list(Figure)))).map(
    lambda pairs: [Point(at, figure, None, None, status) for at, (figure, status) in enumerate(pairs)])


@given(POINTS, st.integers(5, 50))
def test_a_thinned_curve_keeps_its_ends_its_peaks_and_its_failures(points: list[Point], most: int) -> None:
    kept = thinned(points, most)
    assert len(kept) <= most + 3
    moments = [point.at for point in kept]
    assert moments == sorted(set(moments))
    assert set(kept) <= set(points)
    if not points:
        return
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    figures = [point.figure for point in points if point.figure is not None]
    if figures:
        assert {min(figures), max(figures)} <= {point.figure for point in kept}
    if any(point.status is Figure.FAIL for point in points):
        assert any(point.status is Figure.FAIL for point in kept)


def test_a_story_of_a_month_is_told_in_a_bounded_size() -> None:
    evidence = Story()
    evidence.until(Move.BEGIN)
    verdicts = evidence.tick().verdicts
    steps = [Step(at, "ann", Move.HOLD, 0, 0, ("x.",), {}, verdicts) for at in range(40_000)]
    steps[0] = replace(steps[0], move=Move.BEGIN)
    found = chronicle(PLAN, evidence.state, steps, Flags({}))
    assert (len(found.deeds), found.left_off) == (1_000, 39_000)
    assert all(len(curve.points) <= 243 for curve in found.passages[0].curves)
