"""One computation a second, however many listen: one for each variant of the page that any of them sees."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextvars import Context

import structlog

from crossfade.sources.call import being_cancelled

log = structlog.get_logger(__name__)

Viewer = str | None


def _all_the_same(_: Viewer) -> Hashable:
    return None


class Stream:
    """Runs a computation while anybody listens, and hands each result to all whom it is for."""

    def __init__(self, compute: Callable[[Viewer], Awaitable[bytes]], period: float = 1.0,
                 variant: Callable[[Viewer], Hashable] = _all_the_same) -> None:
        """``variant``: what a viewer sees just now, the same for those who see the same. It must be quick."""
        self._compute = compute
        self._period = period
        self._variant = variant
        self._changed = asyncio.Condition()
        self._latest: dict[Viewer, bytes] = {}
        self._number = 0
        self._listeners: Counter[Viewer] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def listen(self, viewer: Viewer = None) -> AsyncGenerator[bytes, None]:
        """Every result from now on; a slow listener misses the ones between, never the last."""
        self._listeners[viewer] += 1
        if self._task is None:
            # In no listener's context: what it logs is of no single request.
            self._task = asyncio.create_task(self._run(), name="stream", context=Context())
        seen = self._number  # what was computed before may be long ago
        try:
            while True:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._closed or self._number > seen)  # noqa: B023 - at once
                    seen, latest = self._number, self._latest.get(viewer)
                if self._closed:
                    return
                if latest is not None:
                    yield latest
        finally:
            self._leave(viewer)

    async def close(self) -> None:
        """Ends every listener's stream: a server that stops must not wait for its viewers."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _leave(self, viewer: Viewer) -> None:
        self._listeners[viewer] -= 1
        if not self._listeners[viewer]:
            del self._listeners[viewer]
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
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
            await asyncio.sleep(self._period)

    async def _compute_all(self) -> dict[Viewer, bytes]:
        """By viewer; each variant is computed once."""
        alike: dict[Hashable, list[Viewer]] = {}
        for viewer in tuple(self._listeners):
            alike.setdefault(self._variant(viewer), []).append(viewer)
        latest: dict[Viewer, bytes] = {}
        for viewers in alike.values():
            latest |= dict.fromkeys(viewers, await self._compute(viewers[0]))
        return latest
