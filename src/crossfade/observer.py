"""Notes what sources did and what viewers got, minute by minute, and keeps it: a restart goes on where it was.

In memory are the current minute and what is not stored yet; everything else lies in the control database, in slots of
a minute, later of an hour and of a day, so that months take no more room than their days.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import structlog

from crossfade.core.clock import HOUR, MINUTE, Clock
from crossfade.core.comparison import Comparison, Reference, compare
from crossfade.core.figures import numbers
from crossfade.core.observation import ErrorKind, Observation, Served, answered, failed, served
from crossfade.core.payloads import Payload
from crossfade.core.reading import Origin, Reading
from crossfade.core.tally import Agreement, Tally, decode, encode, merge, merge_all
from crossfade.sources.call import Outcome
from crossfade.sources.component import Component
from crossfade.state.errors import StateError
from crossfade.state.repository import State
from crossfade.state.tallies import TallyRow

log = structlog.get_logger(__name__)

FLUSH_S = 5.0
"""Seconds between two times of storing what was noted."""
MOST_MINUTES = 1_440
"""Minutes that are held while they cannot be stored; older ones are let go."""


class Observer:
    """What the reader tells, added up. Any thread may ask; the reader and the auditor tell."""

    def __init__(self, clock: Clock, state: State | None = None, run: int = 0) -> None:
        """``run``: the number of this start, under which its slots are kept. Without a state nothing is kept."""
        self._clock = clock
        self._state = state
        self._run = run
        self._adding = threading.Lock()
        self._storing = threading.Lock()
        self._proving = threading.Lock()
        self._slots: dict[tuple[str, int], Tally] = {}
        self._unstored: set[tuple[str, int]] = set()
        self._newest: dict[str, int] = {}
        self._before: dict[tuple[str, Origin], Payload] = {}
        self._proofs: dict[str, Agreement] = {}
        self._coarsened_at = 0
        self.calls: Counter[tuple[str, Origin]] = Counter()
        """How often each source was called since the start."""
        self.errors: Counter[tuple[str, Origin, ErrorKind]] = Counter()
        """How often it failed, and how."""
        self.sheds: Counter[str] = Counter()
        """Shadow calls of a component that were not made, for lack of room."""

    # Told by the reader

    def called(self, component: Component, origin: Origin, outcome: Outcome) -> None:
        """A source was asked."""
        sample = outcome.sample
        self.calls[component.name, origin] += 1
        if sample is None:
            self.errors[component.name, origin, outcome.kind or ErrorKind.FAILED] += 1
            self._add(failed(component.name, origin, outcome.kind or ErrorKind.FAILED, outcome.error or "",
                             at=outcome.at, latency_us=outcome.micros))
            return
        key = component.name, origin
        self._add(answered(component.name, origin, sample.payload, sample.as_of, at=outcome.at,
                           latency_us=outcome.micros, now=self._clock.now(), previous=self._before.get(key)))
        self._before[key] = sample.payload

    def served(self, component: Component, reading: Reading) -> None:
        """A viewer got a reading."""
        self._add(served(component.name, reading.provenance, self._clock.now()))

    def shed(self, component: Component) -> None:
        """A shadow reading was due and not done."""
        self.sheds[component.name] += 1
        with self._adding:
            self._tally(component.name, self._clock.now()).add_shed()

    def paired(self, component: Component, real: Outcome, before: Outcome, after: Outcome) -> None:
        """The real source was asked between two calls of the legacy one."""
        if real.sample is None or before.sample is None or after.sample is None:
            return
        pairs = compared_with_legacy(component.name, real.sample.payload, before.sample.payload, after.sample.payload,
                                     window=(before.at, after.at), at=real.at)
        if pairs:
            self._add(next((pair for pair in pairs if not pair.agrees), pairs[0]))

    # Told by others

    def compared(self, comparisons: Iterable[Comparison]) -> None:
        """Windows were compared with their reference."""
        for comparison in comparisons:
            with self._proving:  # whoever counts them all counts this one once
                known = self._proofs.get(comparison.component)
                if known is not None and comparison.kind is Reference.RECOUNT:
                    self._proofs[comparison.component] = known + Agreement(int(comparison.agrees), 1)
                self._add(comparison)

    def accounted(self, component: str, due: int, arrived: int, at: int) -> None:
        """Trackers' events: how many should have come, and how many came."""
        with self._adding:
            self._tally(component, at).add_account(due, arrived)

    # Asked

    def tally(self, component: str, since: int, until: int) -> Tally:
        """What became of the component over a span, to whole slots. Raises StateError."""
        return merge_all(component, (tally for _, _, tally in self._overlapping(component, since, until)))

    def proof(self, component: str) -> Agreement:
        """All comparisons with the recount that there ever were. Raises StateError when it is asked the first time."""
        with self._proving:
            known = self._proofs.get(component)
            if known is None:
                whole = self.tally(component, 0, self._clock.now() + MINUTE)
                known = self._proofs[component] = whole.compared.get(Reference.RECOUNT.value, Agreement())
            return known

    def series(self, component: str, since: int, until: int) -> list[tuple[int, int, Tally]]:
        """The slots of a span in order: start, length, tally. Raises StateError."""
        slots: dict[tuple[int, int], Tally] = {}
        for start, length, tally in self._overlapping(component, since, until):
            known = slots.get((start, length))
            slots[start, length] = tally if known is None else merge(known, tally)
        return [(start, length, tally) for (start, length), tally in sorted(slots.items())]

    # Kept

    async def run(self) -> None:
        """Stores what was noted every few seconds, until it is cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await asyncio.to_thread(self.store)

    def store(self) -> None:
        """Stores what was noted; what cannot be stored now is kept for the next time, up to a day of it."""
        if self._state is None:
            return
        now = self._clock.now()
        try:
            with self._storing:
                self._flush(self._state, now)
            if now - self._coarsened_at >= HOUR:
                while self._state.coarsen_tallies(now, together):
                    pass
                self._coarsened_at = now
        except StateError as error:
            log.warning("observer: what was noted cannot be stored now", error=str(error))

    def _flush(self, state: State, now: int) -> None:
        current = now // MINUTE * MINUTE
        with self._adding:
            keys, self._unstored = self._unstored, set()
            rows = [TallyRow(name, start, MINUTE, self._run, encode(self._slots[name, start]).decode())
                    for name, start in keys]
        try:
            state.put_tallies(rows)
        except StateError:
            with self._adding:
                self._unstored |= keys
            self._let_go(now - MOST_MINUTES * MINUTE)
            raise
        with self._adding:
            for component, start in keys:
                self._newest[component] = max(start, self._newest.get(component, start))
            past = [key for key in self._slots.keys() - self._unstored if key[1] < current - MINUTE]
            for key in past:  # not the last minute: a call that began before its end may still be told
                del self._slots[key]

    def _let_go(self, before: int) -> None:
        with self._adding:
            for key in [key for key in self._slots if key[1] < before]:
                del self._slots[key]
                self._unstored.discard(key)

    def _add(self, fact: Observation | Comparison | Served) -> None:
        with self._adding:
            self._tally(fact.component, fact.at).add(fact)

    def _tally(self, component: str, at: int) -> Tally:
        """The slot of the moment, which is to be stored again."""
        key = component, at // MINUTE * MINUTE
        tally = self._slots.get(key)
        if tally is None:
            tally = self._slots[key] = self._resumed(*key)
        self._unstored.add(key)
        return tally

    def _resumed(self, component: str, start: int) -> Tally:
        """A slot that was stored and let go, and is told of again: late facts must not replace early ones."""
        if self._state is None or start > self._newest.get(component, -1):
            return Tally(component)
        try:
            rows = self._state.tallies(start, start + 1, component)
        except StateError:
            return Tally(component)
        mine = (row for row in rows if row.run == self._run and row.start == start and row.length == MINUTE)
        return next((found for row in mine if (found := _decoded(row)) is not None), Tally(component))

    def _overlapping(self, component: str, since: int, until: int) -> list[tuple[int, int, Tally]]:
        """Every slot of the span, stored or held, each run's for itself: start, length, tally."""
        with self._storing:  # nothing is in both places, or in neither
            found = [] if self._state is None else [
                (row.start, row.length, tally) for row in self._state.tallies(since, until, component)
                if not self._holds(row) and (tally := _decoded(row)) is not None
            ]
            with self._adding:
                return found + [(start, MINUTE, merge(Tally(component), tally))
                                for (name, start), tally in self._slots.items()
                                if name == component and start < until and start + MINUTE > since]

    def _holds(self, row: TallyRow) -> bool:
        """Whether the slot is in memory, where it is at least as complete."""
        return row.run == self._run and row.length == MINUTE and (row.component, row.start) in self._slots


