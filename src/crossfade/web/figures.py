"""The API of figures over time: what charts draw, and what can be taken away."""

from typing import Annotated, Literal

import msgspec
from litestar import MediaType, Response, Router, get
from litestar.params import FromPath, FromQuery, QueryParameter

from crossfade.app import App
from crossfade.core.clock import SECOND, iso, micros, read_iso
from crossfade.sources.component import Component
from crossfade.state.errors import StateError

from .api import viewer_of
from .auth import may_read
from .context import AppDependency, AppRequest
from .curve import DEFAULT_RANGE, Curve
from .curves import curve, only, plain
from .errors import HTTPError, not_known
from .export import columns, csv_text, rows
from .layouts import layout_of
from .live import Json
from .quality import window_of

MOST_POINTS = 12_000
Since = Annotated[str, QueryParameter(description="1h, 24h, 7d, 30d, 90d or alike, or a moment in ISO 8601.")]
Until = Annotated[str | None, QueryParameter(description="A moment in ISO 8601; without it, now.")]
Points = Annotated[int, QueryParameter(ge=1, le=MOST_POINTS, description="Points a source, at the most.")]


@get("/api/figures", guards=[may_read])
async def figures(
    *, request: AppRequest, app: AppDependency, component: FromQuery[str], since: Since = DEFAULT_RANGE,
    until: Until = None, points: Points = 500,
) -> dict[str, Json]:
    """A component's figures over time, each point with its source; changes of its flags beside them."""
    end = app.clock.now() + 1 if until is None else min(app.clock.now() + 1, _moment(until))
    begin = _begin(since, end)
    return curve_json(await read(app, known(app, component), begin, end, most=points, viewer=viewer_of(request)))


@get("/api/export/{component:str}", guards=[may_read])
async def export(
    *, request: AppRequest, app: AppDependency, component: FromPath[str],
    format: FromQuery[Literal["csv", "json"]] = "csv",  # noqa: A002 - as elsewhere in the API
    range: Since = DEFAULT_RANGE, figure: FromQuery[str | None] = None,  # noqa: A002 - as on the page
) -> Response[bytes]:
    """A component's figures over a range, or one of them, with provenance in every row: CSV, or JSON.

    Nothing is thinned: a row a minute of the last eight days, a row an hour before; of the timeline a row a day.
    """
    part, end = known(app, component), app.clock.now() + 1
    found = await read(app, part, _begin(range, end), end, most=None, viewer=viewer_of(request))
    if figure is not None:
        found = only(found, named(part, figure))
    paths = columns(found)
    told = rows(found, paths)
    body = csv_text(told, paths).encode(errors="replace") if format == "csv" else msgspec.json.encode(
        {"component": component, "since": iso(found.since), "until": iso(found.until), "rows": told})
    name = "-".join(filter(None, (component, figure, range)))
    name = "".join(char if char.isascii() and (char.isalnum() or char in ".-_") else "_" for char in name)
    return Response(body, media_type="text/csv; charset=utf-8" if format == "csv" else MediaType.JSON,
                    headers={"Content-Disposition": f'attachment; filename="{name[:100]}.{format}"'})


async def read(app: App, component: Component, since: int, until: int, *, most: int | None,
               viewer: str | None) -> Curve:
    """The curve. Raises HTTPError while the state cannot be read."""
    try:
        return await curve(app, component, since, until, most=most, viewer=viewer)
    except StateError as error:
        raise not_known("figures cannot be told now", error) from None


def known(app: App, name: str) -> Component:
    """The component of the name. Raises HTTPError."""
    if name not in app.reader.components:
        raise HTTPError(404, "unknown_component", f"there is no component {name[:80]!r}; there are: "
                        + ", ".join(app.reader.components))
    return app.reader.components[name]


def named(component: Component, path: str) -> str:
    """The figure's path, if the component shows such a figure. Raises HTTPError."""
    layout = layout_of(component)
    if layout.field(path) is None:
        raise HTTPError(404, "unknown_figure", f"{component.name} has no figure {path[:80]!r}; it has: "
                        + ", ".join(field.path for field in layout.figures if field.kind != "text"))
    return path


def curve_json(found: Curve) -> dict[str, Json]:
    """With moments in ISO 8601 and lengths in seconds."""
    return {
        "component": found.component, "since": iso(found.since), "until": iso(found.until),
        "stepSeconds": plain(found.step / SECOND),
        "points": [
            {"at": iso(point.start), "lengthSeconds": plain(point.length / SECOND), "source": point.source,
             "synthetic": point.synthetic, "asOf": iso(point.as_of),
             "values": {path: plain(value) for path, value in point.values.items()}} for point in found.points
        ],
        "cutovers": [
            {"at": iso(each.at), "flag": each.flag, "old": each.old, "new": each.new, "who": each.who,
             "reason": each.reason} for each in found.cutovers
        ],
    }


def _moment(text: str) -> int:
    try:
        moment = read_iso(text)
        if moment is not None and micros(moment) >= 0:
            return micros(moment)
    except (OverflowError, ValueError):
        pass
    raise HTTPError(400, "bad_moment", f"{text[:40]!r} is no moment in ISO 8601 from 1970 on")


def _begin(text: str, end: int) -> int:
    """Where a span begins that ends then. Raises HTTPError."""
    window = window_of(text, end)
    return end if window is None else window.since


HANDLERS = (figures, export)
routes = Router(path="/", route_handlers=list(HANDLERS))
