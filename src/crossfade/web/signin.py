"""Signing in and out, by plain forms."""

import ipaddress
from collections.abc import Mapping

from litestar import Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect, Template

from crossfade import __version__
from crossfade.access import Busy, Refused, TooMany, secret
from crossfade.access.signin import Caller
from crossfade.core.user import UserError
from crossfade.state.errors import StateError

from . import csrf
from .auth import actor, identify, may_knock, shown, signed_in
from .context import AppDependency, AppRequest
from .cookies import FORM, SESSION, cookie_of, form_cookie, no_session_cookie, session_cookie
from .errors import HTTPError
from .next import back_to, local

MAX_BODY = 20_000
"""Bytes of a form."""
IPV6_HOME = 64
"""Bits by which one IPv6 customer is told from another."""


@get("/login", guards=[may_knock], include_in_schema=False)
async def login_page(request: AppRequest) -> Template:
    """The form to sign in; with ``?link=`` a button that uses the one-time link; or, signed in, what there is to do."""
    await _known(request)
    return _page(request)


@post("/login", guards=[may_knock], include_in_schema=False, request_max_body_size=MAX_BODY, status_code=303)
async def sign_in(request: AppRequest, app: AppDependency) -> Response[bytes] | Template:
    """Signs in by name and password, or by a one-time link, and goes on to the page that was asked for."""
    form = await csrf.fields(request)
    try:
        await csrf.check(request, cookie_of(request, FORM) or "")
        if "link" in form:
            token = await app.sign_in.by_link(form["link"], caller_of(request))
        else:
            token = await app.sign_in.by_password(form.get("name", ""), form.get("password", ""), caller_of(request))
        await _leave(request, app)
    except (HTTPError, Refused, TooMany, Busy, UserError, StateError) as error:
        return _failed(request, error, form)
    return _go(local(form.get("next", "")), session_cookie(request, token))


@post("/logout", guards=[signed_in], include_in_schema=False, request_max_body_size=MAX_BODY, status_code=303)
async def sign_out(request: AppRequest, app: AppDependency) -> Response[bytes]:
    """Signs out this browser."""
    await _leave(request, app)
    return _go("/login", no_session_cookie(request))


@post("/logout/everywhere", guards=[signed_in], include_in_schema=False, request_max_body_size=MAX_BODY,
      status_code=303)
async def sign_out_everywhere(request: AppRequest, app: AppDependency) -> Response[bytes]:
    """Signs out every browser of the user."""
    await app.users.sign_out(actor(request), who=actor(request))
    return _go("/login", no_session_cookie(request))


@post("/login/password", guards=[signed_in], include_in_schema=False, request_max_body_size=MAX_BODY, status_code=303)
async def change_password(request: AppRequest, app: AppDependency) -> Response[bytes] | Template:
    """Gives the user who is signed in another password, and signs out every other browser."""
    form = await csrf.fields(request)
    if form.get("new", "") != form.get("again", ""):
        return _failed(request, UserError("the new password and its repetition differ"), form)
    try:
        token = await app.sign_in.change_password(
            actor(request), form.get("current", ""), form.get("new", ""), caller_of(request))
    except (Refused, TooMany, Busy, UserError, StateError) as error:
        return _failed(request, error, form)
    return _go("/login", session_cookie(request, token))


def wants_page(request: AppRequest) -> bool:
    """Whether a browser asks for a page, and not a program for data."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


def turn_away(request: AppRequest, error: HTTPError) -> Response[bytes] | Template:
    """Of a page: to the sign-in, or a page that says why not."""
    if error.status == 401:
        return _go(back_to(request))
    return Template("refused.html", status_code=error.status, context={
        "version": __version__, "title": "Not there" if error.status == 404 else "Not allowed",
        "message": error.message, "detail": error.detail, **shown(request)})


def caller_of(request: AppRequest) -> Caller:
    """Of an IPv6 address the part that one customer has: they can change the rest as they like."""
    host = request.client.host if request.client else ""
    return Caller(_home(host), request.headers.get("user-agent", ""))


def _home(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_HOME), strict=False))


async def _known(request: AppRequest) -> None:
    """Who is signed in, if it can be told: the page is there for those too of whom it cannot."""
    try:
        await identify(request)
    except StateError:
        request.scope["user"] = None


async def _leave(request: AppRequest, app: AppDependency) -> None:
    cookie = cookie_of(request, SESSION)
    if cookie is not None:
        await app.sessions.end(cookie)


def _page(request: AppRequest, *, status: int = 200, trouble: str = "", form: Mapping[str, str] | None = None,
          headers: Mapping[str, str] | None = None) -> Template:
    """The sign-in page; what is wrong stands on it, and what was filled in but for the secrets."""
    asked = form if form is not None else request.query_params
    there = cookie_of(request, FORM)
    cookie = there or secret.make()
    context = {
        "version": __version__, "trouble": trouble, "name": asked.get("name", "")[:100] if form is not None else "",
        "next": local(asked.get("next", "")), "link": asked.get("link", "")[:secret.LONGEST],
        "form_csrf": secret.form_token(cookie), **shown(request),
    }
    return Template("login.html", status_code=status, context=context, headers=dict(headers or {}),
                    cookies=[] if there else [form_cookie(request, cookie)])


def _failed(request: AppRequest, error: Exception, form: Mapping[str, str]) -> Template:
    status, headers = _told(error)
    retry = {name: value for name, value in form.items() if name != "link"}
    return _page(request, status=status, trouble=str(error), form=retry, headers=headers)


def _told(error: Exception) -> tuple[int, Mapping[str, str]]:
    match error:
        case HTTPError():
            return error.status, {}
        case TooMany():
            return 429, {"Retry-After": str(error.seconds)}
        case Busy() | StateError():
            return 503, {"Retry-After": "1"}
        case Refused():
            return 401, {}
        case _:
            return 400, {}


def _go(path: str, *cookies: Cookie) -> Response[bytes]:
    return Redirect(path, status_code=303, cookies=list(cookies))


HANDLERS = (login_page, sign_in, sign_out, sign_out_everywhere, change_password)
routes = Router(path="/", route_handlers=list(HANDLERS))
