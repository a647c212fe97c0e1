"""``GET /api/dashboard/live`` as a bare ASGI application: programs ask for it every second.

It is the route of the same name in half the time, behind the same guard. It gives good answers alone: whatever is
unusual, it leaves to the route.
"""

from collections.abc import Iterable
from typing import cast

from litestar import Litestar, Request
from litestar.datastructures import ResponseHeader
from litestar.types import HTTPScope

from crossfade.core.asgi import JSON, Message, Receive, Send, answer, encoded
from crossfade.core.asgi import App as ASGIApp

from .api import live_json, viewer_of
from .auth import app_of, readable
from .context import AppRequest
from .errors import HTTPError

PATH = "/api/dashboard/live"
_ASKED = frozenset({(), ("section",), ("viewer",), ("section", "viewer")})


class Polls:
    """Answers who asks for the live dashboard as JSON, and passes everything else on."""

    def __init__(self, others: Litestar, headers: Iterable[ResponseHeader]) -> None:
        """``headers``: what every answer of the server says."""
        self._litestar = others
        self._others = cast("ASGIApp", others)
        self._headers = [JSON, *encoded((each.name, str(each.value)) for each in headers)]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        body = await self._answer(scope) if scope["method"] == "GET" else None
        if body is None:
            await self._others(scope, receive, send)
            return
        await answer(send, 200, self._headers, body)

    async def _answer(self, scope: Message) -> bytes | None:
        request: AppRequest = Request(cast("HTTPScope", {**scope, "litestar_app": self._litestar}))
        asked = request.query_params
        if tuple(sorted(name for name, _ in asked.multi_items())) not in _ASKED:
            return None
        try:
            await readable(request)
            return await live_json(app_of(request), asked.get("section", "all"), viewer_of(request))
        except HTTPError:
            return None
