"""Reads a component's figures over time: minutes and hours from the sampler, days from the timeline itself."""

import asyncio
from datetime import date, timedelta

import msgspec

from crossfade.app import App
from crossfade.core.clock import DAY, MINUTE
from crossfade.core.days import Days
from crossfade.core.figures import figures
from crossfade.core.flag import PERCENT, USE_REAL
from crossfade.core.payloads import HistoryPoint
from crossfade.core.reading import Origin, Reading
from crossfade.sources.component import Component
from crossfade.sources.history import MAX_DAYS
from crossfade.state.samples import BESIDE, Sample

from .curve import LEAST_DAYS, Curve, Cutover, Point, step_for

MOST_CUTOVERS = 200


async def curve(app: App, component: Component, since: int, until: int, *, most: int | None,
                viewer: str | None = None) -> Curve:
    """The component's figures over the span, thinned to about ``most`` points a source; None keeps them all.

    Raises StateError.
    """
    step = MINUTE if most is None else step_for(until - since, most)
    cutovers = await asyncio.to_thread(_cutovers, app, component, since, until)
    if component.model is HistoryPoint:
        days = min(MAX_DAYS, max(LEAST_DAYS, -(-(until - since) // DAY)))
        since = app.days.start(app.days.of(until) - timedelta(days - 1))
        points = by_day(await app.reader.read(component.name, viewer), app.days, since, until)
        return Curve(component.name, since, until, DAY, points, cutovers)
    samples = await asyncio.to_thread(app.state.samples, component.name, since, until, step=step)
    return Curve(component.name, since, until, step, tuple(map(_point, samples)), cutovers)


async def beside(app: App, component: Component, since: int, until: int, *, most: int) -> Curve:
    """What was compared, both sides, thinned to about ``most`` windows. Raises StateError."""
    if component.model is HistoryPoint:
        since = min(since, app.days.start(app.days.of(until) - timedelta(LEAST_DAYS - 1)))
    step = step_for(until - since, most)
    found = await asyncio.to_thread(app.state.samples, component.name, since, until, step=step, sources=BESIDE)
    return Curve(component.name, since, until, step, tuple(map(_point, found)))


def by_day(reading: Reading, days: Days, since: int, until: int) -> tuple[Point, ...]:
    """A timeline's days within the span; one that nobody counted has no point."""
    told, found = reading.provenance, []
    for row in reading.payload if isinstance(reading.payload, tuple) else ():
        values = figures(row)
        start, end = days.bounds(date.fromisoformat(row.date)) if isinstance(row, HistoryPoint) else (0, 0)
        if values and since < end and start < until and told.as_of is not None:
            found.append(Point(start, end - start, told.source.value, told.synthetic, min(told.as_of, end), values))
    return tuple(found)


def _point(sample: Sample) -> Point:
    return Point(sample.start, sample.length, sample.source, sample.source == Origin.MOCK, sample.as_of, sample.figures)


def _cutovers(app: App, component: Component, since: int, until: int) -> tuple[Cutover, ...]:
    """Changes of the flags that choose the component's source, the earliest first."""
    flags = (component.flag, PERCENT + component.flag.removeprefix(USE_REAL))
    found = (entry for flag in flags for entry in app.state.audit(limit=MOST_CUTOVERS, subject=flag)
             if entry.action == "flag.change" and since <= entry.at < until)
    return tuple(Cutover(entry.at, entry.subject, entry.old, entry.new, entry.who, entry.reason)
                 for entry in sorted(found, key=lambda entry: entry.at))


def plain(value: float) -> int | float:
    """A whole number as such."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def only(found: Curve, path: str) -> Curve:
    """The curve with one figure alone."""
    points = (msgspec.structs.replace(point, values={path: point.values[path]})
              for point in found.points if path in point.values)
    return msgspec.structs.replace(found, points=tuple(points))
