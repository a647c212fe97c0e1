"""The cookies of signing in. Over TLS they carry a prefix by which no other host can set them."""

from litestar.datastructures import Cookie

from crossfade.core.clock import SECOND
from crossfade.core.session import LONGEST

from .context import Connection

SESSION = "crossfade_session"
FORM = "crossfade_form"
"""Whose is a sign-in form, before anybody is signed in."""


def cookie_of(connection: Connection, name: str) -> str | None:
    return connection.cookies.get(_full(name, _secure(connection)))


def session_cookie(connection: Connection, value: str) -> Cookie:
    """Lax, not Strict: who follows a link from elsewhere to the dashboard is still signed in there."""
    secure = _secure(connection)
    return Cookie(_full(SESSION, secure), value=value, max_age=LONGEST // SECOND, path="/", httponly=True,
                  samesite="lax", secure=secure)


def form_cookie(connection: Connection, value: str) -> Cookie:
    secure = _secure(connection)
    return Cookie(_full(FORM, secure), value=value, path="/", httponly=True, samesite="strict", secure=secure)


def no_session_cookie(connection: Connection) -> Cookie:
    """Takes the session's cookie away."""
    secure = _secure(connection)
    return Cookie(_full(SESSION, secure), value="", max_age=0, path="/", httponly=True, samesite="lax", secure=secure)


def _secure(connection: Connection) -> bool:
    """Whether the request came by https: here, or to the proxy before us that the server trusts to say so."""
    return connection.scope.get("scheme") == "https"


def _full(name: str, secure: bool) -> str:
    return f"__Host-{name}" if secure else name
