"""A source whose answers a second reader may take readings beside: one just before, one just after."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from crossfade.core.clock import Clock

from .component import Sample, Source

Look = TypeVar("Look")

PATIENCE_S = 0.1
"""Seconds that an answer may be kept waiting by a reading beside it."""


class Unreadable(Exception):  # noqa: N818  it says what is wrong
    """The second reader cannot read; the message says why."""


@dataclass(frozen=True, slots=True)
class Seen(Generic[Look]):
    """An answer between two readings."""

    sample: Sample
    before: Look
    after: Look
    rest: int | None
    """Microseconds since the answer before it; None for the first one."""


class Beside(Generic[Look]):
    """Passes on what the source gives. Readings are taken in a thread, one at a time, and only while it listens.

    A reading that fails or hangs is never the source's trouble: nothing is seen, and ``trouble`` says why.
    """

    def __init__(self, source: Source, look: Callable[[], Look], clock: Clock) -> None:
        """``look`` may raise Unreadable."""
        self._source = source
        self._look = look
        self._clock = clock
        self._ended: int | None = None
        self._listening = False
        self._looking: asyncio.Future[Look | None] | None = None
        self._seen: list[Seen[Look]] = []
        self.trouble: str | None = None

    def listen(self) -> None:
        """From now on readings are taken, until ``heard``."""
        self._seen, self._listening, self.trouble = [], True, None

    def heard(self) -> list[Seen[Look]]:
        """The answers since then, in their order: there was none between two of them."""
        self._listening = False
        return self._seen

    async def fetch(self, now: int) -> Sample:
        """Raises what the source raises."""
        rest = None if self._ended is None else self._clock.now() - self._ended
        before = await self._looked() if self._listening else None
        try:
            sample = await self._source.fetch(now)
        except BaseException:
            self._seen.clear()  # nobody knows how far it came
            raise
        finally:
            self._ended = self._clock.now()
        after = await self._looked() if before is not None else None
        if before is None or after is None:
            self._seen.clear()
        else:
            self._seen.append(Seen(sample, before, after, rest))
        return sample

    async def _looked(self) -> Look | None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().run_in_executor(None, self._read)
            await asyncio.wait({self._looking}, timeout=PATIENCE_S)
            if self._looking.done():
                return self._looking.result()
        self.trouble = f"a reading takes more than {PATIENCE_S:g} s"
        return None

    def _read(self) -> Look | None:
        try:
            return self._look()
        except Unreadable as error:
            self.trouble = str(error)
            return None
