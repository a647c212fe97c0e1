"""What the first page shows: readings as words, numbers and bars, ready for a template. Pure.

The browser keeps the page current from the JSON of the same readings (``static/dashboard.js``): a figure
carries its path and its kind, and the words of badges, notes and status come from ``WORDS`` here, so that both
agree. Figures are written here as ``static/figures.js`` writes them, for a reader without JavaScript.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from crossfade.core.clock import SECOND, iso
from crossfade.core.reading import Origin, Provenance, Reading, Reason
from crossfade.sources.component import Component

from .layouts import LAYOUTS, Field, Kind, Layout, layout_of
from .live import DEFAULT_DAYS, last_days

NONE = "—"
"""What is shown for a value that is not known: never 0."""
SPACE = "\u00a0"
"""Keeps a number and its unit on one line."""
TEXT_LENGTH = 300
"""Characters of a text from outside that are shown; the API gives all of it."""

STATES = ("real", "stale", "legacy", "mock", "unavailable")
"""What a component can be, for its reader; the later, the less it is to be trusted."""

WORDS: Mapping[str, str] = {
    "real": "REAL",
    "stale": "STALE",
    "legacy": "LEGACY",
    "mock": "MOCK · synthetic",
    "unavailable": "UNAVAILABLE",
    "note.real": "",
    "note.stale": "Real, and old: the real source gives nothing newer.",
    "note.stale.failing": "The last good value: the real source is failing: {error}",
    "note.legacy": "From the legacy system.",
    "note.legacy.legacy": "From the legacy system: the real source failed: {error}",
    "note.mock": "Synthetic: made up, not measured.",
    "note.mock.flag": "Synthetic: made up, not measured. The flag {flag} is off.",
    "note.mock.ramp": "Synthetic: made up, not measured. Real figures go to a share of the viewers so far.",
    "note.mock.fallback": "Synthetic: made up, not measured. Fallback: the source failed: {error}",
    "note.unavailable": "No value to show: {error}",
    "no-reason": "no reason was given",
    "unknown-time": "an unknown time",
    "bar": "{date}: {count} files",
    "bar.gap": "{date}: not counted",
    "legend": "Files per day; the tallest bar is {most}. An empty place: nobody counted that day.",
    "waiting": "Not live yet: figures below are as of {at}",
    "live": "Live",
    "paused": "Paused: figures below are as of {at}",
    "lost": "Connection lost: figures below are as of {at}",
}


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
class Bar:
    """A day of the chart: zero is a base line, a day that nobody counted is nothing at all."""

    x: int
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Files per day, on a field ``width`` × 100."""

    width: int
    bars: tuple[Bar, ...]
    legend: str


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
    figures: tuple[Figure, ...]
    rows: tuple[Row, ...]
    blank: Row
    """A row without values, for the browser to copy."""
    chart: Chart | None
    blank_bar: Bar = Bar(0, 0, "")


@dataclass(frozen=True, slots=True)
class DashboardView:
    """The whole page at one moment."""

    at: str
    at_text: str
    truth: str
    worst: str
    """The least trustworthy state on the page."""
    status: str
    words: str
    """``WORDS`` as JSON."""
    sections: tuple[Section, ...]


def view(readings: Sequence[Reading], components: Sequence[Component], now: int) -> DashboardView:
    """The page for these readings. ``now`` is in microseconds; ages count up to it.

    A component without a reading is not shown.
    """
    by_name = {reading.component: reading for reading in readings}
    known = sorted(components, key=lambda component: (*LAYOUTS, component.name).index(component.name))
    sections = tuple(section(by_name[component.name], component, now) for component in known
                     if component.name in by_name)
    states = [each.state for each in sections]
    at = iso(now)
    return DashboardView(
        at=at,
        at_text=moment(at),
        truth=truth(states),
        worst=max(states, key=STATES.index, default="unavailable"),
        status=WORDS["waiting"].replace("{at}", moment(at)),
        words=msgspec.json.encode(WORDS).decode(),
        sections=sections,
    )


def section(reading: Reading, component: Component, now: int) -> Section:
    """A component's part of the page."""
    layout = layout_of(component)
    provenance = reading.provenance
    state = state_of(reading)
    # An unavailable component shows no figure, whatever came with it.
    payload: object = None if state == "unavailable" else msgspec.to_builtins(last_days(reading.payload, DEFAULT_DAYS))
    as_of = "" if provenance.as_of is None else iso(provenance.as_of)
    items = lookup(payload, layout.rows) if layout.columns else None
    series: Sequence[object] = items if isinstance(items, list | tuple) else ()
    return Section(
        component=reading.component,
        layout=layout,
        state=state,
        badge=WORDS[state],
        note=note(state, provenance, component.flag),
        as_of=as_of,
        as_of_text=moment(as_of),
        age="" if provenance.as_of is None else age((now - provenance.as_of) / SECOND),
        figures=tuple(figure(field, payload) for field in layout.figures),
        rows=tuple(row(layout, item) for item in (reversed(series) if layout.folded else series)),
        blank=row(layout, None),
        chart=chart(series) if layout.folded else None,
    )


