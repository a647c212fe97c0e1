"""Notes every component's figures once a minute, with their source: what charts, reports and rehearsals look back at.

What is noted is what nobody in particular is shown; beside it the real source's figures, while those are shown to some
or read in the shadow. A minute without a value is no row: it is a gap, never a zero.
"""

import asyncio
from collections.abc import Callable, Collection

import structlog

from crossfade.core.clock import HOUR, MINUTE, SECOND, Clock
from crossfade.core.figures import figures
from crossfade.core.reading import Origin, Reading
from crossfade.reader import Reader
from crossfade.state.errors import StateError
from crossfade.state.repository import State
from crossfade.state.samples import Sample

log = structlog.get_logger(__name__)

MOST_UNSTORED = 10_000
"""Rows that are held while they cannot be stored; older ones are let go."""


class Sampler:
    """Looks by itself while it runs."""

    def __init__(self, reader: Reader, state: State, clock: Clock, wanted: Callable[[], Collection[str]]) -> None:
        """``wanted``: the components of which real values are shown to somebody or read in the shadow."""
        self._reader = reader
        self._state = state
        self._clock = clock
        self._wanted = wanted
        self._coarsened_at = 0
        self._unstored: list[Sample] = []

    async def run(self) -> None:
        """Notes every minute, until it is cancelled."""
        while True:
            began = self._clock.now()
            try:
                await self.take()
            except StateError as error:
                log.warning("sampler: figures cannot be stored now", error=str(error))
            except Exception:  # nothing may end the watch
                log.exception("sampler: this minute's figures cannot be noted")
            await asyncio.sleep(pause(began, self._clock.now()))

    async def take(self) -> tuple[Sample, ...]:
        """Stores what is shown in this minute, and gives it. Raises StateError; then the next time stores this too."""
        now = self._clock.now()
        start, wanted = now // MINUTE * MINUTE, self._wanted()
        names = self._reader.components
        found = await asyncio.gather(*(self._look(name, start, real=name in wanted) for name in names))
        rows = tuple(row for several in found for row in several)
        await asyncio.to_thread(self._store, rows, now)
        return rows

    async def _look(self, name: str, start: int, *, real: bool) -> list[Sample]:
        readings = [await self._reader.look(name)]
        if real and readings[0].provenance.source is not Origin.REAL:
            readings.append(await self._reader.look_real(name))
        try:
            return [row for reading in readings if (row := sample(reading, start)) is not None]
        except Exception:  # one odd payload costs no other component its row
            log.exception("sampler: a component's figures cannot be read", component=name)
            return []

    def _store(self, rows: tuple[Sample, ...], now: int) -> None:
        self._unstored = [*self._unstored, *rows][-MOST_UNSTORED:]
        self._state.put_samples(self._unstored)
        self._unstored = []
        if now - self._coarsened_at >= HOUR:
            while self._state.coarsen_samples(now):
                pass
            self._coarsened_at = now


def pause(began: int, now: int) -> float:
    """Seconds until the minute after the one that was noted is a second old, so that no timer's haste misses one.

    Never more than to the end of the next, wherever the clock was set to.
    """
    due = began // MINUTE * MINUTE + MINUTE + SECOND
    return min(max(0, due - now), MINUTE + SECOND) / SECOND


def sample(reading: Reading, start: int) -> Sample | None:
    """The reading's figures as a row of the minute; None where it has none."""
    told = reading.provenance
    if reading.payload is None or told.as_of is None or told.source is Origin.UNAVAILABLE:
        return None
    found = figures(reading.payload)
    source = Origin.MOCK if told.synthetic else told.source
    return Sample(reading.component, start, MINUTE, source.value, told.as_of, found) if found else None
