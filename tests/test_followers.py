"""Who follows the flags, and who is known to have which revision of them."""

import asyncio
from contextlib import ExitStack
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crossfade import followers as module
from crossfade.core.clock import MINUTE, SECOND, ManualClock
from crossfade.core.flag import Flags
from crossfade.core.flagevent import decode
from crossfade.followers import MAX_NAME, Follower, Followers, TooManyFollowers, UnknownFollower, sanitised
from crossfade.state import StateError

NOW = 1_790_000_000 * SECOND


def flags(revision: int) -> Flags:
    return Flags({"use_real_orders": revision % 2 == 0}, revision)


class House:
    """Followers on a clock of the test's; time between two looks at the timer is a second."""

    def __init__(self, **options: float) -> None:
        self.clock = ManualClock(NOW)
        self.stored = flags(1)
        ticks = count()
        self.followers = Followers(self.read, self.stored, self.clock, timer=lambda: next(ticks), **options)
        self.open = ExitStack()

    def read(self) -> Flags:
        return self.stored

    def join(self, name: str, key: str | None = None) -> Follower:
        return self.open.enter_context(self.followers.joined(name, key))

    async def told(self, follower: Follower) -> Flags | None:
        found = await self.followers.next(follower)
        return None if found is None else decode(found[1])


def test_a_process_is_told_at_once_and_then_of_the_latest_alone() -> None:
    async def run() -> None:
        house = House()
        follower = house.join("web", "a")
        assert await house.told(follower) == flags(1)
        waiting = asyncio.create_task(house.told(follower))
        await asyncio.sleep(0)
        assert not waiting.done()
        house.followers.publish(flags(2))
        assert await waiting == flags(2)
        for revision in (3, 5, 4):
            house.followers.publish(flags(revision))
        assert await house.told(follower) == flags(5), "what is older than the last is no news"

    asyncio.run(run())


def test_an_idle_stream_lives() -> None:
    async def run() -> None:
        house = House(heartbeat_s=0.001)
        follower = house.join("web", "a")
        await house.told(follower)
        assert [await house.told(follower), await house.told(follower)] == [None, None]

    asyncio.run(run())


def test_a_rollback_waits_for_the_last_one() -> None:
    async def run() -> None:
        house = House()
        for key in "abc":
            house.join(f"web {key}", key)
        house.followers.publish(flags(2))
        waiting = asyncio.create_task(house.followers.wait(2, 60))
        for key in "abc":
            await asyncio.sleep(0)
            assert not waiting.done()
            house.followers.acknowledge(key, 2)
        heard = await waiting
        assert (heard.milliseconds, heard.count, heard.unanswered) == (3_000, 4, ())
        assert (await house.followers.wait(2, 60)).milliseconds == 0, "all have it already"

    asyncio.run(run())


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_who_does_not_answer_is_named(timeout: float) -> None:
    async def run() -> None:
        house = House()
        for name in ("web", "silent", "late"):
            house.join(name, name)
        house.followers.acknowledge("late", 1)
        house.followers.publish(flags(2))
        house.followers.acknowledge("web", 2)
        heard = await house.followers.wait(2, timeout)
        assert (heard.count, heard.unanswered) == (2, ("late", "silent"))
        assert house.followers.behind(1) == ("silent",)
        assert house.followers.behind(3) == ("this server", "late", "silent", "web")

    asyncio.run(run())


def test_one_that_ends_without_a_goodbye_stays_named_for_ten_minutes() -> None:
    house = House()
    house.join("gone", "a")
    house.followers.acknowledge("a", 1)
    house.open.close()
    assert house.followers.behind(1) == (), "that much is known to have arrived"
    assert house.followers.behind(2) == ("this server", "gone (lost)")
    row, = house.followers.rows()
    assert (row.name, row.revision, row.lost_at) == ("gone", 1, NOW)
    house.clock.advance(10 * MINUTE)
    assert house.followers.rows() == (row,)
    house.clock.advance(1)
    assert house.followers.rows() == ()
    assert house.followers.behind(2) == ("this server",)


def test_who_comes_back_is_lost_no_more_and_an_old_connections_end_means_nothing() -> None:
    house = House()
    with house.followers.joined("web", "a") as old:
        house.followers.acknowledge("a", 1)
        house.join("web", "a")
        assert old.ended
    row, = house.followers.rows()
    assert (row.lost_at, row.revision) == (None, 1)
    house.open.close()
    assert house.followers.rows()[0].lost_at == NOW
    house.join("web", "a")
    assert [one.lost_at for one in house.followers.rows()] == [None]


def test_a_goodbye_is_the_end_of_it_and_of_the_wait() -> None:
    async def run() -> None:
        house = House()
        follower = house.join("web", "a")
        house.followers.publish(flags(2))
        waiting = asyncio.create_task(house.followers.wait(2, 60))
        await asyncio.sleep(0)
        house.followers.leave("a")
        assert follower.ended
        assert (await waiting).unanswered == ()
        house.open.close()
        house.followers.leave("a")
        assert house.followers.rows() == ()

    asyncio.run(run())


def test_one_that_is_lost_meanwhile_is_named_at_once() -> None:
    async def run() -> None:
        house = House()
        house.join("gone", "a")
        house.followers.publish(flags(2))
        waiting = asyncio.create_task(house.followers.wait(2, 60))
        await asyncio.sleep(0)
        house.open.close()
        assert (await waiting).unanswered == ("gone (lost)",)

    asyncio.run(run())


