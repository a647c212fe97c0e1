"""The first page: what its view says, and that its template and style are safe, small and legible."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from crossfade.core.payloads import HistoryPoint
from crossfade.core.reading import Origin, Reading
from crossfade.web import pages
from crossfade.web.layouts import LAYOUTS
from crossfade.web.live import DEFAULT_DAYS

from .page_samples import (
    ALL_REAL,
    BUSINESS,
    COMPONENTS,
    HISTORY,
    HOSTILE,
    MIXED,
    NOW,
    SECTIONS,
    SYSTEM,
    WEB,
    reading,
    render,
)

PARTS = {component.name: component for component in COMPONENTS}
BUSINESS_PART = PARTS["businessMetrics"]

# --- words


@pytest.mark.parametrize(("given_reading", "state", "words"), [
    (reading("businessMetrics", BUSINESS), "real", ""),
    (reading("businessMetrics", BUSINESS, reason="stale", error="gone"), "stale",
     "The last good value: the real source is failing: gone"),
    (reading("businessMetrics", BUSINESS, reason="stale"), "stale",
     "Real, and old: the real source gives nothing newer."),
    (reading("businessMetrics", BUSINESS, "legacy"), "legacy", "From the legacy system."),
    (reading("businessMetrics", BUSINESS, "legacy", "legacy", error="gone"), "legacy",
     "From the legacy system: the real source failed: gone"),
    (reading("businessMetrics", BUSINESS, "mock", "ramp"), "mock",
     "Synthetic: made up, not measured. Real figures go to a share of the viewers so far."),
    (reading("businessMetrics", BUSINESS, "mock"), "mock",
     "Synthetic: made up, not measured. The flag use_real_business is off."),
    (reading("businessMetrics", BUSINESS, "mock", "fallback", error="gone {flag}"), "mock",
     "Synthetic: made up, not measured. Fallback: the source failed: gone {flag}"),
    (reading("businessMetrics", BUSINESS, "mock", "stale"), "mock", "Synthetic: made up, not measured."),
    (reading("businessMetrics", None, "unavailable", "failed"), "unavailable",
     "No value to show: no reason was given"),
    (reading("businessMetrics", None, "real"), "unavailable", "No value to show: no reason was given"),
    (reading("businessMetrics", BUSINESS, "real", synthetic=True), "mock",
     "Synthetic: made up, not measured. The flag use_real_business is off."),
])
def test_a_section_says_what_it_is_and_why(given_reading: Reading, state: str, words: str) -> None:
    section = pages.section(given_reading, BUSINESS_PART, NOW)
    assert (section.state, section.note) == (state, words)
    assert section.badge == pages.WORDS[state]


def test_what_is_synthetic_is_called_so_in_its_badge() -> None:
    assert "synthetic" in pages.WORDS["mock"]
    assert not any("synthetic" in pages.WORDS[state] for state in pages.STATES if state != "mock")


def test_every_origin_has_its_words() -> None:
    assert {origin.value for origin in Origin} | {"stale"} == set(pages.STATES)
    assert all(f"note.{state}" in pages.WORDS for state in pages.STATES)


@pytest.mark.parametrize(("states", "sentence"), [
    (["real"] * 4, "4 of 4 components real"),
    (["unavailable", "real", "mock", "real"], "2 of 4 components real · 1 mock · 1 unavailable"),
    (["stale", "legacy", "stale"], "0 of 3 components real · 2 stale · 1 legacy"),
    ([], "0 of 0 components real"),
])
def test_truth_counts_every_component(states: list[str], sentence: str) -> None:
    assert pages.truth(states) == sentence


def test_the_view_names_its_least_trustworthy_state() -> None:
    assert pages.view(ALL_REAL, COMPONENTS, NOW).worst == "real"
    assert pages.view(MIXED, COMPONENTS, NOW).worst == "unavailable"
    assert pages.view([], COMPONENTS, NOW).worst == "unavailable"


def test_sections_keep_the_page_s_order() -> None:
    view = pages.view(ALL_REAL[::-1], COMPONENTS, NOW)
    assert [section.component for section in view.sections] == list(SECTIONS)


class Orders(Struct, frozen=True, rename="camel"):
    open_orders: Annotated[int, Meta(ge=0, extra={"unit": "orders"})]
    late_share: Annotated[float | None, Meta(extra={"unit": "%"})]
    answer_time: Annotated[float, Meta(extra={"unit": "ms"})]
    oldest: str
    by_day: tuple[int, ...] = ()


def test_an_applications_own_component_is_shown_as_its_model_has_it() -> None:
    mine = replace(BUSINESS_PART, name="openOrders", model=Orders)
    view = pages.view([reading("openOrders", Orders(7, None, 12.5, "A 7")), *ALL_REAL], [mine, *COMPONENTS], NOW)
    assert [section.component for section in view.sections] == [*SECTIONS, "openOrders"]
    own = view.sections[-1]
    assert own.layout.title == "Open orders"
    assert [(each.field.label, each.field.path, each.field.hint, each.text) for each in own.figures] == [
        ("Open orders", "openOrders", "orders", "7"), ("Late share", "lateShare", "", "—"),
        ("Answer time", "answerTime", "", pages.show(12.5, "milliseconds")), ("Oldest", "oldest", "", "A 7"),
    ]
    unknown = pages.section(reading("other", Orders(1, 1, 1, "")), replace(mine, name="other", model=None), NOW)
    assert unknown.figures == ()


def test_an_unavailable_component_shows_dashes_only() -> None:
    section = pages.section(reading("systemMetrics", SYSTEM, "unavailable", "failed"), PARTS["systemMetrics"], NOW)
    assert {figure.text for figure in section.figures} == {pages.NONE}
    gone = reading("historicalData", HISTORY, "unavailable", "failed")
    assert pages.section(gone, PARTS["historicalData"], NOW).rows == ()


def test_a_payload_of_the_wrong_shape_shows_dashes() -> None:
    section = pages.section(reading("infrastructureMetrics", BUSINESS), PARTS["infrastructureMetrics"], NOW)
    assert {figure.text for figure in section.figures} == {pages.NONE}
    assert section.rows == ()


def test_every_path_lies_in_its_payload() -> None:
    for each in ALL_REAL:
        layout = LAYOUTS[each.component]
        payload: object = msgspec.to_builtins(each.payload)
        missing = object()
        items = pages.lookup(payload, layout.rows)
        first = items[0] if isinstance(items, list | tuple) else {}
        for field, root in [(f, payload) for f in layout.figures] + [(f, first) for f in layout.columns]:
            *parents, key = field.path.split(".")
            holder = pages.lookup(root, ".".join(parents))
            assert isinstance(holder, dict)
            assert holder.get(key, missing) is not missing, field.path


# --- figures


@pytest.mark.parametrize(("value", "kind", "text"), [
    (1201, "count", "1,201"), (0, "count", "0"), (None, "count", "—"), ("7", "count", "—"),
    (float("nan"), "percent", "—"), (float("inf"), "milliseconds", "—"),
    (97.5, "percent", "97.5 %"), (100.0, "percent", "100 %"), (99.99999, "percent", "99.99 %"),
    (0.0025, "percent", "0.0025 %"), (0.0, "percent", "0 %"),
    (1.234, "milliseconds", "1.23 ms"), (1234.5, "milliseconds", "1,234 ms"), (0.0, "milliseconds", "0 ms"),
    (0, "bytes", "0 B"), (1023, "bytes", "1,023 B"), (1024, "bytes", "1 KiB"), (123_456_789, "bytes", "118 MiB"),
    (1 << 62, "bytes", "4 EiB"), (1 << 72, "bytes", "4,096 EiB"),
    (12.9, "duration", "12 s"), (61, "duration", "1 min 1 s"), (3723, "duration", "1 h 2 min"),
    (1e9, "duration", "11,574 d 1 h"),
    ("up", "text", "up"), ("", "text", "—"), (None, "text", "—"), ([], "text", "[]"),
])
def test_figures_are_written_for_the_eye(value: object, kind: pages.Kind, text: str) -> None:
    assert pages.show(value, kind).replace(pages.SPACE, " ") == text


def test_an_endless_text_is_cut() -> None:
    assert pages.show("x" * 10_000, "text") == "x" * pages.TEXT_LENGTH + "…"
    assert pages.show("x" * pages.TEXT_LENGTH, "text") == "x" * pages.TEXT_LENGTH


@given(st.floats(min_value=1e-3, max_value=1e15))
def test_a_number_keeps_three_significant_digits(value: float) -> None:
    assert float(pages.number(value).replace(",", "")) == pytest.approx(value, rel=0.00501)


@given(st.floats(min_value=0, max_value=100, exclude_max=True))
def test_only_a_hundred_is_a_hundred_per_cent(value: float) -> None:
    assert pages.percent(value) != pages.percent(100)


@given(st.integers(min_value=0, max_value=10**12), st.integers(min_value=0, max_value=10**12))
def test_longer_is_never_written_as_less(one: int, other: int) -> None:
    units = {"d": 86400, "h": 3600, "min": 60, "s": 1}

    def seconds(text: str) -> int:
        return sum(int(number.replace(",", "")) * units[unit] for number, unit in re.findall(r"([\d,]+)\s(\w+)", text))

    assert seconds(pages.duration(min(one, other))) <= seconds(pages.duration(max(one, other))) <= max(one, other)


@pytest.mark.parametrize(("seconds", "text"), [
    (0.0, "0 s ago"), (3.2, "3 s ago"), (-0.4, "0 s ago"), (-30.0, "30 s in the future: a clock is wrong")])
def test_age(seconds: float, text: str) -> None:
    assert pages.age(seconds).replace(pages.SPACE, " ") == text


# --- chart


def test_a_gap_is_no_zero() -> None:
    section = pages.section(reading("historicalData", HISTORY), PARTS["historicalData"], NOW)
    assert section.chart is not None
    assert [bar.height for bar in section.chart.bars] == [100, 0, 2]
    assert [bar.title for bar in section.chart.bars] == [
        "2026-11-21: 10 files", "2026-11-22: not counted", "2026-11-23: 0 files"]
    assert [row.figures[0].text for row in section.rows] == ["2026-11-23", "2026-11-22", "2026-11-21"]
    assert [figure.text for figure in section.rows[1].figures[1:]] == ["—"] * 4


def test_the_page_shows_as_many_days_as_the_api() -> None:
    days = tuple(HistoryPoint(f"day {index}", index, None, None, None) for index in range(DEFAULT_DAYS + 9))
    chart = pages.section(reading("historicalData", days), PARTS["historicalData"], NOW).chart
    assert chart is not None
    assert [bar.title.split(":")[0] for bar in chart.bars] == [day.date for day in days[9:]]


@given(st.lists(st.none() | st.integers(min_value=-1, max_value=2**63)))
def test_bars_stay_in_the_field_and_in_order(counts: list[int | None]) -> None:
    chart = pages.chart([{"date": str(index), "files": count} for index, count in enumerate(counts)])
    assert chart.width == 10 * len(counts) == 10 * len(chart.bars)
    assert all(0 <= bar.height <= 100 for bar in chart.bars)
    pairs = zip(counts, chart.bars, strict=True)
    known = [(count, bar.height) for count, bar in pairs if count is not None and count >= 0]
    assert [height for _, height in sorted(known)] == sorted(height for _, height in known)
    assert all(height >= 2 for _, height in known)


# --- template


class Outline(HTMLParser):
    """Every element with its attributes, and what a strict policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


