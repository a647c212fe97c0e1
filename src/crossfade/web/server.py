"""The whole ASGI application: events go the short way, everything else through Litestar."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from litestar import Litestar, Response, get
from litestar.datastructures import ResponseHeader, State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig

from crossfade import __version__
from crossfade.app import WRITE_SOURCE, App
from crossfade.requestlog import App as ASGIApp
from crossfade.requestlog import LoggedRequests, Message, Receive, Send

from . import api, pages
from .auth import may_read
from .context import AppDependency, AppRequest
from .errors import HTTPError
from .events import PREFIX, Events
from .stream import Stream

HERE = Path(__file__).parent
IN_FLIGHT = 128 << 20
"""Bytes of request bodies that may be held at a time."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    ResponseHeader(name="Content-Security-Policy", value=CONTENT_SECURITY_POLICY),
    ResponseHeader(name="X-Content-Type-Options", value="nosniff"),
    ResponseHeader(name="Referrer-Policy", value="no-referrer"),
    ResponseHeader(name="Cache-Control", value="no-store"),
)


class Server:
    """ASGI, with every request in the request log."""

    def __init__(self, app: App) -> None:
        settings = app.settings
        events = Events(app.ingest, app.writer, WRITE_SOURCE, max_body=int(settings.max_body_mb * 1e6),
                        max_in_flight=IN_FLIGHT)
        self._stream = Stream(lambda: api.live_json(app))
        rest = litestar(app, self._stream)

        async def route(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and str(scope["path"]).startswith(PREFIX):
                await events(scope, receive, send)
            else:
                await rest(scope, receive, send)  # type: ignore[arg-type]

        self._app: ASGIApp = LoggedRequests(route, app.requests)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def close(self) -> None:
        """Ends the answers that would never end; call it when the server is about to stop."""
        await self._stream.close()


@get("/", guards=[may_read], include_in_schema=False)
async def dashboard(app: AppDependency) -> Template:
    """The live dashboard."""
    readings = await api.section_readings(app, "all")
    return Template("dashboard.html", context={
        "view": pages.view(readings, tuple(app.reader.components.values()), app.clock.now()), "version": __version__,
    })


def litestar(app: App, stream: Stream) -> Litestar:
    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with app.running():
            yield

    return Litestar(
        route_handlers=[
            api.routes, dashboard,
            create_static_files_router(path="/static", directories=[HERE / "static"]),
        ],
        state=State({"crossfade": app}),
        dependencies={
            "app": Provide(lambda: app, sync_to_thread=False),
            "stream": Provide(lambda: stream, sync_to_thread=False),
        },
        lifespan=[lifespan],
        template_config=TemplateConfig(directory=HERE / "templates", engine=JinjaTemplateEngine),
        response_headers=HEADERS,
        exception_handlers={HTTPError: _explain, HTTPException: _explain_litestar, Exception: _explain_unexpected},
        openapi_config=OpenAPIConfig(
            title="Crossfade", version=__version__, path="/schema", use_handler_docstrings=True,
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
        logging_config=None,
        request_max_body_size=int(app.settings.max_body_mb * 1e6),
    )


def _explain(_: AppRequest, error: HTTPError) -> Response[dict[str, str]]:
    return Response(error.fields(), status_code=error.status, headers=error.headers())


def _explain_litestar(request: AppRequest, error: HTTPException) -> Response[dict[str, str]]:
    detail = "; ".join(str(item) for item in error.extra) if isinstance(error.extra, list) else ""
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status_code, "bad_request")
    return _explain(request, HTTPError(error.status_code, code, error.detail, detail))


def _explain_unexpected(request: AppRequest, error: Exception) -> Response[dict[str, str]]:
    api.log.error("request failed", path=request.url.path, exc_info=error)
    return _explain(request, HTTPError(500, "internal", "something went wrong here; the log says what"))
