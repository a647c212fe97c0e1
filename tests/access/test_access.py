"""Signing in, sessions and users upon a real control database, on a clock that the test moves."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from crossfade.access import OwnEvents, Passwords, Refused, Sessions, SignIn, TooMany, Users
from crossfade.access.signin import BY_ADDRESS, BY_NAME, SPAN, Caller
from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from crossfade.core.role import Role
from crossfade.core.user import NoUser, UserError
from crossfade.state import State, StateError

NOW = 1_790_000_000 * SECOND
HERE = Caller("192.0.2.1", "Firefox" * 100)
PASSWORD = "correct horse"


class QuickPasswords(Passwords):
    """Compares as text: what argon2 does is tested elsewhere."""

    async def hash(self, password: str) -> str:
        return f"hash of {password}"

    async def matches(self, kept: str | None, password: str) -> bool:
        await asyncio.sleep(0)
        return kept == f"hash of {password}"


class House:
    """All of it, with the events that it tracked."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock(NOW)
        self.state = State.open(path)
        self.tracked: list[dict[str, object]] = []
        self.full = False
        self.sessions = Sessions(self.state.people, self.clock)
        passwords = QuickPasswords()
        self.sign_in = SignIn(self.state.people, self.sessions, passwords, OwnEvents(self._take, self.clock),
                              self.clock)
        self.users = Users(self.state.people, self.sessions, passwords, self.clock)

    def _take(self, body: bytes) -> None:
        if self.full:
            raise OSError("no room")
        self.tracked.append(json.loads(body))

    async def fill(self) -> "House":
        await self.users.add("ann", Role.OPERATOR, PASSWORD, who="me")
        await self.users.add("bob", Role.VIEWER, None, who="me")
        return self

    @property
    def events(self) -> list[tuple[object, object, object]]:
        return [(one["event"], one["userId"], one["properties"]["method"]) for one in self.tracked]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = asyncio.run(House(tmp_path / "state.db").fill())
    yield made
    made.state.close()


def test_a_password_gives_a_session_and_two_events(house: House) -> None:
    async def steps() -> None:
        token = await house.sign_in.by_password(" Ann ", PASSWORD, HERE)
        found = await house.sessions.find(token)
        assert found is not None
        assert (found.user, found.role) == ("ann", Role.OPERATOR)
        assert await house.sessions.find(token + "x") is None
        assert await house.sessions.find("x" * 1_000_000) is None
        await house.sessions.end(token)
        assert await house.sessions.find(token) is None

    asyncio.run(steps())
    assert house.events == [("auth_attempt", None, "password"), ("auth_success", "ann", "password")]
    assert len({one["messageId"] for one in house.tracked}) == 2


@pytest.mark.parametrize(("name", "password"), [
    ("ann", "wrong"), ("ann", ""), ("zed", PASSWORD), ("bob", ""), ("bob", PASSWORD), ("", ""), ("no name", PASSWORD),
    ("x" * 10_000, PASSWORD), ("\0\ud800", PASSWORD), ("eve", PASSWORD),
])
def test_whatever_is_wrong_the_answer_is_the_same(house: House, name: str, password: str) -> None:
    async def steps() -> str:
        await house.users.add("eve", Role.ADMIN, PASSWORD, who="me")
        await house.users.change("eve", disabled=True, who="me")
        with pytest.raises(Refused) as found:
            await house.sign_in.by_password(name, password, HERE)
        return str(found.value)

    assert asyncio.run(steps()) == "the name or the password is not right"
    assert house.events == [("auth_attempt", None, "password")]


def test_after_some_failures_the_name_waits_and_no_other(house: House) -> None:
    async def steps() -> None:
        for number in range(BY_NAME):
            with pytest.raises(Refused):
                await house.sign_in.by_password("ann", "wrong", Caller(f"192.0.2.{number}", ""))
        with pytest.raises(TooMany) as found:
            await house.sign_in.by_password("ann", PASSWORD, HERE)
        assert found.value.seconds == SPAN // SECOND
        await house.users.change("bob", password=PASSWORD, who="me")
        await house.sign_in.by_password("bob", PASSWORD, HERE)
        link, _ = house.users.link("ann", who="me")
        await house.sign_in.by_link(link, HERE)
        house.clock.advance(SPAN)
        await house.sign_in.by_password("ann", PASSWORD, HERE)
        with pytest.raises(Refused):  # the success began the count anew
            await house.sign_in.by_password("ann", "wrong", HERE)
        await house.sign_in.by_password("ann", PASSWORD, HERE)

    asyncio.run(steps())
    assert [event for event, *_ in house.events].count("auth_attempt") == BY_NAME + 5


