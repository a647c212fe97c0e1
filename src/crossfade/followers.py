"""The processes that follow the flags: who is connected, and who is known to have which revision of them.

A process takes part from its first connection until it says goodbye. One whose connection ends without a goodbye is
lost: it may be dead, or go on by old flags, so it stays named for a while. Everything here runs on the event loop.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog
from msgspec import Struct

from crossfade.core.clock import MINUTE, Clock
from crossfade.core.flag import Flags
from crossfade.core.flagevent import HEARTBEAT_S, encode
from crossfade.state.errors import StateError

log = structlog.get_logger(__name__)

MOST = 10_000
"""Processes that may follow at a time."""
REMEMBERED = 10 * MINUTE
"""Microseconds for which a lost process stays named."""
LOOK_EVERY_S = 1.0
"""Seconds between two looks for changes that were made elsewhere."""
MAX_NAME = 120


class TooManyFollowers(Exception):  # noqa: N818  it says what is wrong
    """There is no room for another process."""


class UnknownFollower(Exception):  # noqa: N818
    """No process with this id follows, or it cannot have what it says that it has."""


class Acknowledged(Struct, frozen=True):
    """Who has a revision of the flags."""

    milliseconds: float
    """From the beginning of the wait to the last acknowledgement; 0 when all had it already."""
    count: int
    """Connected processes that have it, this one among them."""
    unanswered: tuple[str, ...]
    """Names of those that are not known to have it."""


class FollowerRow(Struct, frozen=True, rename="camel"):
    """A process that follows, as it is told. Moments are microseconds since the epoch."""

    name: str
    connected_at: int
    revision: int | None
    """What it acknowledged last; null before that."""
    lost_at: int | None


class Follower:
    """One process's connection."""

    def __init__(self, key: str, name: str, at: int, *, answers: bool) -> None:
        self.key = key
        self.name = name
        self.connected_at = at
        self.lost_at: int | None = None
        self.answers = answers
        """Whether it acknowledges; who only looks on is waited for by nobody."""
        self.sent = -1
        self.revision = -1
        self.ended = False
        self.changed = asyncio.Event()

    def end(self) -> None:
        """Nothing more is sent."""
        self.ended = True
        self.changed.set()


class _Waiting:
    """Somebody waits until these have a revision."""

    def __init__(self, revision: int, pending: set[str]) -> None:
        self.revision = revision
        self.pending = pending
        self.done = asyncio.Event()
        self.last: float | None = None

    def drop(self, key: str) -> None:
        self.pending.discard(key)
        if not self.pending:
            self.done.set()


