"""A gate's figure over time as a line, ready for an SVG. Pure.

The scale holds every figure and the threshold; a span in which nothing was measured is a gap, never a line.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crossfade.core.chronicle import Curve, Point
from crossfade.core.clock import iso
from crossfade.core.dimension import Status

WIDTH, HEIGHT = 400, 120
LEFT, RIGHT, TOP, BOTTOM = 56, 10, 10, 24
"""Room around the plot, for what is written there."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A point that is drawn by itself."""

    x: float
    y: float
    status: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Where things lie, in a box of ``WIDTH`` by ``HEIGHT``."""

    lines: tuple[str, ...]
    """Points of a polyline each, without the gaps between them."""
    band: tuple[str, ...]
    """Points of a polygon each: what was proved of the figure."""
    dots: tuple[Dot, ...]
    """Verdicts that do not pass, and the last one."""
    threshold: float
    """Its y."""
    threshold_text: str
    ticks: tuple[tuple[float, str], ...]
    """y and text of the least and the largest value."""
    begins: str
    ends: str
    words: str
    """What is to be seen, for those who do not see it."""


def chart(curve: Curve) -> Chart | None:
    """The figures of a gate; None if nothing was measured."""
    points = curve.points
    figures = [point.figure for point in points if point.figure is not None]
    if not figures:
        return None
    scale = _Scale(points, figures, curve.gate.threshold)
    spans = tuple(_spans(points))
    return Chart(
        tuple(" ".join(scale.place(point.at, point.figure) for point in span) for span in spans if len(span) > 1),
        tuple(_band(scale, span) for span in spans if any(_is_bounded(point) for point in span)),
        tuple(scale.dot(point) for point in _told(points)), scale.y(curve.gate.threshold),
        f"{curve.gate.side} {number(curve.gate.threshold)}",
        tuple((scale.y(value), number(value)) for value in scale.ticks),
        _clock(points[0].at), _clock(points[-1].at), _words(curve, figures),
    )


class _Scale:
    """From moments and figures to places."""

    def __init__(self, points: Sequence[Point], figures: Sequence[float], threshold: float) -> None:
        values = (*figures, threshold)
        self.least, self.most = min(values), max(values)
        self.ticks = sorted({self.least, self.most})
        self._first, self._span = points[0].at, max(1, points[-1].at - points[0].at)

    def x(self, at: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (at - self._first) / self._span, 1)

    def y(self, value: float) -> float:
        """Within the plot: a bound may lie far beyond. What never moves is in the middle."""
        height = self.most / 2 - self.least / 2  # halves, so that the largest numbers have a difference too
        share = (min(max(value, self.least), self.most) / 2 - self.least / 2) / height if height else 0.5
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share, 1)

    def place(self, at: int, value: float | None) -> str:
        return f"{self.x(at)},{self.y(value or 0.0)}"

    def dot(self, point: Point) -> Dot:
        return Dot(self.x(point.at), self.y(point.figure or 0.0), point.status.value,
                   f"{iso(point.at)}: {number(point.figure or 0.0)}, {point.status}")


def _spans(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Points with a figure that follow each other."""
    span: list[Point] = []
    for point in points:
        if point.figure is not None:
            span.append(point)
        elif span:
            yield span
            span = []
    if span:
        yield span


def _told(points: Sequence[Point]) -> Iterator[Point]:
    """Of neighbours with one verdict the first, where it does not pass; and the last of all."""
    known = [point for point in points if point.figure is not None]
    before = None
    for point in known:
        if point.status is not before and point.status is not Status.PASS and point is not known[-1]:
            yield point
        before = point.status
    yield known[-1]


def _is_bounded(point: Point) -> bool:
    return point.low is not None and point.high is not None and point.low < point.high


def _band(scale: _Scale, span: Sequence[Point]) -> str:
    above = [scale.place(point.at, point.figure if point.high is None else point.high) for point in span]
    below = [scale.place(point.at, point.figure if point.low is None else point.low) for point in reversed(span)]
    return " ".join((*above, *below))


def _words(curve: Curve, figures: Sequence[float]) -> str:
    gate = curve.gate
    return (f"{gate.figure}{f' of {gate.component}' if gate.component else ''}: from {number(figures[0])} to "
            f"{number(figures[-1])}, between {number(min(figures))} and {number(max(figures))}, where {gate.side} "
            f"{number(gate.threshold)} is wanted")


def number(value: float) -> str:
    """To four digits, but all of those before the point."""
    return f"{value:,.0f}" if 1_000 <= abs(value) < 1e15 else f"{value:.4g}"


def _clock(at: int) -> str:
    return iso(at)[:19].replace("T", " ")
