"""A gate's figure over time as a line: everything lies within the picture, and a gap is a gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.chronicle import Curve, Point
from crossfade.core.clock import SECOND
from crossfade.core.dimension import Status
from crossfade.core.gate import Gate
from crossfade.web.linechart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, chart, number

AT_MOST = Gate("quality.errors", "businessMetrics", most=10)
NOW = 1_790_000_000 * SECOND


def point(at: int, figure: float | None, status: Status = Status.PASS, low: float | None = None,
          high: float | None = None) -> Point:
    return Point(NOW + at * SECOND, figure, low, high, status)


def curve(*points: Point, gate: Gate = AT_MOST) -> Curve:
    return Curve(gate, points)


def test_a_line_from_its_first_to_its_last_moment() -> None:
    made = chart(curve(point(0, 0), point(50, 20), point(100, 10)))
    assert made is not None
    middle = (LEFT + WIDTH - RIGHT) / 2
    assert made.lines == (
        f"{LEFT}.0,{HEIGHT - BOTTOM}.0 {middle},{TOP}.0 {WIDTH - RIGHT}.0,{(TOP + HEIGHT - BOTTOM) / 2}",)
    assert made.threshold == (TOP + HEIGHT - BOTTOM) / 2
    assert made.threshold_text == "at most 10"
    assert [text for _, text in made.ticks] == ["0", "20"]
    assert (made.begins, made.ends) == ("2026-09-21 14:13:20", "2026-09-21 14:15:00")
    assert made.words == ("quality.errors of businessMetrics: from 0 to 10, between 0 and 20, where at most 10 is "
                          "wanted")


def test_where_nothing_was_measured_there_is_no_line() -> None:
    assert chart(curve()) is None
    assert chart(curve(point(0, None), point(1, None))) is None
    made = chart(curve(point(0, 1), point(1, 1), point(2, None), point(3, 1), point(4, 1), point(5, None), point(6, 1)))
    assert made is not None
    assert [line.count(",") for line in made.lines] == [2, 2]


def test_verdicts_that_do_not_pass_are_marked_where_they_begin() -> None:
    made = chart(curve(point(0, 1), point(1, 20, Status.FAIL), point(2, 20, Status.FAIL), point(3, 1),
                       point(4, 1, Status.INCONCLUSIVE), point(5, 1)))
    assert made is not None
    assert [dot.status for dot in made.dots] == ["fail", "inconclusive", "pass"]
    assert made.dots[0].title == "2026-09-21T14:13:21Z: 20, fail"


def test_what_was_proved_is_a_band_within_the_picture() -> None:
    made = chart(curve(point(0, 5, low=0, high=100), point(1, 5, low=4, high=6)))
    assert made is not None
    band, = made.band
    assert band.count(",") == 4
    assert min(float(place.partition(",")[2]) for place in band.split()) == TOP
    assert chart(curve(point(0, 5, low=5, high=5))).band == ()


def test_a_figure_that_never_moves_is_a_line_in_the_middle() -> None:
    made = chart(curve(point(0, 10), point(1, 10)))
    assert made is not None
    assert made.ticks == ((made.threshold, "10"),)
    assert TOP < made.threshold < HEIGHT - BOTTOM


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (1.23456, "1.235"), (1234.5, "1,234"), (1e15, "1e+15"),
                                             (-0.001, "-0.001"), (100.0, "100")])
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


FIGURE = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(st.integers(0, 10**7), FIGURE, FIGURE, FIGURE, st.sampled_from(list(Status))), max_size=30),
       st.floats(-1e300, 1e300))
def test_everything_lies_within_the_picture(rows: list[tuple], threshold: float) -> None:
    points = [point(at, figure, status, low, high) for at, figure, low, high, status in
              sorted(rows, key=lambda row: row[0])]
    made = chart(curve(*points, gate=Gate("live.x", least=threshold)))
    assert (made is None) == all(each.figure is None for each in points)
    if made is None:
        return
    places = [place for line in (*made.lines, *made.band) for place in line.split()]
    spots = [(float(x), float(y)) for x, y in (place.split(",") for place in places)]
    spots += [(dot.x, dot.y) for dot in made.dots] + [(LEFT, y) for y, _ in made.ticks] + [(LEFT, made.threshold)]
    assert all(LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT - BOTTOM for x, y in spots)