class Followers:
    """All processes that follow."""

    def __init__(self, refresh: Callable[[], Flags], flags: Flags, clock: Clock, *, most: int = MOST,
                 remembered: int = REMEMBERED, heartbeat_s: float = HEARTBEAT_S,
                 timer: Callable[[], float] = time.perf_counter) -> None:
        """``refresh`` reads the flags anew, in a thread, and may raise StateError. ``remembered``: microseconds for
        which a lost process stays named. ``timer``: of seconds, for what a wait took.
        """
        self._refresh = refresh
        self._flags = flags
        self._event = encode(flags)
        self._clock = clock
        self._most = most
        self._remembered = remembered
        self._heartbeat_s = heartbeat_s
        self._timer = timer
        self._connected: dict[str, Follower] = {}
        self._lost: dict[str, Follower] = {}
        """In the order in which they were lost."""
        self._waiting: set[_Waiting] = set()
        self._closed = False

    async def run(self) -> None:
        """Looks for changes that were made elsewhere, until it is cancelled."""
        trouble = False
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                self.publish(await asyncio.to_thread(self._refresh))
                trouble = False
            except StateError as error:
                if not trouble:
                    log.warning("followers: the flags cannot be read again", error=str(error))
                trouble = True

    def publish(self, flags: Flags) -> None:
        """Pushes the flags to everybody, unless these or newer ones were pushed already."""
        if flags.revision <= self._flags.revision:
            return
        self._flags, self._event = flags, encode(flags)
        for follower in self._connected.values():
            follower.changed.set()

    @contextmanager
    def joined(self, name: str, key: str | None = None) -> Iterator[Follower]:
        """A process is connected within; it is lost after, unless it has left. Raises TooManyFollowers.

        ``key``: its secret for acknowledging, kept through its connections; without one it only looks on.
        """
        follower = self._join(name, key)
        try:
            yield follower
        finally:
            self._lose(follower)

    async def next(self, follower: Follower) -> tuple[int, bytes] | None:
        """The latest flags with their revision, once they are newer than what was sent; None when nothing is to be
        sent but a sign of life, or the connection has ended.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._heartbeat_s):
                while follower.sent >= self._flags.revision and not follower.ended:
                    follower.changed.clear()
                    await follower.changed.wait()
        if follower.sent >= self._flags.revision:
            return None
        follower.sent = self._flags.revision
        return follower.sent, self._event

    def acknowledge(self, key: str, revision: int) -> None:
        """A process has a revision. Raises UnknownFollower."""
        follower = self._connected.get(key)
        if follower is None or not follower.answers:
            raise UnknownFollower("no process with this id follows the flags")
        if revision > self._flags.revision:
            raise UnknownFollower(f"nobody can have revision {revision}: there is none")
        follower.revision = max(follower.revision, revision)
        for waiting in self._waiting:
            if key in waiting.pending and follower.revision >= waiting.revision:
                waiting.last = self._timer()
                waiting.drop(key)

    def leave(self, key: str) -> None:
        """A process says goodbye: nobody waits for it any more. One that is not known has left already."""
        self._lost.pop(key, None)
        follower = self._connected.pop(key, None)
        if follower is not None:
            follower.end()
            self._drop(key)

    def behind(self, revision: int) -> tuple[str, ...]:
        """The names of the processes that are not known to have the revision, those that were lost included."""
        self._forget(self._clock.now())
        connected = (one.name for one in self._connected.values() if one.answers and one.revision < revision)
        lost = (f"{one.name} (lost)" for one in self._lost.values() if one.revision < revision)
        server = () if self._flags.revision >= revision else ("this server",)
        return (*server, *sorted(connected), *sorted(lost))

    async def wait(self, revision: int, timeout: float) -> Acknowledged:  # noqa: ASYNC109  it is an answer, not an error
        """Waits until every connected process has the revision, or for so many seconds."""
        began = self._timer()
        waiting = _Waiting(revision, {key for key, one in self._connected.items()
                                      if one.answers and one.revision < revision})
        if waiting.pending and timeout > 0:
            self._waiting.add(waiting)
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(timeout):
                        await waiting.done.wait()
            finally:
                self._waiting.discard(waiting)
        took = 0.0 if waiting.last is None else (waiting.last - began) * 1_000
        return Acknowledged(took, self._count(revision), self.behind(revision))

    def rows(self) -> tuple[FollowerRow, ...]:
        """All of them by name, the lost ones included; who only looks on is not among them."""
        self._forget(self._clock.now())
        return tuple(
            FollowerRow(one.name, one.connected_at, one.revision if one.revision >= 0 else None, one.lost_at)
            for one in sorted((*self._connected.values(), *self._lost.values()), key=lambda one: one.name)
            if one.answers
        )

    def close(self) -> None:
        """Ends every connection, and those that come after: a server that stops must not wait for them."""
        self._closed = True
        for follower in self._connected.values():
            follower.end()

    def _count(self, revision: int) -> int:
        return (self._flags.revision >= revision) + sum(
            one.answers and one.revision >= revision for one in self._connected.values())

    def _join(self, name: str, key: str | None) -> Follower:
        now = self._clock.now()
        self._forget(now)
        follower = Follower(key or secrets.token_hex(16), sanitised(name), now, answers=bool(key))
        before = self._connected.pop(follower.key, None) or self._lost.pop(follower.key, None)
        if before is not None:
            follower.revision = before.revision
            before.end()
        if len(self._connected) + len(self._lost) >= self._most:
            if not self._lost:
                raise TooManyFollowers(f"{self._most:,} processes follow the flags already")
            del self._lost[next(iter(self._lost))]  # whoever is there goes before who was
        self._connected[follower.key] = follower
        if self._closed:
            follower.end()
        if follower.answers:
            for waiting in self._waiting:
                if follower.revision < waiting.revision:
                    waiting.pending.add(follower.key)
        return follower

    def _lose(self, follower: Follower) -> None:
        if self._connected.get(follower.key) is not follower:
            return  # it has left, or is connected anew
        del self._connected[follower.key]
        if follower.answers:
            follower.lost_at = self._clock.now()
            self._lost[follower.key] = follower
        self._drop(follower.key)

    def _drop(self, key: str) -> None:
        for waiting in self._waiting:
            waiting.drop(key)

    def _forget(self, now: int) -> None:
        """Those that were lost long ago."""
        while self._lost:
            key, first = next(iter(self._lost.items()))
            if first.lost_at is None or now - first.lost_at <= self._remembered:
                return
            del self._lost[key]


def sanitised(name: str) -> str:
    """The name as it may be shown: printable, and not too long."""
    shown = "".join(char if char.isprintable() else " " for char in name)
    return " ".join(shown.split())[:MAX_NAME] or "somebody"
