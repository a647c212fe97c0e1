"""The live pages: what their views say, and that their templates and styles are safe, small and legible."""

import gzip
import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from crossfade.core.reading import Reading
from crossfade.web import pages
from crossfade.web.layouts import LAYOUTS
from crossfade.web.words import PARTS, STATES
from crossfade.web.writing import NONE, show

from .page_samples import (
    ALL_REAL,
    BUSINESS,
    COMPONENTS,
    HISTORY,
    HOSTILE,
    MIXED,
    SECTIONS,
    SYSTEM,
    WEB,
    look,
    page_view,
    reading,
    render,
    render_figure,
)

PARTS_OF_PAGE = {component.name: component for component in COMPONENTS}
BUSINESS_PART = PARTS_OF_PAGE["businessMetrics"]
ALL = 24
"""Values that the built-in components show."""


def counts(readings: list[Reading], **more: object) -> dict[str, int]:
    return {part.name: part.count for part in page_view(readings, **more).parts if part.count}


def test_the_truth_counts_every_value_once_and_adds_no_made_up_one_to_the_real_ones() -> None:
    # Of real ones the 95th percentile is not known, nor today's size of a day without a scan.
    assert counts(ALL_REAL) == {"real": 23, "none": 1}
    assert counts(MIXED) == {"cached": 6, "mock": 13, "none": 1, "unavailable": 4}
    assert [part.text for part in page_view(MIXED).parts] == [
        "0 of 24 values real", "6 cached 1\u00a0min 30\u00a0s", "0 legacy", "13 mock", "1 without data",
        "4 unavailable"]


@given(st.lists(st.sampled_from([*ALL_REAL, *MIXED]), unique_by=lambda one: one.component))
def test_no_value_is_lost_between_the_parts(readings: list[Reading]) -> None:
    view = page_view(readings)
    assert sum(part.count for part in view.parts) == sum(len(section.cards) for section in view.sections)


def test_before_the_first_event_no_zero_is_told() -> None:
    nothing = replace_all(BUSINESS)
    view = page_view([reading("businessMetrics", nothing)], waiting=True)
    assert {card.text for card in view.sections[0].cards} == {NONE}
    assert {card.empty for card in view.sections[0].cards} == {"Waiting for the first event"}
    assert {card.empty for card in page_view([reading("businessMetrics", nothing)]).sections[0].cards} == {
        "A true zero, not a gap"}


def replace_all(payload: Struct) -> Struct:
    return msgspec.structs.replace(payload, **dict.fromkeys(payload.__struct_fields__, 0))


def test_the_view_names_its_least_trustworthy_part() -> None:
    assert page_view([reading("businessMetrics", BUSINESS)]).worst == "real"
    assert page_view(MIXED).worst == "unavailable"
    assert page_view([]).worst == "unavailable"


def test_sections_keep_the_page_s_order() -> None:
    assert [section.component for section in page_view(ALL_REAL[::-1]).sections] == list(SECTIONS)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_an_address_that_shows_it_alone(part: str) -> None:
    view = page_view(MIXED, asked=pages.Asked("7d"))
    link = next(each.link for each in view.parts if each.name == part)
    assert parse_qs(urlsplit(link).query) == {"range": ["7d"], "show": [part]}
    alone = page_view(MIXED, asked=pages.Asked("7d", part))
    cards = [card for section in alone.sections for card in section.cards]
    assert [card.hidden for card in cards] == [card.part != part for card in cards]
    assert all(section.hidden == all(card.hidden for card in section.cards) for section in alone.sections)
    assert urlsplit(alone.everything).query == "range=7d"


def test_ranges_keep_the_filter() -> None:
    view = page_view(MIXED, asked=pages.Asked("7d", "mock"))
    assert [(each.text, each.link, each.current) for each in view.ranges] == [
        ("1 h", "/?range=1h&show=mock", False), ("24 h", "/?show=mock", False), ("7 d", "/?range=7d&show=mock", True),
        ("30 d", "/?range=30d&show=mock", False), ("90 d", "/?range=90d&show=mock", False)]


def test_a_picture_tells_measured_figures_from_made_up_ones() -> None:
    card = page_view(ALL_REAL).sections[0].cards[1]
    assert card.spark is not None
    assert card.extent == "measured 2 – 6"
    assert len(card.spark.spans) == 1
    assert len(card.spark.lines) == 3  # made up, real, and real again after the gap


class Orders(Struct, frozen=True, rename="camel"):
    open_orders: Annotated[int, Meta(ge=0, extra={"unit": "orders"})]
    late_share: Annotated[float | None, Meta(extra={"unit": "%"})]
    answer_time: Annotated[float, Meta(extra={"unit": "ms", "limit": 20})]
    oldest: str
    by_day: tuple[int, ...] = ()


def test_an_applications_own_component_is_shown_as_its_model_has_it() -> None:
    mine = replace(BUSINESS_PART, name="openOrders", model=Orders)
    view = pages.view([reading("openOrders", Orders(7, None, 12.5, "A 7")), *ALL_REAL], [mine, *COMPONENTS], look())
    assert [section.component for section in view.sections] == [*SECTIONS, "openOrders"]
    own = view.sections[-1]
    assert own.layout.title == "Open orders"
    assert [(each.field.label, each.field.path, each.field.unit, each.text) for each in own.cards] == [
        ("Open orders", "openOrders", "orders", "7"), ("Late share", "lateShare", "", NONE),
        ("Answer time", "answerTime", "", show(12.5, "milliseconds")),
    ]
    assert own.cards[2].limit_text == show(20, "milliseconds")
    assert [(each.field.label, each.text) for each in own.facts] == [("Oldest", "A 7")]
    unknown = pages.section(reading("other", Orders(1, 1, 1, "")), replace(mine, name="other", model=None), look())
    assert unknown.cards == unknown.facts == ()


