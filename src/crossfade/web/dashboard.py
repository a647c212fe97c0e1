"""The live pages: all values at ``/``, one of them with its past at ``/figures/…``."""

import asyncio
import secrets
from collections.abc import Iterable

import structlog
from litestar import Router, get
from litestar.datastructures import Cookie
from litestar.params import FromPath, FromQuery
from litestar.response import Template
from msgspec import Struct

from crossfade import __version__
from crossfade.app import App
from crossfade.core.clock import MINUTE, iso
from crossfade.core.figures import figures
from crossfade.core.reading import Reading
from crossfade.sources.component import Component
from crossfade.state.errors import StateError

from . import pages
from .api import VIEWER_COOKIE, viewer_of, waiting
from .auth import may_read
from .auth import shown as shown_to
from .context import AppDependency, AppRequest
from .curve import DEFAULT_RANGE, RANGES, Curve, Point, with_now
from .curves import curve
from .figures import known, named, read
from .proof import vouched
from .words import PARTS
from .writing import moment, show

SPARK_POINTS, TABLE_POINTS = 60, 100
YEAR = 365 * 86_400
"""Seconds for which a browser keeps a viewer's name."""

log = structlog.get_logger(__name__)


@get("/", guards=[may_read], include_in_schema=False)
async def dashboard(request: AppRequest, app: AppDependency, range: FromQuery[str] = DEFAULT_RANGE,  # noqa: A002
                    show: FromQuery[str] = "") -> Template:
    """The live dashboard: every value with its source, age and proof. ``range`` of the pictures, ``show`` of a kind."""
    asked = pages.Asked(range if range in RANGES else DEFAULT_RANGE, show if show in PARTS else "")
    viewer, cookies = _viewer(request)
    components = tuple(app.reader.components.values())
    readings, curves = await asyncio.gather(
        app.reader.read_all(app.reader.components, viewer), _curves(app, components, asked, viewer))
    curves = {reading.component: _up_to_now(curves[reading.component], reading) for reading in readings
              if reading.component in curves}
    return Template("dashboard.html", cookies=cookies, context={
        "view": pages.view(readings, components, _look(app, asked, curves)), "version": __version__,
        **shown_to(request),
    })


@get("/figures/{component:str}/{path:str}", guards=[may_read], include_in_schema=False)
async def figure(request: AppRequest, app: AppDependency, component: FromPath[str], path: FromPath[str],
                 range: FromQuery[str] = DEFAULT_RANGE) -> Template:  # noqa: A002 - as on the other page
    """One value of the live dashboard over time: chart, table, changes of its flag, files to take away."""
    part, asked = known(app, component), pages.Asked(range if range in RANGES else DEFAULT_RANGE)
    named(part, path)
    viewer, cookies = _viewer(request)
    reading, now = await app.reader.read(component, viewer), app.clock.now()
    found = await read(app, part, now + 1 - RANGES[asked.range], now + 1, most=TABLE_POINTS, viewer=viewer)
    view = pages.view((reading,), (part,), _look(app, asked, {component: found}))
    card = next(each for each in view.sections[0].cards if each.field.path == path)
    return Template("figure.html", cookies=cookies, context={
        **figure_context(view, card, found, asked), "version": __version__, **shown_to(request)})


def figure_context(view: pages.DashboardView, card: pages.Card, found: Curve, asked: pages.Asked) -> dict[str, object]:
    """What the template of one figure needs: its points, the newest first, and the changes of its flags."""
    path, kind = card.field.path, card.field.kind
    return {
        "view": view, "section": view.sections[0], "card": card,
        "ranges": pages.ranges(asked, f"/figures/{card.component}/{path}"),
        "points": [(iso(point.start), moment(iso(point.start)), show(point.values[path], kind), point.source,
                    moment(iso(point.as_of)), iso(point.as_of))
                   for point in reversed(found.points) if path in point.values],
        "cutovers": [(iso(each.at), moment(iso(each.at)), each) for each in found.cutovers],
    }


def _up_to_now(found: Curve, reading: Reading) -> Curve:
    """A minute may pass until what is shown is a sample; of a timeline it is there already."""
    told = reading.provenance
    if not isinstance(reading.payload, Struct) or told.as_of is None:
        return found
    now = Point(found.until - 1, MINUTE, told.source.value, told.synthetic, told.as_of, figures(reading.payload))
    return with_now(found, now)


def _viewer(request: AppRequest) -> tuple[str, list[Cookie]]:
    """Who looks for the first time gets a name, so as to see the same sources the next time."""
    viewer = viewer_of(request)
    name = viewer or secrets.token_urlsafe(12)
    return name, [] if viewer else [Cookie(VIEWER_COOKIE, value=name, max_age=YEAR, httponly=True, samesite="lax")]


def _look(app: App, asked: pages.Asked, curves: dict[str, Curve]) -> pages.Look:
    return pages.Look(app.clock.now(), asked, curves, vouched(app.monitor.view.qualities), waiting(app))


async def _curves(app: App, components: Iterable[Component], asked: pages.Asked, viewer: str) -> dict[str, Curve]:
    """By component. Without its past the page is still of use."""
    now = app.clock.now()
    try:
        found = await asyncio.gather(*(
            curve(app, component, now + 1 - RANGES[asked.range], now + 1, most=SPARK_POINTS, viewer=viewer)
            for component in components))
    except StateError as error:
        log.warning("dashboard: the past cannot be read", error=str(error))
        return {}
    return {each.component: each for each in found}


HANDLERS = (dashboard, figure)
routes = Router(path="/", route_handlers=list(HANDLERS))