def test_after_some_failures_the_address_waits_and_no_other(house: House) -> None:
    async def steps() -> None:
        for number in range(BY_ADDRESS):
            guess = house.sign_in.by_link(f"guess {number}", HERE) if number % 2 else house.sign_in.by_password(
                f"guess{number}", PASSWORD, HERE)
            with pytest.raises(Refused):
                await guess
        for attempt in (house.sign_in.by_password("ann", PASSWORD, HERE), house.sign_in.by_link("x", HERE)):
            with pytest.raises(TooMany):
                await attempt
        await house.sign_in.by_password("ann", PASSWORD, Caller("192.0.2.2", ""))

    asyncio.run(steps())


@pytest.mark.parametrize("way", ["password", "link"])
def test_a_success_takes_back_no_other_failure_of_the_address(house: House, way: str) -> None:
    async def steps() -> int:
        for tried in range(BY_ADDRESS + 1):
            if way == "password":
                await house.sign_in.by_password("ann", PASSWORD, HERE)
            else:
                await house.sign_in.by_link(house.users.link("ann", who="me")[0], HERE)
            try:
                await house.sign_in.by_password(f"guess{tried}", PASSWORD, HERE)
            except Refused:
                continue
        raise AssertionError

    with pytest.raises(TooMany):
        asyncio.run(steps())


def test_many_at_once_are_no_way_around(house: House) -> None:
    async def steps() -> None:
        found = await asyncio.gather(
            *(house.sign_in.by_password("ann", f"guess {number}", HERE) for number in range(40)),
            return_exceptions=True)
        assert [type(one) for one in found].count(Refused) == BY_NAME
        assert [type(one) for one in found].count(TooMany) == 40 - BY_NAME

    asyncio.run(steps())


def test_a_link_signs_in_once(house: House) -> None:
    async def steps() -> None:
        link, expires_at = house.users.link("bob", who="me")
        assert expires_at == NOW + 15 * MINUTE
        token = await house.sign_in.by_link(link, HERE)
        assert (await house.sessions.find(token)).user == "bob"
        for other in (link, "", "x", "\ud800", "x" * 100_000):
            with pytest.raises(Refused, match="was used, or has expired"):
                await house.sign_in.by_link(other, HERE)
        late, _ = house.users.link("bob", who="me")
        house.clock.advance(15 * MINUTE)
        with pytest.raises(Refused):
            await house.sign_in.by_link(late, HERE)

    asyncio.run(steps())
    assert house.events[:2] == [("auth_attempt", None, "link"), ("auth_success", "bob", "link")]
    assert len(house.events) == 8


def test_nobody_is_kept_out_because_the_journal_is_full(house: House) -> None:
    house.full = True
    assert asyncio.run(house.sign_in.by_password("ann", PASSWORD, HERE))


def test_a_session_lives_by_its_use_and_not_for_ever(house: House) -> None:
    async def steps() -> None:
        used, idle = [await house.sign_in.by_password("ann", PASSWORD, HERE) for _ in range(2)]
        for _ in range(15):
            house.clock.advance(11 * HOUR)
            assert await house.sessions.find(used) is not None
        assert await house.sessions.find(idle) is None
        house.clock.advance(7 * DAY - 15 * 11 * HOUR - 1)
        assert await house.sessions.find(used) is not None
        house.clock.advance(1)
        assert await house.sessions.find(used) is None

    asyncio.run(steps())


@pytest.mark.parametrize("act", ["disable", "password", "remove", "sign out", "own password"])
def test_what_takes_a_session_away_takes_it_at_once(house: House, act: str) -> None:
    async def steps() -> None:
        token = await house.sign_in.by_password("ann", PASSWORD, HERE)
        other = await house.sign_in.by_link(house.users.link("bob", who="me")[0], HERE)
        assert await house.sessions.find(token) is not None
        match act:
            case "disable":
                await house.users.change("Ann", disabled=True, who="me")
            case "password":
                await house.users.change("ann", password="another password", who="me")
            case "remove":
                await house.users.remove("ann", who="me")
            case "sign out":
                assert await house.users.sign_out("ann", who="me") == 1
            case _:
                here = await house.sign_in.change_password("ann", PASSWORD, "another password", HERE)
                assert await house.sessions.find(here) is not None
        assert await house.sessions.find(token) is None
        assert await house.sessions.find(other) is not None

    asyncio.run(steps())