def test_one_that_comes_meanwhile_is_waited_for() -> None:
    async def run() -> None:
        house = House()
        house.join("web", "a")
        house.followers.publish(flags(2))
        waiting = asyncio.create_task(house.followers.wait(2, 60))
        await asyncio.sleep(0)
        house.join("new", "b")
        house.followers.acknowledge("a", 2)
        await asyncio.sleep(0)
        assert not waiting.done()
        house.followers.acknowledge("b", 2)
        assert (await waiting).count == 3

    asyncio.run(run())


def test_who_only_looks_on_is_waited_for_by_nobody() -> None:
    async def run() -> None:
        house = House()
        house.join("curl")
        assert (await house.followers.wait(1, 60)).count == 1
        assert house.followers.rows() == ()
        house.open.close()
        assert house.followers.behind(1) == ()

    asyncio.run(run())


def test_there_is_room_for_so_many_and_for_who_is_there_before_who_was() -> None:
    house = House(most=2)
    with house.followers.joined("gone", "a"):
        pass
    house.join("web", "b")
    house.join("web", "c")
    assert [row.lost_at for row in house.followers.rows()] == [None, None]
    with pytest.raises(TooManyFollowers):
        house.join("web", "d")
    with pytest.raises(TooManyFollowers):
        house.join("curl")
    house.join("web", "c")


@pytest.mark.parametrize(("key", "revision"), [("b", 1), ("a", 2), ("curl", 1)])
def test_nobody_acknowledges_for_another_or_what_there_is_not(key: str, revision: int) -> None:
    house = House()
    house.join("web", "a")
    onlooker = house.join("curl")
    with pytest.raises(UnknownFollower):
        house.followers.acknowledge(onlooker.key if key == "curl" else key, revision)
    assert house.followers.behind(1) == ("web",)


def test_a_late_acknowledgement_takes_nothing_back() -> None:
    house = House()
    house.join("web", "a")
    house.followers.publish(flags(3))
    house.followers.acknowledge("a", 3)
    house.followers.acknowledge("a", 1)
    assert house.followers.behind(3) == ()


def test_a_server_that_stops_ends_all_streams() -> None:
    async def run() -> None:
        house = House()
        follower = house.join("web", "a")
        await house.told(follower)
        waiting = asyncio.create_task(house.told(follower))
        await asyncio.sleep(0)
        house.followers.close()
        assert await waiting is None
        assert follower.ended

    asyncio.run(run())


def test_changes_made_elsewhere_are_found_and_a_failing_database_is_outlived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0)
    answers = iter((StateError("locked"), StateError("locked"), flags(7)))

    def read() -> Flags:
        found = next(answers, flags(7))
        if isinstance(found, StateError):
            raise found
        return found

    async def run() -> None:
        followers = Followers(read, flags(1), ManualClock(NOW))
        looking = asyncio.create_task(followers.run())
        with followers.joined("web", "a") as follower:
            assert (await followers.next(follower))[0] == 1
            assert (await asyncio.wait_for(followers.next(follower), 10))[0] == 7
        looking.cancel()

    asyncio.run(run())


@given(st.text())
def test_any_name_can_be_shown(name: str) -> None:
    shown = sanitised(name)
    assert shown.isprintable()
    assert 0 < len(shown) <= MAX_NAME


class Registry(RuleBasedStateMachine):
    """Processes come, answer, go and are lost in any order; a plain account of it is kept beside."""

    keys = st.sampled_from("abcd")

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.followers = self.house.followers
        self.revision = 1
        self.streams: dict[str, ExitStack] = {}
        self.has: dict[str, int] = {}
        self.lost: dict[str, int] = {}

    @rule(key=keys)
    def join(self, key: str) -> None:
        before = self.streams.pop(key, None)
        self.streams[key] = ExitStack()
        self.streams[key].enter_context(self.followers.joined(key, key))
        if before is not None:
            before.close()
        self.lost.pop(key, None)
        self.has.setdefault(key, -1)

    @precondition(lambda self: self.streams)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.streams)))
        self.streams.pop(key).close()
        self.lost[key] = self.house.clock.now()

    @rule(key=keys)
    def leave(self, key: str) -> None:
        self.followers.leave(key)
        if key in self.streams:
            self.streams.pop(key).close()
        self.lost.pop(key, None)
        self.has.pop(key, None)

    @precondition(lambda self: self.streams)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.streams)))
        revision = data.draw(st.integers(0, self.revision))
        self.followers.acknowledge(key, revision)
        self.has[key] = max(self.has[key], revision)

    @rule()
    def change(self) -> None:
        self.revision += 1
        self.followers.publish(flags(self.revision))

    @rule(minutes=st.integers(1, 12))
    def time_passes(self, minutes: int) -> None:
        self.house.clock.advance(minutes * MINUTE)
        now = self.house.clock.now()
        for key in [key for key, at in self.lost.items() if now - at > 10 * MINUTE]:
            del self.lost[key], self.has[key]

    @invariant()
    def nobody_is_missed(self) -> None:
        for revision in (1, self.revision):
            late = {key for key, has in self.has.items() if has < revision}
            assert set(self.followers.behind(revision)) == {
                f"{key} (lost)" if key in self.lost else key for key in late}
        assert {row.name for row in self.followers.rows()} == self.has.keys()


TestRegistry = Registry.TestCase
