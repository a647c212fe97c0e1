"""A component's figures over time, and the small picture of one of them. Pure.

A curve never joins what was not seen together: another source is another line, and where samples are missing there is
a gap. Synthetic spans are told apart, so that they can be hatched.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
from msgspec import Struct

from crossfade.core.clock import DAY, HOUR, MINUTE

RANGES: Mapping[str, int] = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY}
"""Spans that the page offers, in microseconds."""
DEFAULT_RANGE = "24h"
LEAST_DAYS = 7
"""What is counted by the day is shown for at least so many."""
_STEPS = tuple(minutes * MINUTE for minutes in (1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440))
GAP = 1.5
"""Two samples further apart than so many steps have a gap between them."""
WIDTH, HEIGHT = 120, 32
"""The field of a spark."""


class Point(Struct, frozen=True):
    """One source's figures in one slot. Moments and lengths are microseconds."""

    start: int
    length: int
    source: str
    synthetic: bool
    as_of: int
    values: Mapping[str, float]


class Cutover(Struct, frozen=True):
    """A flag of the component was changed."""

    at: int
    flag: str
    old: str | None
    new: str | None
    who: str
    reason: str | None


class Curve(Struct, frozen=True):
    """A component over ``[since, until)``: of each source the points in order, one a step at the most."""

    component: str
    since: int
    until: int
    step: int
    points: tuple[Point, ...] = ()
    cutovers: tuple[Cutover, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """Points of one source that hang together, as an SVG path."""

    source: str
    path: str


@dataclass(frozen=True, slots=True)
class Span:
    """Where the figures are made up."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Spark:
    """One figure on a field of ``WIDTH`` × ``HEIGHT``, top left is 0."""

    lines: tuple[Line, ...]
    spans: tuple[Span, ...]
    cutovers: tuple[float, ...]
    limit: float | None
    """Height of the line that the figure should stay below."""
    low: float
    high: float
    """The least and the greatest value that was measured; of made-up ones where there are no others."""
    kinds: frozenset[bool]
    """Whether there are made-up ones, and others."""
    wrong: tuple[float, ...] = ()
    """Where windows disagree with the recount."""


def with_now(curve: Curve, now: Point) -> Curve:
    """The curve up to this moment: its last point is what is shown."""
    return msgspec.structs.replace(curve, points=(*curve.points, now))


def step_for(span: int, most: int) -> int:
    """The shortest even step that makes no more than ``most`` points of the span."""
    return next((step for step in _STEPS if step * most >= span), -(-span // most // DAY) * DAY)


def runs(points: Iterable[Point], path: str, step: int) -> list[list[Point]]:
    """The points that have the figure: a run for each source, broken at its gaps."""
    found: list[list[Point]] = []
    last: dict[str, list[Point]] = {}
    for point in points:
        if path not in point.values:
            continue
        run = last.get(point.source)
        if run is None or point.start - run[-1].start > GAP * max(step, run[-1].length):
            run = last[point.source] = []
            found.append(run)
        run.append(point)
    return found


def spark(curve: Curve, path: str, limit: float | None = None, wrong: Iterable[int] = ()) -> Spark | None:
    """The picture of one figure; None where no sample has it. ``wrong``: moments that are marked."""
    found = runs(curve.points, path, curve.step)
    if not found:
        return None
    bounds = [point.values[path] for run in found for point in run] + ([] if limit is None else [limit])
    bottom, top = min(bounds), max(bounds)
    measured = [point.values[path] for run in found if not run[0].synthetic for point in run]
    told = measured or [point.values[path] for run in found for point in run]

    def x(moment: int) -> float:
        return round(WIDTH * (min(max(moment, curve.since), curve.until) - curve.since)
                     / max(1, curve.until - curve.since), 1)

    def y(value: float) -> float:
        return round(2 + (HEIGHT - 4) * (1 - (value - bottom) / (top - bottom) if top > bottom else 0.5), 1)

    return Spark(
        tuple(Line(run[0].source, _path([(x(point.start), y(point.values[path])) for point in run])) for run in found),
        tuple(Span(x(run[0].start), max(1.0, round(x(run[-1].start + max(curve.step, run[-1].length))
                                                   - x(run[0].start), 1)))
              for run in found if run[0].synthetic),
        tuple(x(cutover.at) for cutover in curve.cutovers), None if limit is None else y(limit),
        min(told), max(told), frozenset(run[0].synthetic for run in found),
        tuple(sorted({x(at) for at in wrong if curve.since <= at < curve.until})),
    )


def _path(places: Sequence[tuple[float, float]]) -> str:
    """A single point becomes a line of no length, which round ends make a dot."""
    (x, y), *rest = places
    steps = [f"L{later[0]:g} {later[1]:g}" for before, later in pairwise(places) if later != before]
    return f"M{x:g} {y:g}" + ("".join(steps) if rest and steps else "h0")
