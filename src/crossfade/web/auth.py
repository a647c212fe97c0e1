"""Who may do what: reading is open on loopback alone, every change needs the admin token.

Following the flags takes the write key too: an application that tracks has nothing else.

The guards are coroutines, since Litestar runs plain functions in a thread: that would cost more than the reading.
"""

import base64
import binascii

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from crossfade.settings import LOOPBACK, Settings

from .errors import HTTPError

MAX_ACTOR = 100


async def may_change(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """Raises HTTPError 401 unless the admin token is given."""
    scheme, _separator, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not connection.app.state.crossfade.admin.matches(token.strip()):
        raise HTTPError(401, "unauthorized", "this needs the admin token, as Authorization: Bearer <token>")


async def may_read(connection: ASGIConnection, handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """Open while only this machine can reach the server, and only under a name of it; else as for changes.

    The name is checked since a page of another site may have its own name point to this machine.
    """
    settings: Settings = connection.app.state.crossfade.settings
    if not settings.on_loopback:
        await may_change(connection, handler)
        return
    host = connection.headers.get("host", "").rpartition("]")[2].partition(":")[0] or "::1"
    if host.lower() not in LOOPBACK | {settings.host, *settings.allowed_hosts}:
        raise HTTPError(403, "unknown_host", f"this server is not known as {host[:80]!r}",
                        "name it in the setting allowed_hosts")


async def may_follow(connection: ASGIConnection, handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """Whoever has the write key, by Bearer or Basic; else as for reading, but no page of another site."""
    scheme, _, told = connection.headers.get("authorization", "").partition(" ")
    key = _user_of(told) if scheme.lower() == "basic" else told.strip()
    if key and connection.app.state.crossfade.writer.matches(key):
        return
    if connection.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise HTTPError(403, "other_site", "a page of another site cannot follow the flags")
    await may_read(connection, handler)


def _user_of(encoded: str) -> str:
    """The user that Basic authentication names; empty when it names none."""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def actor(headers: object) -> str:
    """Who says to be acting, for the audit log: a claim made with the admin token, not an identity."""
    get = getattr(headers, "get", None)
    name = str(get("x-crossfade-actor", "")) if get else ""
    shown = "".join(char for char in name if char.isprintable())[:MAX_ACTOR].strip()
    return shown or "admin token"