def test_an_unavailable_component_shows_dashes_and_why() -> None:
    gone = reading("systemMetrics", SYSTEM, "unavailable", "failed", error="no disk")
    section = pages.section(gone, PARTS_OF_PAGE["systemMetrics"], look())
    assert {card.text for card in section.cards} == {NONE}
    assert {card.empty for card in section.cards} == {"The source failed: no disk"}
    gone = reading("historicalData", HISTORY, "unavailable", "failed")
    assert pages.section(gone, PARTS_OF_PAGE["historicalData"], look()).rows == ()


def test_a_payload_of_the_wrong_shape_shows_dashes() -> None:
    section = pages.section(reading("infrastructureMetrics", BUSINESS), PARTS_OF_PAGE["infrastructureMetrics"], look())
    assert {card.text for card in section.cards} == {NONE}
    assert section.rows == ()


def test_every_path_lies_in_its_payload() -> None:
    for each in ALL_REAL:
        layout = LAYOUTS[each.component]
        payload: object = msgspec.to_builtins(each.payload)
        missing = object()
        items = pages.lookup(payload, layout.rows)
        first = items[0] if isinstance(items, list | tuple) else {}
        root = pages.last_of(payload)
        for field, holder in [(f, root) for f in layout.figures] + [(f, first) for f in layout.columns]:
            *parents, key = field.path.split(".")
            inner = pages.lookup(holder, ".".join(parents))
            assert isinstance(inner, dict)
            assert inner.get(key, missing) is not missing, field.path


def test_a_day_that_nobody_counted_is_no_zero() -> None:
    section = pages.section(reading("historicalData", HISTORY), PARTS_OF_PAGE["historicalData"], look())
    assert [row.figures[0].text for row in section.rows] == ["2026-11-23", "2026-11-22", "2026-11-21"]
    assert [figure.text for figure in section.rows[1].figures[1:]] == [NONE] * 4
    assert [card.text for card in section.cards] == ["0", "1\u00a0TiB", "0", "2"]


@pytest.mark.parametrize(("name", "days"), [("1h", 7), ("24h", 7), ("7d", 7), ("30d", 30), ("90d", 90)])
def test_the_timeline_has_the_days_of_the_range(name: str, days: int) -> None:
    rows = tuple(msgspec.structs.replace(HISTORY[0], date=f"day {index}") for index in range(100))
    asked = look(asked=pages.Asked(name))
    section = pages.section(reading("historicalData", rows), PARTS_OF_PAGE["historicalData"], asked)
    assert len(section.rows) == days


# --- template


class Outline(HTMLParser):
    """Every element with its attributes, and what a strict policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


@pytest.mark.parametrize("html", [render(ALL_REAL), render(MIXED), render([]), render_figure(ALL_REAL[0])],
                         ids=["real", "mixed", "none", "figure"])
def test_the_page_keeps_to_its_content_policy(html: str) -> None:
    outline = Outline()
    outline.feed(html)
    for tag, attributes in outline.elements:
        assert tag not in {"style", "img", "iframe"}
        assert tag != "script" or (attributes["src"] or "").startswith("/static/")
        assert not any(name == "style" or name.startswith("on") for name in attributes)
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 0


def test_every_value_is_there_without_a_script() -> None:
    html = render(ALL_REAL)
    for section in page_view(ALL_REAL).sections:
        for card in section.cards:
            assert f'<span class="number">{escape(card.text)}</span>' in html
            assert card.link in html
    assert html.count('<path class="line"') > ALL
    assert HISTORY[0].date in html


def test_text_from_outside_stays_text() -> None:
    for html in (render(MIXED), render_figure(ALL_REAL[0])):
        assert HOSTILE not in html
        assert "&lt;script&gt;alert(1)" in html


def test_all_that_a_page_loads_is_small() -> None:
    loaded = [path for path in (WEB / "static").rglob("*") if path.suffix in {".css", ".js", ".svg"}]
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in loaded}
    assert sum(sizes.values()) <= 60_000, sizes  # of all pages together
    page, others = render(ALL_REAL), ("admin.css", "admin.js", "report.css")
    assert not any(name in page for name in others)
    sizes["page"] = len(gzip.compress(page.encode(), 9))
    assert sum(size for name, size in sizes.items() if name not in others) <= 60_000, sizes


def test_no_file_of_ours_names_another_place() -> None:
    files = [path for folder in ("static", "templates") for path in (WEB / folder).iterdir() if path.is_file()]
    for path in files:
        text = path.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "://" not in text
        assert "innerHTML" not in text
        assert len(text.splitlines()) < 400


@pytest.mark.parametrize("name", ["pico-2.1.1.css", "uplot-1.6.32.js", "uplot-1.6.32.css"])
def test_what_is_others_work_has_their_licence_beside_it(name: str) -> None:
    vendor = WEB / "static" / "vendor"
    assert (vendor / name).exists()
    assert "Copyright" in (vendor / f"{name.partition('-')[0]}.LICENSE").read_text()
    # Loaded is nothing by it: addresses are those of its home, and of the namespace of drawings.
    assert not re.search(r"url\([\"']?https?:|@import", (vendor / name).read_text())


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
    states = set(STATES)
    on_ground = {"ground": {"ink", "soft", "focus"}, "card": {"ink", "soft", "focus"} | states,
                 "hatch": {"ink", "soft", "mock", "focus", "cached"}, "warn": {"ink", "soft"}, "real": {"on-badge"}}
    for ground, inks in on_ground.items():
        for ink in inks:
            assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
