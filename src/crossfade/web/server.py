"""The whole ASGI application: events go the short way, everything else through Litestar."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from litestar import Litestar, Response
from litestar.datastructures import ResponseHeader, State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig

from crossfade import __version__
from crossfade.app import WRITE_SOURCE, App
from crossfade.core.asgi import App as ASGIApp
from crossfade.core.asgi import Message, ObservedRequests, Receive, Record, Send
from crossfade.core.ledger import FED_BY_EVENTS

from . import (
    alerting,
    api,
    checklist,
    dashboard,
    figures,
    following,
    metrics,
    migrationforms,
    monitoring,
    rehearsals,
    report,
    retire,
    rollback,
    rollouts,
    signin,
    users,
)
from .acks import PATH as ACKNOWLEDGE
from .acks import Acks
from .context import AppRequest
from .errors import HTTPError, unexpected
from .events import PREFIX, Events
from .migrationview import PAGE
from .polls import PATH as LIVE
from .polls import Polls
from .requestid import current, id_of, naming
from .stream import Stream, framed

PARTS = (dashboard, api, figures, monitoring, alerting, metrics, rollback, rollouts, rehearsals, following, retire,
         signin, users, checklist, report, migrationforms)
"""The pages and the parts of the API, each with its ``HANDLERS``."""
Answer = Response[dict[str, str]] | Response[bytes] | Template
HERE = Path(__file__).parent

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    ResponseHeader(name="Content-Security-Policy", value=CONTENT_SECURITY_POLICY),
    ResponseHeader(name="X-Content-Type-Options", value="nosniff"),
    ResponseHeader(name="Referrer-Policy", value="same-origin"),
    ResponseHeader(name="Cache-Control", value="no-store"),
)


class Server:
    """ASGI, with every request in the request log, and each under an id."""

    def __init__(self, app: App) -> None:
        settings = app.settings
        events = Events(app.ingest, app.writer, WRITE_SOURCE, max_body=int(settings.max_body_mb * 1e6),
                        max_in_flight=settings.shares.bodies)
        self._stream = Stream(lambda viewer: api.live_json(app, viewer=viewer), variant=app.reader.variant,
                              frame=framed, renew=lambda: app.reader.spoil(FED_BY_EVENTS))
        app.loader.follow(self._stream.hurry)
        self._followers = app.followers
        rest = litestar(app, self._stream)
        self._rest = cast("ASGIApp", rest)
        self._events = ObservedRequests(events, _record(app, "/v1"))
        self._api = ObservedRequests(self._rest, _record(app, "/api"))
        self._acks = ObservedRequests(Acks(app.followers, app.writer, self._rest), _record(app, "/api"))
        self._polls = ObservedRequests(Polls(rest, HEADERS), _record(app, "/api"))
        self._others = ObservedRequests(self._rest, _record(app, "other"))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        path, told = str(scope["path"]), id_of(scope)
        part = self._part(path)
        before = current.set(told)
        try:
            await part(scope, receive, naming(send, told))
        finally:
            current.reset(before)

    def _part(self, path: str) -> ASGIApp:
        if path.startswith(PREFIX):
            return self._events
        if path == ACKNOWLEDGE:
            return self._acks
        if path == LIVE:
            return self._polls
        return self._api if path.startswith("/api/") else self._others

    async def close(self) -> None:
        """Ends the answers that would never end; call it when the server is about to stop."""
        self._followers.close()
        await self._stream.close()


def _record(app: App, route: str) -> Record:
    """Notes a request in the request log, and among the answers of its route."""
    log, answers = app.requests.record, app.answers[route].record

    def record(status: int, seconds: float) -> None:
        log(status, seconds)
        answers(status, seconds)

    return record


class _Plain(Litestar):
    """Without the plugins for pydantic and attrs that Litestar adds where these are installed: no handler needs them,
    and pydantic's whole first version comes with them, 2 MB.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def litestar(app: App, stream: Stream) -> Litestar:
    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with app.running():
            yield

    return _Plain(
        route_handlers=[
            *(part.routes for part in PARTS),
            create_static_files_router(path="/static", directories=[HERE / "static"]),
        ],
        state=State({"crossfade": app}),
        dependencies={
            "app": Provide(lambda: app, sync_to_thread=False),
            "stream": Provide(lambda: stream, sync_to_thread=False),
        },
        lifespan=[lifespan],
        template_config=TemplateConfig(
            directory=HERE / "templates", engine=JinjaTemplateEngine,
            engine_callback=lambda made: made.engine.globals.update(
                migration=PAGE if app.settings.enable_migration_dashboard else "")),
        response_headers=HEADERS,
        exception_handlers={HTTPError: _explain, HTTPException: _explain_litestar, Exception: _explain_unexpected},
        openapi_config=OpenAPIConfig(
            title="Crossfade", version=__version__, path="/schema", use_handler_docstrings=True,
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
        logging_config=None,
        request_max_body_size=int(app.settings.max_body_mb * 1e6),
    )


def _explain(request: AppRequest, error: HTTPError) -> Answer:
    if error.status in {401, 403, 404} and signin.wants_page(request):
        return signin.turn_away(request, error)
    return Response(error.fields(), status_code=error.status, headers=error.headers())


def _explain_litestar(request: AppRequest, error: HTTPException) -> Answer:
    detail = "; ".join(str(item) for item in error.extra) if isinstance(error.extra, list) else ""
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status_code, "bad_request")
    told = "there is nothing at this address" if error.status_code == 404 else error.detail
    return _explain(request, HTTPError(error.status_code, code, told, detail))


def _explain_unexpected(request: AppRequest, error: Exception) -> Answer:
    api.log.error("request failed", path=request.url.path, exc_info=error)
    return _explain(request, unexpected())
