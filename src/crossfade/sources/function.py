"""A source made of an application's own function, sync or async."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from threading import Lock

from msgspec import Struct

from .component import Sample, SourceError

Given = Struct | tuple[Struct, ...] | Sample
Function = Callable[[], Given | Awaitable[Given]]
"""Gives a payload as of now, or a Sample that says of what time its data is."""


class FunctionSource:
    """Calls a function. A sync one runs in a thread, one call at a time: one that hangs must not use up the threads."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self.__doc__ = function.__doc__  # what it is, only the function says
        self._is_async = inspect.iscoroutinefunction(function)
        self._busy = Lock()

    async def fetch(self, now: int) -> Sample:
        """Raises SourceError while an earlier call has not come back, and whatever the function raises."""
        given = self._function() if self._is_async else await self._in_a_thread()
        if inspect.isawaitable(given):
            given = await given
        return given if isinstance(given, Sample) else Sample(given, now)

    async def _in_a_thread(self) -> Given | Awaitable[Given]:
        if not self._busy.acquire(blocking=False):
            raise SourceError("the last call of the source has not come back yet")
        try:
            running = asyncio.get_running_loop().run_in_executor(None, self._run)
        except BaseException:
            self._busy.release()
            raise
        running.add_done_callback(_retrieve)
        # A call that still waits for a thread must not be cancelled: nobody would give its turn back.
        return await asyncio.shield(running)

    def _run(self) -> Given | Awaitable[Given]:
        try:
            return self._function()
        except (StopIteration, KeyboardInterrupt) as error:
            # No future takes the first, and the second, which is nobody's Ctrl-C in a thread, would end the server.
            raise SourceError(f"the source raised {type(error).__name__}") from error
        finally:
            self._busy.release()


def _retrieve(done: asyncio.Future[Given | Awaitable[Given]]) -> None:
    """What a call raises when nobody waits for it any more is no news: that it was late is told."""
    if not done.cancelled():
        done.exception()
