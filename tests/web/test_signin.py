"""The sign-in page and what guards do in trouble, in-process."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from crossfade.access import secret
from crossfade.app import App
from crossfade.core.clock import SECOND, ManualClock
from crossfade.core.role import Role
from crossfade.settings import Settings
from crossfade.state.errors import StateError
from crossfade.web.server import Server
from crossfade.web.signin import _home

NOW = 1_790_000_000 * SECOND
PAGE = {"Accept": "text/html"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    made = App(Settings(data=tmp_path / "data", require_sign_in=True), ManualClock(NOW), {})
    made.state.people.add("ann", Role.VIEWER, None, who="me", at=NOW)
    yield made
    made.close()


def browser(app: App) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Server(app)), base_url="http://localhost", headers=PAGE)


async def follow(http: httpx.AsyncClient, app: App) -> httpx.Response:
    link, _ = app.users.link("ann", who="me")
    page = await http.get("/login", params={"link": link})
    found = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert found is not None
    return await http.post("/login", data={"link": link, "csrf": found[1]})


def test_a_second_sign_in_of_a_browser_ends_the_first(app: App) -> None:
    async def steps() -> None:
        async with browser(app) as http:
            await follow(http, app)
            first = http.cookies["crossfade_session"]
            await follow(http, app)
            assert http.cookies["crossfade_session"] != first
            assert await app.sessions.find(first) is None
        assert [user.sessions for user in await app.users.all()] == [1]

    asyncio.run(steps())


def test_a_wrong_token_is_not_made_good_by_a_session(app: App) -> None:
    async def steps() -> list[int]:
        async with browser(app) as http:
            await follow(http, app)
            return [(await http.get("/api/flags", headers={"Authorization": value})).status_code
                    for value in ("Bearer wrong", "Basic cHJveHk6eA==")]

    assert asyncio.run(steps()) == [401, 200]  # a proxy's own Basic auth is passed over


def test_a_page_that_is_refused_is_a_page(app: App) -> None:
    async def steps() -> tuple[httpx.Response, httpx.Response]:
        async with browser(app) as http:
            return (await http.get("/login", headers={"Host": "rebound.example"}),
                    await http.get("/api/flags", headers={"Host": "rebound.example", "Accept": "*/*"}))

    page, program = asyncio.run(steps())
    assert (page.status_code, program.status_code) == (403, 401)
    assert "<h1>Not allowed</h1>" in page.text
    assert program.json()["code"] == "unauthorized"


def test_what_happens_while_the_database_is_away(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StateError("the disk is gone")

    async def steps() -> None:
        async with browser(app) as http:
            await follow(http, app)
            for name in ("session", "use_link", "password"):
                monkeypatch.setattr(app.state.people, name, broken)
            app.sessions.forget()
            answer = await http.get("/api/flags")
            assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "not_known", "1")
            bearer = {"Authorization": f"Bearer {app.keys.admin_token}"}
            assert (await http.get("/api/flags", headers=bearer)).status_code == 200  # a rollback must go through
            assert (await http.get("/login")).status_code == 200
            csrf = secret.form_token(http.cookies["crossfade_form"])
            answer = await http.post("/login", data={"name": "ann", "password": "x", "csrf": csrf})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert "The disk is gone." in answer.text

    asyncio.run(steps())


def test_an_open_page_is_shown_while_the_database_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise StateError("the disk is gone")

    app = App(Settings(data=tmp_path / "data"), ManualClock(NOW), {})

    async def steps() -> int:
        monkeypatch.setattr(app.state.people, "session", broken)
        async with browser(app) as http:
            return (await http.get("/api/flags", headers={"Cookie": "crossfade_session=x"})).status_code

    try:
        assert asyncio.run(steps()) == 200
    finally:
        app.close()


@pytest.mark.parametrize(("host", "home"), [
    ("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
    ("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::/64"), ("", ""), ("unix", "unix"),
])
def test_whose_attempts_are_counted_together(host: str, home: str) -> None:
    assert _home(host) == home