def state_of(reading: Reading) -> str:
    """One of ``STATES``. What is synthetic is a mock, whatever source it claims."""
    provenance = reading.provenance
    if reading.payload is None:
        return "unavailable"
    if provenance.synthetic:
        return "mock"
    if provenance.source is Origin.REAL and provenance.reason is Reason.STALE:
        return "stale"
    return provenance.source.value


def truth(states: Sequence[str]) -> str:
    """How much of the page is real, in one sentence."""
    count = Counter(states)
    rest = (f"{count[state]} {state}" for state in STATES[1:] if count[state])
    return " · ".join((f"{count['real']} of {len(states)} components real", *rest))


def note(state: str, provenance: Provenance, flag: str) -> str:
    """Why the component is not simply real; empty if it is."""
    why = "failing" if state == "stale" and provenance.error else provenance.reason.value
    words = WORDS.get(f"note.{state}.{why}", WORDS[f"note.{state}"])
    error = provenance.error or WORDS["no-reason"]
    return words.replace("{flag}", flag).replace("{error}", clip(error))


def row(layout: Layout, item: object) -> Row:
    """A table's line for an item of the payload; without one, a blank."""
    status = lookup(item, "status")
    figures = tuple(figure(field, item) for field in layout.columns)
    return Row(figures, status if isinstance(status, str) else None)


def figure(field: Field, payload: object) -> Figure:
    """The field's value in the payload."""
    return Figure(field, show(lookup(payload, field.path), field.kind))


def lookup(payload: object, path: str) -> object:
    """The value under ``queue.events`` and the like, or None; under an empty path the payload itself."""
    for key in path.split(".") if path else ():
        payload = payload.get(key) if isinstance(payload, Mapping) else None
    return payload


def chart(days: Sequence[object]) -> Chart:
    """Files per day, oldest first. The tallest bar is the greatest day; a negative count is no count."""
    counts = [_count(lookup(day, "files")) for day in days]
    most = max((count for count in counts if count is not None), default=0)
    bars = (Bar(10 * index, bar_height(count, most), _title(lookup(day, "date"), count))
            for index, (day, count) in enumerate(zip(days, counts, strict=True)))
    return Chart(10 * len(days), tuple(bars), WORDS["legend"].replace("{most}", show(most, "count")))


def bar_height(count: int | None, most: int) -> float:
    """Of 100: the base line, and the bar on it."""
    if count is None:
        return 0
    return 2 + round(98 * count / most, 2) if most else 2


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _title(date: object, count: int | None) -> str:
    words = WORDS["bar.gap" if count is None else "bar"]
    return words.replace("{count}", show(count, "count")).replace("{date}", show(date, "text"))


def show(value: object, kind: Kind) -> str:
    """A value with its unit, or a dash if there is none or it is no number."""
    if kind == "text":
        return NONE if value is None or value == "" else clip(str(value))
    if not isinstance(value, int | float) or not math.isfinite(value):
        return NONE
    return _WRITERS[kind](value)


def clip(text: str) -> str:
    """The beginning of a text that may be endless."""
    return text if len(text) <= TEXT_LENGTH else text[:TEXT_LENGTH] + "…"


def number(value: float, significant: int = 3) -> str:
    """With at least so many significant digits, no needless zeros, and its thousands grouped."""
    decimals = min(6, max(0, significant - 1 - math.floor(math.log10(abs(value))))) if value else 0
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(value: float) -> str:
    """Never 100 unless it is 100: one failure in a million is no perfection."""
    return number(min(value, 99.99) if value < 100 else value, 4) + SPACE + "%"


def size(value: float) -> str:
    """Bytes in the binary unit that suits them."""
    units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while abs(value) >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return number(value) + SPACE + units[0]


def duration(seconds: float) -> str:
    """A span in its two greatest units."""
    whole = math.floor(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return f"{days:,}{SPACE}d {hours % 24}{SPACE}h"
    if hours:
        return f"{hours}{SPACE}h {minutes % 60}{SPACE}min"
    if minutes:
        return f"{minutes}{SPACE}min {whole % 60}{SPACE}s"
    return f"{whole}{SPACE}s"


def age(seconds: float) -> str:
    """How long ago. Data from the future is the mark of a wrong clock, and is called so."""
    if seconds <= -1:
        return f"{duration(-seconds)} in the future: a clock is wrong"
    return f"{duration(max(seconds, 0))} ago"


def moment(stamp: str) -> str:
    """An ISO 8601 moment in UTC for the eye, to the second; the browser puts it in the reader's zone."""
    return f"{stamp[:10]} {stamp[11:19]} UTC" if stamp else WORDS["unknown-time"]


_WRITERS: Mapping[Kind, Callable[[float], str]] = {
    "count": lambda value: f"{value:,.0f}",
    "percent": percent,
    "milliseconds": lambda value: number(value) + SPACE + "ms",
    "bytes": size,
    "duration": duration,
}
