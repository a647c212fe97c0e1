"""What the live pages show: readings and curves as words, numbers and small pictures, ready for a template. Pure.

The browser keeps a page current from the JSON of the same readings (``static/dashboard.js``): a figure carries its
path and its kind, and its words come from ``words.py``, so that both agree.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import msgspec

from crossfade.core.clock import DAY, SECOND, iso
from crossfade.core.figures import lookup
from crossfade.core.reading import Reading
from crossfade.sources.component import Component

from .curve import DEFAULT_RANGE, LEAST_DAYS, RANGES, Curve, Spark, spark
from .layouts import LAYOUTS, Field, Layout, layout_of
from .live import last_days
from .proof import Vouched
from .words import PARTS, WORDS, emptiness, note, part_of, proof, state_of
from .writing import age, clip, duration, moment, show


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address says: the range, and which values alone are to be seen."""

    range: str = DEFAULT_RANGE
    only: str = ""

    @property
    def days(self) -> int:
        """Of the timeline."""
        return max(LEAST_DAYS, RANGES[self.range] // DAY)

    def address(self, path: str = "/", **changes: str) -> str:
        """The page with some of it changed; what is as by itself is left out."""
        told = {"range": self.range, "show": self.only, **changes}
        kept = {name: value for name, value in told.items() if value and (name, value) != ("range", DEFAULT_RANGE)}
        return f"{path}?{urlencode(kept)}" if kept else path


@dataclass(frozen=True, slots=True)
class Figure:
    """A field with its value, written out."""

    field: Field
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table; the status, where it has one, is also drawn as a shape."""

    figures: tuple[Figure, ...]
    status: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """One value with everything that tells whether to believe it."""

    component: str
    field: Field
    text: str
    state: str
    part: str
    badge: str
    empty: str
    """Which kind of nothing the value is, in words; empty if it is something."""
    age: str
    proof: str
    spark: Spark | None
    extent: str
    span: str
    """Of the picture."""
    limit_text: str
    hidden: bool
    link: str
    files: tuple[tuple[str, str], ...]
    """What can be taken away: a name, and an address."""


@dataclass(frozen=True, slots=True)
class Section:
    """A component as it is shown."""

    component: str
    layout: Layout
    state: str
    badge: str
    note: str
    as_of: str
    """ISO 8601; empty if it is not known."""
    as_of_text: str
    age: str
    facts: tuple[Figure, ...]
    """Figures that are words."""
    cards: tuple[Card, ...]
    rows: tuple[Row, ...]
    blank: Row
    """A row without values, for the browser to copy."""
    hidden: bool
    """Whether every card is."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the truth: how many values are of a kind, and the address that shows them alone."""

    name: str
    text: str
    count: int
    link: str
    current: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A range to look at."""

    name: str
    text: str
    link: str
    current: bool


@dataclass(frozen=True, slots=True)
class DashboardView:
    """The whole page at one moment."""

    at: str
    at_text: str
    asked: Asked
    parts: tuple[Part, ...]
    everything: str
    """The address without the filter."""
    worst: str
    """The least trustworthy part on the page."""
    ranges: tuple[Choice, ...]
    status: str
    words: str
    """``WORDS`` as JSON."""
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What a page is made of beside its readings."""

    now: int
    asked: Asked = Asked()
    curves: Mapping[str, Curve] = field(default_factory=dict)
    proofs: Mapping[str, Vouched] = field(default_factory=dict)
    waiting: bool = False


def view(readings: Sequence[Reading], components: Sequence[Component], look: Look) -> DashboardView:
    """The page for these readings. A component without a reading is not shown."""
    by_name = {reading.component: reading for reading in readings}
    known = sorted(components, key=lambda component: (*LAYOUTS, component.name).index(component.name))
    sections = tuple(section(by_name[component.name], component, look) for component in known
                     if component.name in by_name)
    found = parts(sections, by_name, look)
    at = iso(look.now)
    return DashboardView(
        at=at, at_text=moment(at), asked=look.asked, parts=found, everything=look.asked.address(show=""),
        worst=next((part.name for part in reversed(found) if part.count), "unavailable"),
        ranges=ranges(look.asked, "/"),
        status=WORDS["waiting"].replace("{at}", moment(at)), words=msgspec.json.encode(WORDS).decode(),
        sections=sections,
    )


def section(reading: Reading, component: Component, look: Look) -> Section:
    """A component's part of the page."""
    layout = layout_of(component)
    told, state = reading.provenance, state_of(reading)
    # An unavailable component shows no figure, whatever came with it.
    payload: object = None if state == "unavailable" else msgspec.to_builtins(
        last_days(reading.payload, look.asked.days))
    as_of = "" if told.as_of is None else iso(told.as_of)
    items = lookup(payload, layout.rows) if layout.columns else None
    series: Sequence[object] = items if isinstance(items, list | tuple) else ()
    root = last_of(payload)
    cards = tuple(card(reading, component, each, root, look) for each in layout.figures if each.kind != "text")
    return Section(
        component=reading.component, layout=layout, state=state, badge=WORDS[state],
        note=note(state, told, component.flag), as_of=as_of, as_of_text=moment(as_of), age=aged(reading, look.now),
        facts=tuple(figure(each, root) for each in layout.figures if each.kind == "text"), cards=cards,
        rows=tuple(row(layout, item) for item in (reversed(series) if layout.folded else series)),
        blank=row(layout, None), hidden=all(each.hidden for each in cards) and bool(look.asked.only),
    )


def card(reading: Reading, component: Component, each: Field, root: object, look: Look) -> Card:
    """One value of a component, whose figures lie under ``root``."""
    state, value = state_of(reading), lookup(root, each.path)
    nothing = emptiness(state, value, waiting=look.waiting)
    part = part_of(state, nothing)
    curve = look.curves.get(component.name)
    picture = None if curve is None else spark(curve, each.path, each.limit)
    path = f"/figures/{quote(component.name)}/{quote(each.path)}"
    export = f"/api/export/{quote(component.name)}?" + urlencode({"figure": each.path, "range": look.asked.range})
    return Card(
        component=component.name, field=each, text=show(None if nothing == "waiting" else value, each.kind),
        state=state, part=part, badge=WORDS[state], empty=told_empty(nothing, reading), age=aged(reading, look.now),
        proof=proof(state, look.proofs.get(component.name)), spark=picture, extent=extent(picture, each),
        span=f"{look.asked.days} d" if layout_of(component).folded else _spaced(look.asked.range),
        limit_text="" if each.limit is None else show(each.limit, each.kind),
        hidden=look.asked.only not in {"", part}, link=look.asked.address(path, show=""),
        files=(("CSV", f"{export}&format=csv"), ("JSON", f"{export}&format=json")),
    )


def parts(sections: Sequence[Section], readings: Mapping[str, Reading], look: Look) -> tuple[Part, ...]:
    """How many values are real, and what the others are: what is made up is never added to what is real."""
    cards = [each for found in sections for each in found.cards]
    count = Counter(each.part for each in cards)
    cached = [as_of for each in cards if each.part == "cached"
              and (as_of := readings[each.component].provenance.as_of) is not None]
    oldest = duration(max(0, look.now - min(cached)) / SECOND) if cached else ""
    texts = {name: WORDS[f"truth.{name}"].replace("{count}", f"{count[name]:,}").replace("{all}", f"{len(cards):,}")
             .replace("{age}", oldest) for name in PARTS}
    return tuple(Part(name, texts[name], count[name], look.asked.address(show=name), look.asked.only == name)
                 for name in PARTS)


def ranges(asked: Asked, path: str) -> tuple[Choice, ...]:
    """The spans to choose from, as links to the same page."""
    return tuple(Choice(name, _spaced(name), asked.address(path, range=name), asked.range == name)
                 for name in RANGES)


def _spaced(name: str) -> str:
    return f"{name[:-1]} {name[-1]}"


def extent(picture: Spark | None, each: Field) -> str:
    """From what to what the picture reaches."""
    if picture is None:
        return ""
    low, high = show(picture.low, each.kind), show(picture.high, each.kind)
    told = low if low == high else f"{low} – {high}"
    if len(picture.kinds) > 1:
        return WORDS["extent.real"].replace("{extent}", told)
    return WORDS["extent.made-up"].replace("{extent}", told) if True in picture.kinds else told


def told_empty(nothing: str, reading: Reading) -> str:
    error = clip(reading.provenance.error or WORDS["no-reason"])
    return WORDS[f"empty.{nothing}"].replace("{error}", error) if nothing else ""


def aged(reading: Reading, now: int) -> str:
    as_of = reading.provenance.as_of
    return "" if as_of is None else age((now - as_of) / SECOND)


def last_of(payload: object) -> object:
    """What the figures are read from: of a series its last row."""
    if isinstance(payload, list | tuple):
        return payload[-1] if payload else None
    return payload


def row(layout: Layout, item: object) -> Row:
    """A table's line for an item of the payload; without one, a blank."""
    status = lookup(item, "status")
    figures = tuple(figure(each, item) for each in layout.columns)
    return Row(figures, status if isinstance(status, str) else None)


def figure(each: Field, payload: object) -> Figure:
    """The field's value in the payload."""
    return Figure(each, show(lookup(payload, each.path), each.kind))
