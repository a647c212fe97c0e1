"""Who may do what: by the session of who signed in, or by the admin token.

Reading is open on loopback, unless the settings say otherwise. Following the flags takes the write key too: an
application that tracks has nothing else. The guards are coroutines, since Litestar runs plain functions in a thread:
that would cost more than the reading.
"""

import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

from litestar.handlers.base import BaseRouteHandler
from msgspec import Struct

from crossfade.access import secret
from crossfade.app import App
from crossfade.core.role import Role
from crossfade.settings import LOOPBACK
from crossfade.state.errors import StateError

from . import csrf
from .context import AppRequest, Connection
from .cookies import SESSION, cookie_of
from .errors import HTTPError

MAX_ACTOR = 100


class Identity(Struct, frozen=True):
    """Who asks."""

    name: str
    role: Role
    cookie: str | None = None
    """The secret of the session; None for the bearer of the admin token."""

    def __repr__(self) -> str:
        return f"Identity({self.name!r}, {self.role.value!r}, …)"


async def may_read(connection: Connection, _: BaseRouteHandler) -> None:
    """Who may look at anything at all."""
    await readable(connection)


async def readable(connection: Connection) -> None:
    """A viewer; or anybody, while only this machine can reach the server, under a name of it, and it may be open."""
    if app_of(connection).settings.open_to_readers:
        known_host(connection)
        with suppress(StateError):  # nobody in particular, then
            await identify(connection)
    else:
        await _require(connection, Role.VIEWER)


async def may_change(connection: Connection, _: BaseRouteHandler) -> None:
    """An operator: whoever acts."""
    await _require(connection, Role.OPERATOR)


async def may_administer(connection: Connection, _: BaseRouteHandler) -> None:
    """An admin: users and keys."""
    await _require(connection, Role.ADMIN)


async def signed_in(connection: Connection, _: BaseRouteHandler) -> None:
    """Somebody with a session, whatever the role: what somebody does to it alone."""
    identity = await _require(connection, Role.VIEWER)
    if identity.cookie is None:
        raise HTTPError(403, "no_session", "the admin token has no session")


async def may_knock(connection: Connection, _: BaseRouteHandler) -> None:
    """Anybody who may sign in: on loopback, under a name of this machine alone."""
    if app_of(connection).settings.on_loopback:
        known_host(connection)


async def identify(connection: Connection) -> Identity | None:
    """Who asks, if that is proved; found out once a request. Raises StateError when it cannot be."""
    if not _known(connection):
        connection.scope["user"] = _bearer(connection) or await _holder(connection)
    return found(connection)


def found(connection: Connection) -> Identity | None:
    """Who asks, as far as it was found out."""
    return cast("Identity | None", connection.scope.get("user"))


async def still_may_read(connection: Connection) -> bool:
    """Whether a session that an endless answer was begun for goes on."""
    identity = found(connection)
    if identity is None or identity.cookie is None or app_of(connection).settings.open_to_readers:
        return True
    try:
        return await app_of(connection).sessions.find(identity.cookie) is not None
    except StateError:
        return True  # the next look will tell


def shown(request: AppRequest) -> dict[str, object]:
    """What a page's template needs of who looks: ``user`` (None for nobody) and the token ``csrf`` for its forms."""
    identity = found(request)
    cookie = None if identity is None else identity.cookie
    return {"user": identity, "csrf": "" if cookie is None else secret.form_token(cookie)}


def actor(connection: Connection) -> str:
    """Who acts, for the audit log: a user; or what the bearer of the admin token claims to be, which says so."""
    identity = found(connection)
    return "nobody" if identity is None else identity.name


def app_of(connection: Connection) -> App:
    return cast("App", connection.app.state.crossfade)


def known_host(connection: Connection) -> None:
    """A page of another site may have its own name point to this machine. Raises HTTPError 403 for such a name."""
    settings = app_of(connection).settings
    host = connection.headers.get("host", "").rpartition("]")[2].partition(":")[0] or "::1"
    if host.lower() not in LOOPBACK | {settings.host, *settings.allowed_hosts}:
        raise HTTPError(403, "unknown_host", f"this server is not known as {host[:80]!r}",
                        "name it in the setting allowed_hosts")


async def may_follow(connection: Connection, _: BaseRouteHandler) -> None:
    """Whoever has the write key, by Bearer or Basic; else as for reading, but no page of another site."""
    scheme, _separator, told = connection.headers.get("authorization", "").partition(" ")
    key = _user_of(told) if scheme.lower() == "basic" else told.strip()
    if key and connection.app.state.crossfade.writer.matches(key):
        return
    await readable(connection)
    if found(connection) is None and connection.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise HTTPError(403, "other_site", "a page of another site cannot follow the flags")


def _user_of(encoded: str) -> str:
    """The user that Basic authentication names; empty when it names none."""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


async def _require(connection: Connection, needed: Role) -> Identity:
    try:
        identity = await identify(connection)
    except StateError as error:
        raise HTTPError(503, "not_known", f"it cannot be told who you are: {error}",
                        headers={"Retry-After": "1"}) from None
    if identity is None:
        raise HTTPError(401, "unauthorized", "sign in, or give the admin token, as Authorization: Bearer <token>")
    if not identity.role.may(needed):
        raise HTTPError(403, "forbidden", f"{identity.name} is {identity.role}; this needs the role {needed}")
    if identity.cookie is not None and connection.scope.get("method") not in csrf.SAFE:
        await csrf.check(cast("AppRequest", connection), identity.cookie)
    return identity


def _known(connection: Connection) -> bool:
    return "user" in cast("Mapping[str, object]", connection.scope)


def _bearer(connection: Connection) -> Identity | None:
    scheme, _separator, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not app_of(connection).admin.matches(token.strip()):
        return None
    claimed = connection.headers.get("x-crossfade-actor", "")
    name = "".join(char for char in claimed if char.isprintable())[:MAX_ACTOR].strip()
    return Identity(f"{name} (admin token)" if name else "admin token", Role.ADMIN)


async def _holder(connection: Connection) -> Identity | None:
    cookie = cookie_of(connection, SESSION)
    if cookie is None or _has_bearer(connection):
        return None
    session = await app_of(connection).sessions.find(cookie)
    return None if session is None else Identity(session.user, session.role, cookie)


def _has_bearer(connection: Connection) -> bool:
    """Who gives a token, though a wrong one, is not taken for somebody else."""
    return connection.headers.get("authorization", "").lower().startswith("bearer ")
