"""Rollback by itself: one transaction, everybody told, and nothing else that it needs."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from crossfade.core.clock import SECOND, ManualClock
from crossfade.core.flag import ALL, FlagValue, default
from crossfade.core.flagevent import decode
from crossfade.followers import Followers
from crossfade.rollback import RolledBack, rollback
from crossfade.state import State, StateError

NOW = 1_790_000_000 * SECOND
REAL = [name for name in ALL if name.startswith("use_real_")]
ON: dict[str, FlagValue] = {name: default(name) for name in ALL} | dict.fromkeys(REAL, True) | {
    "fallback_on_error": False}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(State.open(tmp_path / "state.sqlite")) as opened:
        opened.seed_flags(ON, at=0)
        yield opened


async def undo(state: State, followers: Followers, *flags: str, timeout: float = 20) -> RolledBack:  # noqa: ASYNC109
    ticks = count()
    return await rollback(state, followers, ManualClock(NOW), flags or REAL, who="ann", reason="3 a.m.",
                          timeout=timeout, timer=lambda: next(ticks))


def following(state: State) -> Followers:
    return Followers(state.refresh, state.flags(), ManualClock(NOW), timer=lambda: 0.0)


def test_all_is_off_in_one_transaction_and_everybody_knows(state: State) -> None:
    async def run() -> None:
        followers = following(state)
        with followers.joined("web", "a") as web:
            await followers.next(web)
            under_way = asyncio.create_task(undo(state, followers))
            revision, event = await followers.next(web)
            told = decode(event)
            assert told == state.flags() == state.refresh()
            assert not any(told[name] for name in REAL)
            assert told.fallback_on_error
            assert not under_way.done()
            followers.acknowledge("a", revision)
            done = await under_way
        assert (done.at, done.revision, done.acknowledged, done.unanswered) == (NOW, revision, 2, ())
        assert {change.flag for change in done.changed} == {*REAL, "fallback_on_error"}
        assert (done.transaction_ms, done.milliseconds) == (1_000, 1_000)
        rows = state.audit(limit=5)
        assert {(row.at, row.who, row.reason) for row in rows} == {(NOW, "ann", "3 a.m.")}
        assert rows[0].id == revision

    asyncio.run(run())


def test_a_second_one_changes_nothing_and_makes_sure_all_the_same(state: State) -> None:
    async def run() -> None:
        followers = following(state)
        first = await undo(state, followers)
        with followers.joined("web", "a"):
            second = await undo(state, followers, timeout=0)
        assert (second.changed, second.revision, second.unanswered) == ((), first.revision, ("web",))
        assert second.acknowledged == 1

    asyncio.run(run())


def test_what_cannot_be_stored_is_told_to_nobody(state: State, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full'); END")

    async def run() -> None:
        followers = following(state)
        before = state.flags()
        with followers.joined("web", "a") as web:
            await followers.next(web)
            with pytest.raises(StateError, match="disk full"):
                await undo(state, followers)
            assert not web.changed.is_set()
        assert state.flags() == before

    asyncio.run(run())


def test_threads_that_hang_elsewhere_hold_it_up_not(state: State) -> None:
    gate = threading.Event()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        hanging = [loop.run_in_executor(None, gate.wait) for _ in range(3)]
        try:
            done = await asyncio.wait_for(undo(state, following(state)), 20)
        finally:
            gate.set()
            await asyncio.gather(*hanging)
        assert len(done.changed) == len(REAL) + 1

    asyncio.run(run())
