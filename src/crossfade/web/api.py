"""The JSON API: readings, history, flags, audit, aggregation, health."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Literal
from zlib import crc32

import msgspec
import structlog
from litestar import MediaType, Response, Router, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter
from litestar.response import Stream as Streaming

from crossfade.app import App
from crossfade.core.clock import iso
from crossfade.core.flag import FlagError, FlagValue, camel, canonical, check
from crossfade.core.reading import Reading
from crossfade.core.retirement import RetiredError
from crossfade.sources.history import MAX_DAYS
from crossfade.store.port import StoreError

from . import exposition, live
from .auditview import asked_for, entry_json
from .auth import actor, may_change, may_follow, may_read, still_may_read
from .context import AppDependency, AppRequest
from .errors import HTTPError
from .live import Json
from .proof import vouched
from .recount import recount, start_recount
from .stream import Stream

Section = Annotated[str, QueryParameter(description="all, alerts, or a component's section: system, business, "
                                        "infrastructure, history, or the name of one that an application declared.")]
VIEWER_HEADER, VIEWER_COOKIE = "x-crossfade-viewer", "crossfade_viewer"
MAX_VIEWER = 200
DayCount = Annotated[int, QueryParameter(ge=1, le=MAX_DAYS, description="Days, the last one today.")]

log = structlog.get_logger(__name__)


def viewer_of(request: AppRequest) -> str | None:
    """Who looks, so that a share of the viewers is always the same ones: by header, parameter or cookie."""
    told = (request.headers.get(VIEWER_HEADER) or request.query_params.get("viewer")
            or request.cookies.get(VIEWER_COOKIE))
    return told[:MAX_VIEWER] if told else None


async def section_readings(app: App, section: str, viewer: str | None) -> tuple[Reading, ...]:
    """The readings of one section, or of all; of a timeline the days that the dashboard shows."""
    sections = {component.section for component in app.reader.components.values()} | {"all", "alerts"}
    if section not in sections:
        raise HTTPError(400, "unknown_section", f"there is no section {section[:80]!r}; there are: "
                        + ", ".join(sorted(sections)))
    readings = await app.reader.read_all(
        (name for name, component in app.reader.components.items() if section in {"all", component.section}), viewer
    )
    return tuple(
        msgspec.structs.replace(reading, payload=live.last_days(reading.payload, live.DEFAULT_DAYS))
        for reading in readings
    )


async def live_json(app: App, section: str = "all", viewer: str | None = None) -> bytes:
    readings = await section_readings(app, section, viewer)
    alerts = app.alerts.live() if section in {"all", "alerts"} else None
    return msgspec.json.encode(live.document(
        readings, app.reader.components, app.clock.now(), alerts=alerts,
        proofs=vouched(app.monitor.view.qualities), waiting=waiting(app)))


def waiting(app: App) -> bool:
    """Whether the first event is still to come; not, where that cannot be told."""
    try:
        return app.untouched()
    except StoreError:
        return False


@get("/healthz", opt={"public": True})
async def healthz() -> dict[str, Json]:
    """The process is alive."""
    return {"status": "ok"}


@get("/readyz", opt={"public": True})
async def readyz(app: AppDependency) -> dict[str, Json]:
    """The server serves; says how much waits to be loaded."""
    return {"status": "ready", "pendingEvents": app.journal.pending_events, "startedAt": iso(app.started_at)}


@get("/api/dashboard/live", guards=[may_read])
async def dashboard_live(
    request: AppRequest, app: AppDependency, section: Section = "all",
    format: FromQuery[Literal["json", "prometheus"]] = "json",  # noqa: A002 - the guide's name
) -> Response[bytes]:
    """Every component, or one section, with its provenance under ``meta.sources``.

    The viewer, for whom a share may be real already, is named by ``?viewer=`` or the header ``X-Crossfade-Viewer``.
    """
    if format == "prometheus":
        readings = await section_readings(app, section, viewer_of(request))
        text = live.prometheus(readings, app.reader.components, app.clock.now())
        return Response(text.encode(errors="replace"), media_type=exposition.MEDIA_TYPE)
    return Response(await live_json(app, section, viewer_of(request)), media_type=MediaType.JSON)


@get("/api/dashboard/stream", guards=[may_read])
async def dashboard_stream(request: AppRequest, stream: NamedDependency[Stream]) -> Streaming:
    """The live dashboard's JSON, once a second, as server-sent events named ``live``; ``Last-Event-ID`` is heeded."""
    number = request.headers.get("last-event-id", "")
    after = int(number) if number.isascii() and number.isdecimal() and len(number) < 20 else None

    async def messages() -> AsyncIterator[bytes]:
        async with aclosing(stream.listen(viewer_of(request), after)) as frames:
            async for frame in frames:
                if not await still_may_read(request):
                    return
                yield frame

    return Streaming(messages(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@get("/api/history", guards=[may_read])
async def history(request: AppRequest, app: AppDependency, days: DayCount = live.DEFAULT_DAYS) -> dict[str, Json]:
    """The storage timeline of the last days; a day that nobody counted holds nulls."""
    reading = await app.reader.read("historicalData", viewer_of(request))
    return live.document((reading,), app.reader.components, app.clock.now(), days=days)


@get("/api/flags", guards=[may_follow])
async def flags(request: AppRequest, app: AppDependency) -> Response[bytes]:
    """All flags, but those of retired components; 304 while they are those of ``If-None-Match``."""
    body = msgspec.json.encode(_flags(app))
    # By the content as well: a server that was restored from a backup gives the same revisions again.
    tag = f'"{app.state.flags().revision}-{crc32(body):08x}"'
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, "*"}:
        return Response(b"", status_code=304, headers={"ETag": tag})
    return Response(body, media_type=MediaType.JSON, headers={"ETag": tag})


@patch("/api/flags", guards=[may_change])
async def change_flags(
    request: AppRequest, app: AppDependency, data: JSONBody[dict[str, FlagValue]], reason: FromQuery[str | None] = None,
) -> dict[str, FlagValue]:
    """Sets flags, all of them or none; gives all flags as they are then. The next read sees the change."""
    try:
        names = {canonical(name, app.flag_names): value for name, value in data.items()}
        changes = {name: check(name, value) for name, value in names.items()}
    except FlagError as error:
        raise HTTPError(400, "unknown_flag", str(error)) from None
    try:
        await asyncio.to_thread(
            app.state.change_flags, changes, who=actor(request), at=app.clock.now(), reason=reason)
    except RetiredError as error:
        raise HTTPError(409, "retired", str(error)) from None
    app.followers.publish(app.state.flags())
    return _flags(app)


@get("/api/audit", guards=[may_read], sync_to_thread=True)
def audit(
    request: AppRequest, app: AppDependency, limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    before: FromQuery[int | None] = None,
) -> list[dict[str, Json]]:
    """Who changed what, the newest first. ``who``, ``action``, ``subject``, ``since``, ``until``."""
    wanted, _, trouble = asked_for(request.query_params)
    if trouble:
        raise HTTPError(400, "bad_moment", trouble)
    return [entry_json(entry) for entry in app.state.audit(limit=limit, before_id=before, matching=wanted)]


@post("/api/aggregate", guards=[may_change], sync_to_thread=True, status_code=200)
def aggregate(app: AppDependency) -> dict[str, Json]:
    """Counts every closed day that lacks its row or has changed; gives those days."""
    rows = app.aggregator.heal(all_days=True)
    return {"counted": [msgspec.to_builtins(row) for row in sorted(rows, key=lambda row: row.day)]}


def _flags(app: App) -> dict[str, FlagValue]:
    current = app.state.flags()
    return {camel(name): current[name] for name in app.flag_names if not current.is_retired(name)}


HANDLERS = (
    healthz, readyz, dashboard_live, dashboard_stream, history, flags, change_flags, audit, aggregate, recount,
    start_recount,
)
routes = Router(path="/", route_handlers=list(HANDLERS))

