"""The bare route of the live dashboard gives what the route of the same name gives."""

import asyncio
import itertools
from pathlib import Path

import httpx
import pytest

from crossfade.core.asgi import Message, Receive, Send
from crossfade.web import polls
from crossfade.web.polls import PATH
from crossfade.web.server import HEADERS, Server

from .test_guards import PEOPLE, House

QUERIES = ("", "?section=all", "?section=business", "?section=alerts", "?section=history&viewer=ann", "?viewer=bob",
           "?section=", "?section=none", "?section=system&section=business", "?section=%6eone%00", "?format=prometheus",
           "?format=xml", "?days=3", "?section=all&&viewer", "?%FF=1")
HOSTS = ("localhost", "evil.example")


class Passed:
    """Litestar, and how often it was asked."""

    def __init__(self, inner: object) -> None:
        self.inner, self.count = inner, 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.count += 1
        await self.inner(scope, receive, send)


async def answer(app: object, query: str, headers: dict[str, str], method: str = "GET") -> tuple[int, object, bytes]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", cookies={}) as http:
        found = await http.request(method, PATH + query, headers=headers)
    return found.status_code, sorted(found.headers.multi_items()), found.content


@pytest.mark.parametrize("settings", [{}, {"require_sign_in": True}, {"host": "0.0.0.0"}],  # noqa: S104
                         ids=["open", "signed in", "off loopback"])
def test_it_gives_what_the_route_of_the_same_name_gives(tmp_path: Path, settings: dict[str, object]) -> None:
    house = House(tmp_path / "data", **settings)
    bare = house.server._polls

    async def steps() -> None:
        await house.server.close()
        for who, host, query in itertools.product(PEOPLE, HOSTS, QUERIES):
            headers = {**house.headers(who)[0], "Host": host}
            assert await answer(bare, query, headers) == await answer(house.server._rest, query, headers), (
                who, host, query)
        for method in ("HEAD", "POST", "OPTIONS"):
            assert await answer(bare, "", {}, method) == await answer(house.server._rest, "", {}, method)

    try:
        asyncio.run(steps())
    finally:
        house.app.close()


def test_good_answers_are_its_own_and_the_others_are_the_routes(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    passed = Passed(house.server._rest)
    bare = polls.Polls(house.server._rest, HEADERS)
    bare._others = passed

    async def steps() -> list[int]:
        await house.server.close()
        counts = []
        for query in ("", "?section=business&viewer=ann", "?section=none", "?format=prometheus"):
            await answer(bare, query, {})
            counts.append(passed.count)
        return counts

    try:
        assert asyncio.run(steps()) == [0, 0, 1, 2]
    finally:
        house.app.close()


def test_the_server_sends_those_who_ask_there(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    try:
        assert isinstance(house.server, Server)
        assert house.server._part(PATH) is house.server._polls
        assert house.server._part(PATH + "/") is not house.server._polls
    finally:
        house.app.close()
