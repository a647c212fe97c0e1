"""What the migration dashboard shows of the components: a verdict in one sentence, and a row each. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from crossfade.core.clock import iso
from crossfade.core.dimension import Dimension, Status
from crossfade.core.flag import Flags, FlagValue, Stage, own, share, stage
from crossfade.core.quality import Quality
from crossfade.core.threshold import Thresholds
from crossfade.sources.component import Component
from crossfade.state.flags import FlagRow

from .layouts import Kind, layout_of
from .proof import vouched
from .stacks import Stack
from .writing import SPACE, moment, number, percent, show

PAGE = "/admin/migration-dashboard"
TONES: Mapping[Status, str] = {Status.PASS: "pass", Status.FAIL: "fail", Status.INCONCLUSIVE: "open",
                               Status.NO_DATA: "none"}
"""How a status is drawn."""
_GRAVITY = (Status.FAIL, Status.INCONCLUSIVE, Status.NO_DATA, Status.PASS)
_REFERENCES = {"recount": "recount", "second_reader": "second reader", "legacy": "legacy system"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The whole migration in a sentence."""

    sentence: str
    tone: str


@dataclass(frozen=True, slots=True)
class Stop:
    """A stage on the way of a component."""

    name: str
    standing: str
    """``passed``, ``here`` or ``ahead``."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of a component, with what it is held against."""

    label: str
    value: float | None
    kind: Kind
    text: str
    hint: str
    tone: str = ""
    word: str = ""
    """What the tone means."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A flag of a component as it is, and who set it last."""

    name: str
    value: str
    by: str
    at: str
    at_text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A component."""

    name: str
    title: str
    link: str
    flag: str
    stage: Stage
    stops: tuple[Stop, ...]
    tone: str
    word: str
    sentence: str
    cells: tuple[Cell, ...]
    switches: tuple[Switch, ...]
    last: Switch | None
    """The flag that was set last."""
    sources: Stack | None
    can_go_back: bool
    """Whether a rollback of it changes anything."""


def verdict(qualities: Sequence[Quality], read: Collection[str], asides: Iterable[str] = ()) -> Verdict:
    """``3 of 4 ready; historicalData held: 41 of 59 windows compared``. The gravest component is told by name.

    ``read``: the components whose real source is read these days: what was found of another is of the past.
    ``asides``: what else is to be known first of all: a rollout that is paused, say.
    """
    stands = [(quality, quality.status if quality.component in read or quality.status is Status.PASS
               else Status.NO_DATA) for quality in qualities]
    ready = sum(status is Status.PASS for _, status in stands)
    parts = [f"{ready:,} of {len(qualities):,} ready"]
    gravest, status = min(stands, key=lambda pair: _GRAVITY.index(pair[1]), default=(None, Status.NO_DATA))
    if gravest is not None and status is not Status.PASS:
        more = sum(other is status for _, other in stands) - 1
        others = f" (and {more:,} more)" if more else ""
        reason = UNREAD if status is Status.NO_DATA else why(gravest)
        parts.append(f"{gravest.component} {_HELD[status]}{others}: {reason}")
    made_up = next((quality for quality in qualities if quality.undeclared_synthetic > 0), None)
    if made_up is not None:
        parts.append(f"{made_up.undeclared_synthetic:,} made-up readings of {made_up.component} were shown in place of "
                     "real ones")
    return Verdict("; ".join([*parts, *asides]), "fail" if made_up is not None else TONES[status])


UNREAD = "its real source is not read"
_HELD = {Status.FAIL: "fails", Status.INCONCLUSIVE: "held", Status.NO_DATA: "not measured"}


def why(quality: Quality) -> str:
    """Why a component is not ready, as short as it goes; empty if it is."""
    if quality.status is Status.PASS:
        return ""
    if quality.status is Status.NO_DATA:
        return UNREAD
    telling = [each for each in quality.dimensions if each.status is quality.status]
    told = min(telling, key=lambda each: -1 if each.value is None else each.value)
    proof = quality.accuracy_proof if told.name == "accuracy" else quality.consistency_proof
    if told.name in {"accuracy", "consistency"} and quality.status is Status.INCONCLUSIVE:
        if proof is None or not proof.compared:
            return "no window compared yet"
        if proof.needed is not None:
            return f"{proof.compared:,} of {proof.compared + proof.needed:,} windows compared"
    return _held_against(told)


def rows(qualities: Iterable[Quality], components: Mapping[str, Component], flags: Flags,
         changed: Iterable[FlagRow], *, thresholds: Thresholds, sources: Mapping[str, Stack]) -> tuple[Row, ...]:
    """A row for each component, in the order of the components. One without a quality has none of its figures."""
    known = {quality.component: quality for quality in qualities}
    by_name = {row.name: row for row in changed}
    return tuple(_row(component, known.get(name), flags, by_name, thresholds, sources.get(name))
                 for name, component in components.items())


def link_of(component: str) -> str:
    """Where a component is shown with all that is known of it."""
    return f"{PAGE}/components/{quote(component, safe='')}"


def stops(at: Stage) -> tuple[Stop, ...]:
    """The way from mock to retired."""
    order = tuple(Stage)
    here = order.index(at)
    return tuple(Stop(each.value, "passed" if index < here else "here" if index == here else "ahead")
                 for index, each in enumerate(order))


def _row(component: Component, quality: Quality | None, flags: Flags, changed: Mapping[str, FlagRow],  # noqa: PLR0917
         thresholds: Thresholds, sources: Stack | None) -> Row:
    names = own(component.flag)
    retired = component.flag in flags.retired
    found = [changed[name] for name in names if name in changed and not retired]
    newest = max(found, key=lambda row: row.changed_at, default=None)
    status = Status.NO_DATA if quality is None else quality.status
    at = stage(flags, component.flag)
    return Row(
        component.name, layout_of(component).title, link_of(component.name), component.flag, at, stops(at),
        TONES[status], status.value, "Nothing is known of it yet." if quality is None else quality.sentence,
        () if quality is None else cells(quality, thresholds), tuple(map(_switch, found)),
        None if newest is None else _switch(newest), sources, not retired and bool(share(flags, component.flag)),
    )


def cells(quality: Quality, thresholds: Thresholds) -> tuple[Cell, ...]:
    """The figures that decide, each beside its limit."""
    worst = next((each for each in quality.dimensions if each.name == quality.worst), None)
    told = why(quality) if quality.status is Status.INCONCLUSIVE else \
        "" if worst is None else f"{percent(worst.threshold)} wanted"
    wanted = "nothing measured" if worst is None else f"worst: {worst.name}; {told}"
    return (
        Cell("Quality", quality.quality, "percent", show(quality.quality, "percent"), wanted,
             TONES[quality.status], quality.status.value),
        _reference(quality),
        _limited("P95", quality.latency_p95, "milliseconds", thresholds.p95_ms, f"of {quality.calls:,} calls"),
        _limited("Error rate", quality.error_rate, "percent", thresholds.error_rate, f"of {quality.calls:,} calls"),
        Cell("Fallback rate", quality.fallback_rate, "percent", show(quality.fallback_rate, "percent"),
             f"{quality.fallback_triggers:,} of {quality.served:,} readings"),
    )


def _reference(quality: Quality) -> Cell:
    found = vouched((quality,)).get(quality.component)
    proof = quality.accuracy_proof or quality.consistency_proof
    if found is None or proof is None:
        return Cell("Reference", None, "count", "none", "nothing to compare with yet")
    return Cell("Reference", None, "text", f"{_REFERENCES[found.reference]}, n{SPACE}={SPACE}{proof.compared:,}",
                f"{proof.agreeing:,} agree, which proves {percent(proof.low)} or more")


def _limited(label: str, value: float | None, kind: Kind, limit: float, of: str) -> Cell:
    if value is None:
        return Cell(label, None, kind, show(None, kind), f"limit {show(limit, kind)}")
    good = value <= limit
    return Cell(label, value, kind, show(value, kind), f"limit {show(limit, kind)}, {of}", "pass" if good else "fail",
                "within" if good else "above the limit")


def _held_against(told: Dimension) -> str:
    value = "unknown" if told.value is None else percent(told.value)
    return f"{told.name} {value}, where {percent(told.threshold)} is wanted"


def _switch(row: FlagRow) -> Switch:
    at = iso(row.changed_at)
    return Switch(row.name, flag_text(row.value), row.changed_by, at, moment(at))


def flag_text(value: FlagValue) -> str:
    """A flag's value as people read it."""
    return ("on" if value else "off") if isinstance(value, bool) else f"{number(value)} %"
