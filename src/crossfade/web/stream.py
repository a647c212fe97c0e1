"""One computation a second, however many listen."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import structlog

from crossfade.sources.call import being_cancelled

log = structlog.get_logger(__name__)


class Stream:
    """Runs a computation while anybody listens, and hands each result to all of them."""

    def __init__(self, compute: Callable[[], Awaitable[bytes]], period: float = 1.0) -> None:
        self._compute = compute
        self._period = period
        self._changed = asyncio.Condition()
        self._latest: bytes = b""
        self._number = 0
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Every result from now on; a slow listener misses the ones between, never the last."""
        self._listeners += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="stream")
        seen = self._number  # what was computed before may be long ago
        try:
            while True:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._closed or self._number > seen)  # noqa: B023 - at once
                    seen, latest = self._number, self._latest
                if self._closed:
                    return
                yield latest
        finally:
            self._listeners -= 1
            if self._listeners == 0 and self._task is not None:
                self._task.cancel()
                self._task = None

    async def close(self) -> None:
        """Ends every listener's stream: a server that stops must not wait for its viewers."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def _run(self) -> None:
        while True:
            try:
                latest = await self._compute()
            except (Exception, asyncio.CancelledError):
                if being_cancelled():
                    raise
                log.exception("stream: a computation failed")
            else:
                async with self._changed:
                    self._latest, self._number = latest, self._number + 1
                    self._changed.notify_all()
            await asyncio.sleep(self._period)
