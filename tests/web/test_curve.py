"""Figures over time: thinned, broken at their gaps, each source for itself, and drawn within their field."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE
from crossfade.web.curve import HEIGHT, RANGES, WIDTH, Curve, Cutover, Point, runs, spark, step_for


def points(*told: tuple[int, str, float]) -> tuple[Point, ...]:
    return tuple(Point(minute * MINUTE, MINUTE, source, source == "mock", 0, {"a": value})
                 for minute, source, value in told)


def curve(*told: tuple[int, str, float], until: int = HOUR, step: int = MINUTE,
          cutovers: tuple[int, ...] = ()) -> Curve:
    return Curve("c", 0, until, step, points(*told), tuple(Cutover(at, "f", None, None, "w", None) for at in cutovers))


@pytest.mark.parametrize(("span", "most", "step"), [
    (HOUR, 90, MINUTE), (DAY, 90, 20 * MINUTE), (7 * DAY, 90, 2 * HOUR), (90 * DAY, 90, DAY), (90 * DAY, 500, 6 * HOUR),
    (20_000 * DAY, 500, 40 * DAY), (1, 1, MINUTE)])
def test_a_step_is_even(span: int, most: int, step: int) -> None:
    assert step_for(span, most) == step


@given(st.integers(1, 25_000 * DAY), st.integers(1, 12_000))
def test_no_more_points_than_asked_for_come(span: int, most: int) -> None:
    assert step_for(span, most) * most >= span
    assert step_for(span, most) % MINUTE == 0


def test_a_run_ends_at_a_gap_and_no_source_joins_another() -> None:
    told = points((0, "real", 1), (1, "real", 2), (1, "mock", 9), (2, "real", 3), (4, "real", 4), (5, "mock", 9))
    found = [(run[0].source, [point.values["a"] for point in run]) for run in runs(told, "a", MINUTE)]
    assert found == [("real", [1, 2, 3]), ("mock", [9]), ("real", [4]), ("mock", [9])]
    assert runs(told, "b", MINUTE) == []


def test_made_up_spans_are_hatched_and_told_apart_in_the_extent() -> None:
    told = ((0, "mock", 1000), (1, "mock", 900), (30, "real", 3), (31, "real", 5))
    picture = spark(curve(*told, cutovers=(30 * MINUTE,)), "a")
    assert picture is not None
    assert [(span.x, span.width) for span in picture.spans] == [(0, 4)]
    assert (picture.low, picture.high, picture.kinds) == (3, 5, {True, False})
    assert picture.cutovers == (60,)
    assert [line.source for line in picture.lines] == ["mock", "real"]


def test_a_lone_point_is_a_dot_and_nothing_is_no_picture() -> None:
    picture = spark(curve((30, "real", 7)), "a")
    assert picture is not None
    assert [line.path for line in picture.lines] == [f"M60 {HEIGHT / 2:g}h0"]
    assert spark(curve(), "a") is None


def test_the_limit_is_in_the_picture_however_far_the_figures_are_from_it() -> None:
    picture = spark(curve((0, "real", 1), (1, "real", 2)), "a", 250)
    assert picture is not None
    assert picture.limit == 2
    assert picture.high == 2


VALUES = st.floats(-1e15, 1e15)


@given(st.lists(st.tuples(st.integers(-10, 70), st.sampled_from(["real", "mock", "legacy"]), VALUES),
                unique_by=lambda told: told[:2]), st.none() | VALUES, st.sampled_from(list(RANGES.values())))
def test_everything_lies_in_the_field(told: list[tuple[int, str, float]], limit: float | None, until: int) -> None:
    picture = spark(curve(*sorted(told), until=until, cutovers=(0, until)), "a", limit)
    if picture is None:
        assert not told
        return
    for line in picture.lines:
        for x, y in re.findall(r"[ML]([\d.e-]+) ([\d.e-]+)", line.path):
            assert 0 <= float(x) <= WIDTH
            assert 0 <= float(y) <= HEIGHT
    assert all(0 <= x <= WIDTH for x in picture.cutovers)
    assert sum(line.path.count("M") for line in picture.lines) == len(runs(points(*sorted(told)), "a", MINUTE))