def test_another_role_holds_at_once(house: House) -> None:
    async def steps() -> None:
        token = await house.sign_in.by_password("ann", PASSWORD, HERE)
        assert (await house.sessions.find(token)).role is Role.OPERATOR
        await house.users.change("ann", role=Role.VIEWER, who="me")
        assert (await house.sessions.find(token)).role is Role.VIEWER

    asyncio.run(steps())


def test_what_was_read_before_a_change_is_not_believed_after_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        token = await house.sign_in.by_password("ann", PASSWORD, HERE)
        look = house.state.people.session

        def slow(key: str):
            found = look(key)
            house.state.people.sign_out("ann", who="me", at=NOW)
            house.sessions.forget()
            return found

        with monkeypatch.context() as patched:
            patched.setattr(house.state.people, "session", slow)
            assert await house.sessions.find(token) is not None
        assert await house.sessions.find(token) is None

    asyncio.run(steps())


def test_what_another_process_changed_is_seen_after_seconds(house: House) -> None:
    async def steps() -> None:
        token = await house.sign_in.by_password("ann", PASSWORD, HERE)
        assert await house.sessions.find(token) is not None
        house.state.people.sign_out("ann", who="another process", at=NOW)
        house.clock.advance(10 * SECOND)
        assert await house.sessions.find(token) is None

    asyncio.run(steps())


def test_the_database_is_asked_now_and_then(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    look = house.state.people.session

    def counting(key: str):
        nonlocal asked
        asked += 1
        return look(key)

    async def steps() -> None:
        token = await house.sign_in.by_password("ann", PASSWORD, HERE)
        monkeypatch.setattr(house.state.people, "session", counting)
        for _ in range(1_000):
            assert await house.sessions.find(token) is not None

    asyncio.run(steps())
    assert asked == 1


def test_a_session_goes_on_when_its_use_cannot_be_noted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StateError("the disk is full")

    async def steps() -> None:
        token = await house.sign_in.by_password("ann", PASSWORD, HERE)
        monkeypatch.setattr(house.state.people, "touch_session", broken)
        house.clock.advance(HOUR)
        with capture_logs() as logs:
            assert await house.sessions.find(token) is not None
        assert [one["event"] for one in logs] == ["the use of a session could not be noted"]

    asyncio.run(steps())


def test_one_s_own_password_needs_the_one_before(house: House) -> None:
    async def steps() -> None:
        with pytest.raises(Refused):
            await house.sign_in.change_password("ann", "wrong", "another password", HERE)
        with pytest.raises(UserError, match="10 to 1,000"):
            await house.sign_in.change_password("ann", PASSWORD, "short", HERE)
        await house.sign_in.by_password("ann", PASSWORD, HERE)
        await house.sign_in.change_password("bob", "", "bob's first one", HERE)  # he had none
        await house.sign_in.by_password("bob", "bob's first one", HERE)
        for _ in range(BY_NAME):
            with pytest.raises(Refused):
                await house.sign_in.change_password("ann", "wrong", "another password", HERE)
        with pytest.raises(TooMany):
            await house.sign_in.change_password("ann", PASSWORD, "another password", HERE)

    asyncio.run(steps())


def test_nothing_secret_is_in_the_log_or_the_events(house: House) -> None:
    async def steps() -> list[str]:
        link, _ = house.users.link("bob", who="me")
        tokens = [await house.sign_in.by_password("ann", PASSWORD, HERE), await house.sign_in.by_link(link, HERE)]
        with pytest.raises(Refused):
            await house.sign_in.by_password("my-secret-by-mistake", "hunter22", HERE)
        return [link, *tokens, PASSWORD, "my-secret-by-mistake", "hunter22"]

    with capture_logs() as logs:
        secrets = asyncio.run(steps())
    assert [one["event"] for one in logs] == ["signed in", "signed in", "a sign-in was refused"]
    for secret in secrets:
        assert secret not in repr(logs) + repr(house.tracked) + repr(house.state.audit())


def test_users_that_cannot_be(house: House) -> None:
    async def steps() -> None:
        with pytest.raises(UserError, match="cannot be a user's name"):
            await house.users.add("No Way", Role.VIEWER, None, who="me")
        with pytest.raises(UserError, match="10 to 1,000"):
            await house.users.add("eve", Role.VIEWER, "short", who="me")
        with pytest.raises(NoUser):
            await house.users.change("zed", role=Role.ADMIN, who="me")
        assert [user.name for user in await house.users.all()] == ["ann", "bob"]

    asyncio.run(steps())
