"""One computation a second, however many listen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog

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

    async def listen(self) -> AsyncIterator[bytes]:
        """Every result from now on; a slow listener misses the ones between, never the last."""
        self._listeners += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="stream")
        seen = 0
        try:
            while True:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._number > seen)  # noqa: B023 - looked at at once
                    seen, latest = self._number, self._latest
                yield latest
        finally:
            self._listeners -= 1
            if self._listeners == 0 and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _run(self) -> None:
        while True:
            try:
                latest = await self._compute()
            except Exception:
                log.exception("stream: a computation failed")
            else:
                async with self._changed:
                    self._latest, self._number = latest, self._number + 1
                    self._changed.notify_all()
            await asyncio.sleep(self._period)