@pytest.mark.parametrize("readings", [ALL_REAL, MIXED, []])
def test_the_page_keeps_to_its_content_policy(readings: list[Reading]) -> None:
    outline = Outline()
    outline.feed(render(readings))
    for tag, attributes in outline.elements:
        assert tag not in {"style", "img", "iframe"}
        assert tag != "script" or (attributes["src"] or "").startswith("/static/")
        assert not any(name == "style" or name.startswith("on") for name in attributes)
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 0


def test_text_from_outside_stays_text() -> None:
    html = render(MIXED)
    assert HOSTILE not in html
    assert "&lt;script&gt;alert(1)" in html


def test_the_page_is_small_and_asks_nobody_else() -> None:
    files = [path for folder in ("static", "templates") for path in (WEB / folder).iterdir()
             if path.name not in {"login.html", "refused.html"}]
    assert sum(path.stat().st_size for path in files) < 25_000
    assert len((WEB / "static" / "dashboard.js").read_text().splitlines()) < 200
    for path in files:
        text = path.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "://" not in text
        assert "innerHTML" not in text


def _colours(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css))


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = (int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5))
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_every_ground(scheme: str) -> None:
    light, dark = (WEB / "static" / "app.css").read_text().split("prefers-color-scheme: dark", 1)
    colours = _colours(light if scheme == "light" else dark)
    states = set(pages.STATES)
    on_ground = {"ground": {"ink", "soft", "focus"}, "card": {"ink", "soft", "focus"} | states,
                 "hatch": {"ink", "soft", "mock"}, "warn": {"ink", "soft"}, "real": {"on-badge"}}
    for ground, inks in on_ground.items():
        for ink in inks:
            assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
