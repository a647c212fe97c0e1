"""The tracker for asyncio: tracking is quick enough for the loop, waiting is not."""

import asyncio
from typing import ClassVar

from .core import Core
from .stats import FlushResult


class AsyncTracker(Core):
    """As ``Tracker``, with ``flush`` and ``shutdown`` to be awaited. ``overflow="block"`` is refused."""

    _may_block: ClassVar[bool] = False

    async def flush(self, timeout: float = 10.0) -> FlushResult:  # noqa: ASYNC109  as the other tracker has it
        """Waits, up to so many seconds, until all that was tracked so far is delivered."""
        return await asyncio.to_thread(self.deliver, timeout)

    async def shutdown(self, timeout: float = 10.0) -> FlushResult:  # noqa: ASYNC109
        """The same, for good. What could not be delivered stays in the spool for the next start."""
        return await asyncio.to_thread(self.finish, timeout)

    async def __aenter__(self) -> "AsyncTracker":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shutdown()
