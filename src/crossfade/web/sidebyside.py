"""The real values of a component beside its reference's, over time: as pictures, and as the table beneath. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from crossfade.core.clock import iso
from crossfade.core.payloads import BusinessMetrics, HistoryPoint
from crossfade.core.recounted import ALL, Recounted
from crossfade.sources.component import Component
from crossfade.state.samples import COMPARED

from .curve import Curve, Spark, spark
from .layouts import Field, layout_of
from .writing import clip, moment, show

MOST_PICTURES = 12
MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Both:
    """One figure, as the two told it."""

    field: Field
    spark: Spark
    words: str


@dataclass(frozen=True, slots=True)
class BothLine:
    """One window of one figure."""

    at: str
    at_text: str
    label: str
    real: str
    reference: str
    same: bool


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Everything that was compared in a span and is kept."""

    figures: tuple[Both, ...]
    lines: tuple[BothLine, ...]
    """The newest first, of the newest windows."""


def side_by_side(component: Component, found: Curve, wrong: Sequence[Recounted]) -> SideBySide:
    """``found``: both sides as points; ``wrong``: windows that disagree with the recount, which are marked."""
    paths = list(dict.fromkeys(path for point in found.points for path in point.values))[:MOST_PICTURES]
    real, theirs = ({(point.start, path): value for point in found.points if (point.source == COMPARED) is own
                     for path, value in point.values.items()} for own in (True, False))
    both = sorted((key for key in real.keys() & theirs.keys() if key[1] in paths),
                  key=lambda key: (-key[0], paths.index(key[1])))
    fields = {path: _field(component, path) for path in paths}
    figures = []
    for path in paths:
        picture = spark(found, path, wrong=[each.start for each in wrong if each.field in {path, ALL}])
        pairs = [(real[key], theirs[key]) for key in both if key[1] == path]
        if picture is not None and pairs:
            figures.append(Both(fields[path], picture, _words(pairs)))
    return SideBySide(tuple(figures), tuple(_line(key, fields[key[1]], real[key], theirs[key])
                                            for key in both[:MOST_ROWS]))


def _field(component: Component, path: str) -> Field:
    """What the recount counts by the minute has an event's name, and no field of the dashboard's."""
    known = layout_of(component).field(path)
    if known is not None:
        return replace(known, hint="each day") if component.model is HistoryPoint else known
    if component.model is BusinessMetrics:
        return Field(path, "All events" if path == ALL else clip(path), "count", "each minute")
    return Field(path, clip(path), "number")


def _words(pairs: Sequence[tuple[float, float]]) -> str:
    same = sum(one == other for one, other in pairs)
    if same == len(pairs):
        return f"the same in all of {len(pairs):,} windows" if len(pairs) > 1 else "the same in the one window"
    return f"the same in {same:,} of {len(pairs):,} windows"


def _line(key: tuple[int, str], field: Field, real: float, reference: float) -> BothLine:
    at = iso(key[0])
    return BothLine(at, moment(at), field.label + (f", {field.hint}" if field.hint else ""), show(real, field.kind),
                    show(reference, field.kind), real == reference)
