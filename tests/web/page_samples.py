"""Readings of all four components in every state, and the page and the JSON that they make."""

import json
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from crossfade.core.clock import DAY, HOUR, SECOND, iso
from crossfade.core.comparison import Reference
from crossfade.core.payloads import (
    BusinessMetrics,
    Disk,
    HistoryPoint,
    InfrastructureMetrics,
    IngestQueue,
    Payload,
    ProcessMetrics,
    Service,
    SystemMetrics,
)
from crossfade.core.reading import Origin, Provenance, Reading, Reason
from crossfade.sources.component import Component, Sample
from crossfade.web import pages
from crossfade.web.curve import Curve, Cutover, Point
from crossfade.web.dashboard import figure_context
from crossfade.web.layouts import LAYOUTS
from crossfade.web.live import Json, document
from crossfade.web.proof import Vouched

NOW = 1_795_395_723_000_004
WEB = Path(pages.__file__).parent
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'

BUSINESS = BusinessMetrics(3, 1201, 40, 0, 1, 97.5)
PROCESSES = tuple(
    ProcessMetrics(id=f"p{pid}", service="web", host=HOSTILE, pid=pid, status=status, requests=20, response_time=1.23,
                   response_time_p95=None, response_time_p99=2.5, error_rate=0.0, uptime=60.0 * pid, memory=memory,
                   cpu=110.5, as_of=iso(NOW))
    for pid, status, memory in ((1234, "up", 123_456), (1235, "down", None), (1236, "ended", 0)))
SYSTEM = SystemMetrics(scope="application", uptime=3723.9, requests=40, response_time=1.23, response_time_p95=None,
                       response_time_p99=99.0, error_rate=0.0025, memory_usage=41.0, process_memory=123_456_789,
                       cpu_usage=12.0, processes=PROCESSES)
INFRASTRUCTURE = InfrastructureMetrics(
    (Service("eventStore", "up", 0.8, 100.0, 12, "fine"), Service("mail", "down", None, 99.9999, 10**6, HOSTILE)),
    IngestQueue(12, 34_567), Disk(500 << 30, 123 << 30, 75.4))
HISTORY = (HistoryPoint("2026-11-21", 10, None, 1, 0), HistoryPoint("2026-11-22", None, None, None, None),
           HistoryPoint("2026-11-23", 0, 1 << 40, 0, 2))
SECTIONS = {"businessMetrics": "business", "systemMetrics": "system", "infrastructureMetrics": "infrastructure",
            "historicalData": "history"}


class Still:
    """A source that is never asked here."""

    async def fetch(self, now: int) -> Sample:
        return Sample(BUSINESS, now)


COMPONENTS = [Component(name, key, f"use_real_{key}", Still(), Still()) for name, key in SECTIONS.items()]


def reading(component: str, payload: Payload | None, source: str = "real", reason: str = "flag", *,
            age: int | None = 0, error: str | None = None, synthetic: bool | None = None) -> Reading:
    as_of = None if age is None else NOW - age * SECOND
    made_up = source == "mock" if synthetic is None else synthetic
    return Reading(component, payload, Provenance(Origin(source), made_up, as_of, NOW, Reason(reason), error))


ALL_REAL = [reading("businessMetrics", BUSINESS), reading("systemMetrics", SYSTEM, age=3),
            reading("infrastructureMetrics", INFRASTRUCTURE, age=4000), reading("historicalData", HISTORY)]
MIXED = [reading("businessMetrics", BUSINESS, reason="stale", age=90, error="timed out"),
         reading("systemMetrics", SYSTEM, "mock", "fallback", error=HOSTILE),
         reading("infrastructureMetrics", INFRASTRUCTURE, "mock"),
         reading("historicalData", None, "unavailable", "failed", age=None)]

ODD = [reading("businessMetrics", BUSINESS, synthetic=True), reading("systemMetrics", SYSTEM, "legacy", age=-30),
       reading("infrastructureMetrics", InfrastructureMetrics((), IngestQueue(0, 0), Disk(0, 0, 0.0)), age=None),
       reading("historicalData", ())]
"""Made up but called real; of the future; of no time; empty."""


PROOFS = {"businessMetrics": Vouched(Reference.RECOUNT, 1212, 1212),
          "systemMetrics": Vouched(Reference.SECOND_READER, 58, 60)}


def live(readings: list[Reading], at: int = NOW, *, waiting: bool = False) -> Json:
    """The JSON of the live dashboard for the same readings."""
    return json.loads(msgspec.json.encode(document(
        readings, {each.name: each for each in COMPONENTS}, at, alerts=[], proofs=PROOFS, waiting=waiting)))


def curve(component: str) -> Curve:
    """A day: made up, then real, with a gap in it."""
    paths = {field.path: 1.0 for field in LAYOUTS[component].figures if field.kind != "text"}
    steps = [(0, "mock"), (1, "mock"), (2, "real"), (5, "real"), (6, "real")]
    points = tuple(Point(NOW - DAY + HOUR * number, HOUR, source, source == "mock", NOW - DAY + HOUR * number,
                         {path: value * number for path, value in paths.items()}) for number, source in steps)
    return Curve(component, NOW - DAY, NOW, HOUR, points,
                 (Cutover(NOW - DAY + 2 * HOUR, f"use_real_{SECTIONS[component]}", "false", "true", "ada", HOSTILE),))


def look(*, asked: pages.Asked | None = None, waiting: bool = False) -> pages.Look:
    return pages.Look(NOW, asked or pages.Asked(), {name: curve(name) for name in SECTIONS}, PROOFS, waiting)


def page_view(readings: list[Reading], **more: object) -> pages.DashboardView:
    return pages.view(readings, COMPONENTS, look(**more))


def template(name: str, **context: object) -> str:
    environment = Environment(loader=FileSystemLoader(WEB / "templates"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template(name).render(version="0.1.0", **context)


def render(readings: list[Reading], **more: object) -> str:
    return template("dashboard.html", view=page_view(readings, **more))


def render_figure(reading: Reading) -> str:
    """The page of the component's first figure."""
    view = page_view([reading])
    section = view.sections[0]
    found = curve(reading.component)
    return template("figure.html", **figure_context(view, section.cards[0], found, pages.Asked()))
