"""Every route of the server, for everybody who may come, with and without the token of a page of ours.

What is expected is not read from the guards: a new route that changes something, and is not guarded, fails here.
"""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from litestar.handlers import HTTPRouteHandler

from crossfade.access import secret
from crossfade.app import App
from crossfade.core.clock import SECOND, ManualClock
from crossfade.core.role import Role
from crossfade.core.user import Change
from crossfade.settings import Settings
from crossfade.web import server

NOW = 1_790_000_000 * SECOND
PUBLIC = {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/login"), ("POST", "/login")}
"""For anybody. The form to sign in brings a token of its own, and its refusals are tested elsewhere."""
ONES_OWN = ("/login/", "/logout")
FOLLOWING = ("/api/flags/ack", "/api/flags/leave")
"""What a process that follows the flags says of itself, for which reading is enough."""
ADMINISTRATION = ("/api/users", "/api/sign-in-links")
PEOPLE = ("nobody", "wrong token", "forged session", "disabled", *Role, "admin token")
TOKENS = {
    "header": {}, "field": {}, "none": {}, "wrong": {}, "another session's": {},
    "cross-site": {"Sec-Fetch-Site": "cross-site"}, "same-site": {"Sec-Fetch-Site": "same-site"},
    "foreign origin": {"Origin": "http://evil.example"}, "own origin": {"Origin": "http://localhost"},
}
GOOD = ("header", "field", "own origin")
Route = tuple[str, str]


def routes() -> Iterator[Route]:
    yield "GET", "/"
    handlers: list[HTTPRouteHandler] = [handler for part in server.PARTS for handler in part.HANDLERS]
    for handler in handlers:
        for method, path in itertools.product(handler.http_methods, handler.paths):
            if method not in {"HEAD", "OPTIONS"}:
                yield str(method), re.sub(r"\{\w+:int\}", "1", re.sub(r"\{\w+:str\}", "someone", path))


READS = [route for route in routes() if route[0] == "GET" and route not in PUBLIC]
CHANGES = [route for route in routes() if route[0] != "GET" and route not in PUBLIC]


def needs(route: Route) -> Role:
    method, path = route
    if path.startswith(ADMINISTRATION):
        return Role.ADMIN
    return Role.VIEWER if method == "GET" or path.startswith((*ONES_OWN, *FOLLOWING)) else Role.OPERATOR


class House:
    """A server that was not started, and somebody of each kind."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.app = App(Settings(data=folder, **settings), ManualClock(NOW), {})
        self.server = server.Server(self.app)
        for role in Role:
            self.app.state.people.add(role, role, None, who="me", at=NOW)
        self.app.state.people.add("disabled", Role.ADMIN, None, who="me", at=NOW)

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[httpx.AsyncClient]:
        await self.server.close()  # so that the stream ends
        transport = httpx.ASGITransport(self.server)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", cookies={}) as http:
            yield http

    def session(self, user: str) -> str:
        token = secret.make()
        self.app.state.people.begin_session(secret.digest(token), user, at=NOW, agent="")
        return token

    def headers(self, who: str) -> tuple[dict[str, str], str]:
        """What somebody sends along, and the secret of the session, if it is one."""
        if who == "nobody":
            return {}, ""
        if who.endswith("token"):
            token = self.app.keys.admin_token if who == "admin token" else "wrong"
            return {"Authorization": f"Bearer {token}"}, ""
        if who == "disabled":
            token = self.session(who)
            self.app.state.people.change(who, Change(disabled=True), who="me", at=NOW)
            self.app.state.people.change(who, Change(disabled=False), who="me", at=NOW)
        else:
            token = "x" * 43 if who == "forged session" else self.session(who)
        return {"Cookie": f"crossfade_session={token}"}, token

    def tokens(self, kind: str, session: str) -> tuple[dict[str, str], bytes]:
        right = secret.form_token(session)
        if kind == "none":
            return {}, b""
        if kind == "field":
            return {"Content-Type": "application/x-www-form-urlencoded"}, f"csrf={right}".encode()
        token = {"wrong": right[::-1], "another session's": secret.form_token(self.session("admin"))}.get(kind, right)
        return {"X-CSRF-Token": token, **TOKENS[kind]}, b""


@pytest.fixture
def house(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    made = House(tmp_path / "data", **getattr(request, "param", {"require_sign_in": True}))
    yield made
    made.app.close()


def right_role(who: str, needed: Role) -> bool:
    return who == "admin token" or (who in set(Role) and Role(who).may(needed))


@pytest.mark.parametrize("house", [{"require_sign_in": True}, {"host": "0.0.0.0"}, {}],  # noqa: S104
                         ids=["signed in", "off loopback", "open"], indirect=True)
def test_who_may_read_what(house: House, request: pytest.FixtureRequest) -> None:
    is_open = "open" in request.node.callspec.id

    async def steps() -> dict[tuple[Route, str], int]:
        async with house.asking() as http:
            return {(route, who): (await http.get(route[1], headers=house.headers(who)[0])).status_code
                    for route in READS for who in PEOPLE}

    for (route, who), status in asyncio.run(steps()).items():
        needed = needs(route)
        if right_role(who, needed) or (is_open and needed is Role.VIEWER):
            assert status < 500, (route, who, status)
            assert status not in {401, 403}, (route, who, status)
        else:
            assert status == (403 if who in set(Role) else 401), (route, who, status)


def test_who_may_change_what_and_only_from_a_page_of_ours(house: House) -> None:
    async def steps() -> dict[tuple[Route, str, str], int]:
        found = {}
        async with house.asking() as http:
            for route, who, kind in itertools.product(CHANGES, PEOPLE, TOKENS):
                headers, session = house.headers(who)
                more, body = house.tokens(kind, session)
                answer = await http.request(route[0], route[1], headers=headers | more,
                                            content=body or b"!")  # or some would take long to do what is asked
                found[route, who, kind] = answer.status_code
        return found

    for (route, who, kind), status in asyncio.run(steps()).items():
        own = route[1].startswith(ONES_OWN)
        if who == "admin token":
            assert (status == 403) == own, (route, who, kind, status)
        elif right_role(who, needs(route)) and kind in GOOD:
            assert status not in {401, 403}, (route, who, kind, status)
        else:
            assert status == (403 if who in set(Role) else 401), (route, who, kind, status)


def test_public_routes_are_these_alone(house: House) -> None:
    async def steps() -> set[Route]:
        async with house.asking() as http:
            return {route for route in routes() if (await http.request(*route)).status_code != 401}

    assert asyncio.run(steps()) == PUBLIC


def test_an_open_server_is_read_under_its_own_names_alone(tmp_path: Path) -> None:
    made = House(tmp_path / "data")

    async def steps() -> None:
        async with made.asking() as http:
            for path in ("/", "/login", "/api/flags"):
                for host, status in (("localhost", 200), ("127.0.0.1:8787", 200), ("rebound.example", 403)):
                    answer = await http.get(path, headers={"Host": host})
                    assert answer.status_code == status, (path, host)
            answer = await http.post("/login", headers={"Host": "rebound.example"})
            assert answer.json()["code"] == "unknown_host"

    try:
        asyncio.run(steps())
    finally:
        made.app.close()


def test_a_browser_is_sent_to_the_sign_in_and_a_program_is_told(house: House) -> None:
    page = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

    async def steps() -> None:
        async with house.asking() as http:
            answer = await http.get("/?range=7d", headers=page)
            assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/%3Frange%3D7d")
            answer = await http.get("/", headers=page)
            assert (answer.status_code, answer.headers["location"]) == (303, "/login")
            answer = await http.get("/api/flags", headers=page)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
            headers, session = house.headers("viewer")
            answer = await http.get("/", headers=headers | page)
            assert "Signed in as" in answer.text
            assert f'value="{secret.form_token(session)}"' in answer.text
            assert session not in answer.text

    asyncio.run(steps())


def test_the_audit_log_tells_who_is_known_from_who_claims(house: House) -> None:
    async def steps() -> None:
        async with house.asking() as http:
            headers, session = house.headers("operator")
            headers |= {"X-CSRF-Token": secret.form_token(session), "X-Crossfade-Actor": "admin"}
            await http.patch("/api/flags", json={"logDataSources": True}, headers=headers)
            headers, _ = house.headers("admin token")
            await http.patch("/api/flags", json={"logDataSources": False},
                             headers=headers | {"X-Crossfade-Actor": "operator"})
            await http.patch("/api/flags", json={"logDataSources": True}, headers=headers)

    asyncio.run(steps())
    assert [entry.who for entry in house.app.state.audit(limit=3)] == [
        "admin token", "operator (admin token)", "operator"]


def test_a_session_that_ends_ends_its_stream(house: House) -> None:
    async def steps() -> int:
        made = server.Server(house.app)
        headers, _ = house.headers("viewer")
        scope = {"type": "http", "method": "GET", "path": "/api/dashboard/stream", "raw_path": b"/api/dashboard/stream",
                 "query_string": b"", "scheme": "http", "server": ("localhost", 80), "client": ("127.0.0.1", 1),
                 "headers": [(b"host", b"localhost"), (b"cookie", headers["Cookie"].encode())], "state": {}}
        told, gone = [], asyncio.Event()

        async def receive() -> dict[str, object]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            if message.get("body"):
                told.append(message)
                await house.app.users.change("viewer", disabled=True, who="me")
            if message["type"] == "http.response.body" and not message["more_body"]:
                gone.set()

        async with asyncio.timeout(20):
            await made(scope, receive, send)
        return len(told)

    assert asyncio.run(steps()) == 1
