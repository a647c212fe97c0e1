"""One computation a second, however many listen: one for each variant of the page that any of them sees.

What is computed is computed anew at once when there is news, though never twice within half a second. Each result is
framed for the wire once, and the same bytes go to all. While a computation takes long, listeners get a
heartbeat, so that nothing on the way takes their connection for dead.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import suppress
from contextvars import Context

import structlog

from crossfade.sources.call import being_cancelled

log = structlog.get_logger(__name__)

Viewer = str | None
LEAST_S = 0.5
"""Seconds between two computations at the least, whatever comes in: what came is seen within a second by nearly all."""
HEARTBEAT_S = 10.0
"""Seconds of silence after which listeners are told that there is somebody."""
HEARTBEAT = b": still here\n\n"


def framed(number: int, document: bytes) -> bytes:
    """A document without line breaks as a server-sent event named ``live``."""
    return b"id: %d\nevent: live\ndata: %b\n\n" % (number, document)


def _bare(_: int, document: bytes) -> bytes:
    return document


def _all_the_same(_: Viewer) -> Hashable:
    return None


class Stream:
    """Runs a computation while anybody listens, and hands each result to all whom it is for."""

    def __init__(self, compute: Callable[[Viewer], Awaitable[bytes]], period: float = 1.0,
                 variant: Callable[[Viewer], Hashable] = _all_the_same, *,
                 frame: Callable[[int, bytes], bytes] = _bare, renew: Callable[[], None] = lambda: None,
                 heartbeat: float = HEARTBEAT_S) -> None:
        """``variant``: what a viewer sees just now, the same for those who see the same. It must be quick. ``frame``:
        what makes of a result, with its number, what is handed out. ``renew``: is called before a computation for news.
        """
        self._compute = compute
        self._period = period
        self._variant = variant
        self._frame = frame
        self._renew = renew
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._heartbeat = heartbeat
        self._changed = asyncio.Condition()
        self._latest: dict[Viewer, bytes] = {}
        self._number = 0
        self._beats = 0
        self._listeners: Counter[Viewer] = Counter()
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._closed = False

    async def listen(self, viewer: Viewer = None, after: int | None = None) -> AsyncGenerator[bytes, None]:
        """Every result from now on; a slow listener misses the ones between, never the last.

        ``after``: the number of the last one that the listener has; if that is not the last there is, that comes first.
        """
        self._listeners[viewer] += 1
        if not self._tasks:
            self._loop = asyncio.get_running_loop()
            # In no listener's context: what it logs is of no single request.
            self._tasks = tuple(asyncio.create_task(run(), name="stream", context=Context())
                                for run in (self._run, self._beat))
        # What was computed before may be long ago, unless others listen: then it is of this second.
        seen, beats = self._number, self._beats
        try:
            if after not in {None, seen} and (missed := self._latest.get(viewer)) is not None:
                yield missed
            while True:
                async with self._changed:
                    await self._changed.wait_for(
                        lambda: self._closed or (self._number, self._beats) != (seen, beats))  # noqa: B023 - at once
                    new, seen, beats = self._number > seen, self._number, self._beats
                    latest = self._latest.get(viewer) if new else HEARTBEAT
                if self._closed:
                    return
                if latest is not None:
                    yield latest
        finally:
            self._leave(viewer)

    def hurry(self) -> None:
        """There is news. Any thread may say so."""
        if self._tasks and not self._closed and self._loop is not None:
            self._loop.call_soon_threadsafe(self._news.set)

    async def close(self) -> None:
        """Ends every listener's stream: a server that stops must not wait for its viewers."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _leave(self, viewer: Viewer) -> None:
        self._listeners[viewer] -= 1
        if not self._listeners[viewer]:
            del self._listeners[viewer]
        if not self._listeners:
            for task in self._tasks:
                task.cancel()
            self._tasks = ()
            self._latest = {}

    async def _run(self) -> None:
        while True:
            if self._news.is_set():
                self._news.clear()
                self._renew()
            try:
                latest = await self._compute_all()
            except (Exception, asyncio.CancelledError):
                if being_cancelled():
                    raise
                log.exception("stream: a computation failed")
            else:
                async with self._changed:
                    self._latest, self._number = latest, self._number + 1
                    self._changed.notify_all()
            least = min(LEAST_S, self._period)
            await asyncio.sleep(least)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._period - least)

    async def _beat(self) -> None:
        """Makes itself heard when nothing was computed for a while."""
        while True:
            before = self._number
            await asyncio.sleep(self._heartbeat)
            if self._number == before:
                async with self._changed:
                    self._beats += 1
                    self._changed.notify_all()

    async def _compute_all(self) -> dict[Viewer, bytes]:
        """By viewer; each variant is computed once."""
        alike: dict[Hashable, list[Viewer]] = {}
        for viewer in tuple(self._listeners):
            alike.setdefault(self._variant(viewer), []).append(viewer)
        latest: dict[Viewer, bytes] = {}
        for viewers in alike.values():
            latest |= dict.fromkeys(viewers, self._frame(self._number + 1, await self._compute(viewers[0])))
        return latest