def together(rows: Sequence[TallyRow], length: int) -> list[TallyRow]:
    """Slots as longer ones, each run's for itself."""
    merged: dict[tuple[str, int, int], Tally] = {}
    for row in rows:
        tally = _decoded(row)
        if tally is not None:
            key = row.component, row.start // length * length, row.run
            merged[key] = merge(merged.get(key, Tally(row.component)), tally)
    return [TallyRow(component, start, length, run, encode(tally).decode())
            for (component, start, run), tally in merged.items()]


def compared_with_legacy(component: str, real: Payload, legacy: Payload, again: Payload, *, window: tuple[int, int],
                         at: int) -> list[Comparison]:
    """Each number that all three payloads have, compared within the noise of the legacy one."""
    told, references, repeated = (dict(numbers(msgspec.to_builtins(payload))) for payload in (real, legacy, again))
    return [
        compare(component, field, value, references[field], Reference.LEGACY, window=window, at=at,
                again=repeated[field])
        for field, value in told.items() if field in references and field in repeated
    ]


def _decoded(row: TallyRow) -> Tally | None:
    """A slot that cannot be read is left out, and said."""
    try:
        found = decode(row.tally.encode())
    except msgspec.MsgspecError as error:
        log.error("observer: a stored slot cannot be read",  # noqa: TRY400  the trace tells no more
                  component=row.component, start=row.start, error=str(error))
        return None
    if found.component != row.component:
        log.error("observer: a stored slot is another component's", component=row.component, start=row.start)
        return None
    return found
