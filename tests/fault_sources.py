"""Sources that misbehave, each in one way, the components that they belong to, and what must hold of any reading."""

import asyncio
import math
import threading
from collections.abc import Callable
from dataclasses import replace

import msgspec
from msgspec import Struct

from crossfade.core import canary
from crossfade.core.clock import DAY, SECOND, Clock, ManualClock
from crossfade.core.days import Days
from crossfade.core.flag import Flags, FlagValue, bucket
from crossfade.core.payloads import (
    BusinessMetrics,
    Disk,
    HistoryPoint,
    InfrastructureMetrics,
    IngestQueue,
    Payload,
    Service,
    SystemMetrics,
)
from crossfade.core.reading import Origin, Reading, Reason
from crossfade.core.tally import Tally
from crossfade.fade import Crossfade
from crossfade.observer import Observer
from crossfade.reader import Reader
from crossfade.sources.business import MockBusiness
from crossfade.sources.component import Component, Sample
from crossfade.sources.history import MockHistory
from crossfade.sources.infrastructure import MockInfrastructure
from crossfade.sources.system import MockSystem
from crossfade.web import live, pages
from crossfade.web.words import WORDS
from crossfade.web.writing import NONE

NOW = 1_790_000_000 * SECOND
STALE_LIMIT_S = 300
HANGING = ("hangs", "ignores its end")


class Orders(Struct, frozen=True, rename="camel"):
    """What an application of its own declares."""

    open_orders: int
    late_share: float
    paid: int
    sent: int
    returned: int
    lost: int


class Other(Struct, frozen=True):
    """A struct that is nobody's payload here."""

    rate: float = 1.0


class Unspeakable(Exception):  # noqa: N818 - that is what it is
    """Its message cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no words")


def spoil(sample: Sample, value: object) -> Sample:
    """The sample with one value replaced: its first, of a series the first after the last row's key."""
    payload = sample.payload
    row = payload[-1] if isinstance(payload, tuple) else payload
    name = row.__struct_fields__[1 if isinstance(payload, tuple) else 0]
    spoiled = msgspec.structs.replace(row, **{name: value})
    return Sample((*payload[:-1], spoiled) if isinstance(payload, tuple) else spoiled, sample.as_of)


def _raising(make: Callable[[], BaseException]) -> Callable[["Scripted", Sample], object]:
    def fault(_: "Scripted", __: Sample) -> object:
        raise make()
    return fault


def _wrapped() -> RuntimeError:
    error = RuntimeError("the client gave up")
    error.__cause__ = ConnectionResetError("reset")
    return error


def _alternating(source: "Scripted", sound: Sample) -> Sample:
    if source.calls % 2 == 0:
        raise RuntimeError("every other time")
    return sound


FAULTS: dict[str, Callable[["Scripted", Sample], object]] = {
    "raises": _raising(lambda: RuntimeError("out of order")),
    "raises without a word": _raising(KeyError),
    "raises without words to be had": _raising(Unspeakable),
    "raises 10 MB of words": _raising(lambda: RuntimeError("x" * 10_000_000)),
    "raises half a character": _raising(lambda: RuntimeError("file \ud800 is gone")),
    "raises a group": _raising(lambda: BaseExceptionGroup("many", [SystemExit(1), ValueError()])),
    "runs out of memory": _raising(MemoryError),
    "runs out of depth": _raising(lambda: RecursionError("too deep")),
    "is refused": _raising(lambda: ConnectionRefusedError(111, "refused")),
    "wraps a lost connection": _raising(_wrapped),
    "times out by itself": _raising(TimeoutError),
    "cancels itself": _raising(asyncio.CancelledError),
    "exits": _raising(lambda: SystemExit(1)),
    "ends as a generator": _raising(GeneratorExit),
    "stops an iteration": _raising(StopIteration),
    "is interrupted": _raising(KeyboardInterrupt),  # of a function in a thread alone
    "gives None": lambda *_: None,
    "gives a number": lambda *_: 7.5,
    "gives a dict": lambda _, sound: Sample({"a": 1}, sound.as_of),  # type: ignore[arg-type]
    "gives another struct": lambda _, sound: Sample(Other(), sound.as_of),
    "gives NaN": lambda _, sound: spoil(sound, math.nan),
    "gives infinity": lambda _, sound: spoil(sound, -math.inf),
    "gives NaN deep inside": lambda _, sound: spoil(sound, [{"x": {math.nan}}]),
    "gives 400 digits": lambda _, sound: spoil(sound, 10**400),
    "gives 10 MB": lambda _, sound: spoil(sound, "x" * 10_000_000),
    "gives an object": lambda _, sound: spoil(sound, object()),
    "gives half a character": lambda _, sound: spoil(sound, "\ud800"),
    "gives no time": lambda _, sound: Sample(sound.payload, None),  # type: ignore[arg-type]
    "gives a negative age": lambda _, sound: Sample(sound.payload, sound.as_of + DAY),
    "gives a negative time": lambda _, sound: Sample(sound.payload, -1),
    "gives last week": lambda _, sound: Sample(sound.payload, sound.as_of - 7 * DAY),
    "gives a wrong value": lambda _, sound: spoil(sound, -3),
    "gives text for a number": lambda _, sound: spoil(sound, "three"),
    "gives a gap": lambda _, sound: spoil(sound, None),
    "leaks the mock": lambda source, sound: Sample(source.mock, sound.as_of),
    "leaks one figure": lambda _, sound: spoil(sound, canary.mark(97.3)),
    "alternates": _alternating,
}
ALWAYS_BAD = (*(name for name in FAULTS if name not in {
    "alternates", "is interrupted", "leaks the mock", "gives last week", "gives a wrong value",
    "gives text for a number", "gives a gap"}),)


class Scripted:
    """A source that is sound until it is told otherwise, and remembers what it gave. To be awaited, or in a thread."""

    def __init__(self, payload: Payload, mock: Payload, clock: Clock) -> None:
        self.payload, self.mock, self._clock = payload, mock, clock
        self.fault: str | None = None
        self.calls = 0
        self.given: list[Sample] = []
        self.freed = asyncio.Event()
        self.gate = threading.Event()

    async def fetch(self, _: int) -> object:
        if self.fault not in HANGING:
            return self.ask()
        self.calls += 1
        while not self.freed.is_set():
            try:
                await self.freed.wait()
            except asyncio.CancelledError:
                if self.fault == "hangs":
                    raise
        raise RuntimeError("late")

    async def soon(self) -> object:
        return await self.fetch(0)

    def ask(self) -> object:
        self.calls += 1
        if self.fault in HANGING:
            self.gate.wait()
            raise RuntimeError("late")
        sound = Sample(self.payload, self._clock.now())
        found = sound if self.fault is None else FAULTS[self.fault](self, sound)
        if isinstance(found, Sample):
            self.given.append(found)
        return found


REAL_ORDERS, LEGACY_ORDERS, MOCK_ORDERS = Orders(7, 2.5, 6, 5, 4, 3), Orders(8, 2.5, 6, 5, 4, 2), \
    Orders(31, canary.mark(9.5), 41, 59, 26, 53)
REAL: dict[str, tuple[str, str, type[Struct], Payload]] = {
    "business": ("businessMetrics", "business_metrics", BusinessMetrics, BusinessMetrics(3, 1201, 40, 0, 1, 97.5)),
    "system": ("systemMetrics", "system_metrics", SystemMetrics,
               SystemMetrics("server", 60.0, 40, 1.25, 2.5, 9.0, 0.5, 41.0, 123_456, 12.0, ())),
    "infrastructure": ("infrastructureMetrics", "infrastructure_metrics", InfrastructureMetrics, InfrastructureMetrics(
        (Service("eventStore", "up", 0.8, 100.0, 12, "fine"),), IngestQueue(12, 34_567), Disk(500, 123, 75.4))),
    "history": ("historicalData", "historical_data", HistoryPoint, (
        HistoryPoint("2026-09-20", 10, 7, 1, 0), HistoryPoint("2026-09-21", 12, 8, 2, 1))),
}
MADE_UP: dict[str, Payload] = {part: asyncio.run(source.fetch(NOW)).payload for part, source in (
    ("business", MockBusiness(7)), ("system", MockSystem(7)), ("infrastructure", MockInfrastructure(7)),
    ("history", MockHistory(7, Days())))}
"""What the built-in mocks give at one moment."""


class Stage:
    """One component with sources that do as they are told, its flags, and all that is said of it."""

    def __init__(self, part: str, *, timeout: float = 5.0, max_age: float = 1.0) -> None:
        self.clock = ManualClock(NOW)
        payloads = {Origin.REAL: REAL_ORDERS, Origin.LEGACY: LEGACY_ORDERS, Origin.MOCK: MOCK_ORDERS}
        if part in REAL:
            payloads = {Origin.REAL: REAL[part][3], Origin.MOCK: MADE_UP[part]}
        if part == "orders":
            del payloads[Origin.LEGACY]
        mock = payloads[Origin.MOCK]
        self.sources = {origin: Scripted(payload, mock, self.clock) for origin, payload in payloads.items()}
        found = self._built_in(part) if part in REAL else self._declared(part)
        self.component = replace(found, timeout=timeout, stale_limit=STALE_LIMIT_S)
        self.flag = self.component.flag
        self.flags: dict[str, FlagValue] = {"fallback_on_error": True}
        self.observer = Observer(self.clock)
        self.reader = Reader([self.component], lambda: Flags(self.flags), self.clock, max_age=max_age,
                             watch=self.observer)
        self.by_name = {self.component.name: self.component}

    def _built_in(self, part: str) -> Component:
        name, flag, model, _ = REAL[part]
        return Component(name, part, f"use_real_{flag}", self.sources[Origin.MOCK], self.sources[Origin.REAL],
                         model=model)  # type: ignore[arg-type] - they give anything

    def _declared(self, part: str) -> Component:
        fade = Crossfade(clock=self.clock)
        fade.component(part, model=Orders)(type("Sources", (), {
            origin.value: staticmethod(source.ask if part == "orders" else source.soon)
            for origin, source in self.sources.items()}))
        return fade.components[0]

    def set(self, words: str, *, fallback: bool = True) -> str | None:
        """The flags by a word of the table; gives the viewer that it is about."""
        self.flags = {"fallback_on_error": fallback, self.flag: words.startswith(("on", "in", "out")),
                      f"shadow_{self.flag[9:]}": "shadow" in words}
        if words in {"in", "out"}:
            self.flags[f"percent_{self.flag[9:]}"] = 50
            inside = {(bucket(self.flag, viewer) < 5_000): viewer for viewer in map(str, range(99))}
            return inside[words == "in"]
        return None

    async def read(self, viewer: str | None = None) -> Reading:
        """A reading, when all that it causes has been done."""
        reading = await self.reader.read(self.component.name, viewer)
        while self.reader._shadows:
            await asyncio.gather(*self.reader._shadows)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.check(reading)
        return reading

    async def close(self) -> None:
        for source in self.sources.values():
            source.freed.set()
            source.gate.set()
        await self.reader.close()
        await asyncio.sleep(0)

    def tally(self) -> Tally:
        return self.observer.tally(self.component.name, 0, NOW + 365 * DAY)

    # What holds of every reading, whatever happened

    def check(self, reading: Reading) -> None:
        """No reading without provenance, and no value with another's; the page and the JSON say the same."""
        told, now = reading.provenance, self.clock.now()
        assert told.synthetic is (told.source is Origin.MOCK)
        assert (reading.payload is None) is (told.source is Origin.UNAVAILABLE) is (told.reason is Reason.FAILED)
        assert told.error is None or 0 < len(told.error) <= 2_000
        assert told.error or told.reason not in {Reason.FAILED, Reason.FALLBACK, Reason.LEGACY}
        if reading.payload is not None:
            own = self.sources[told.source].given
            assert any(each.payload is reading.payload and each.as_of == told.as_of for each in own)
            assert type(told.as_of) is int
            assert 0 <= told.as_of <= now + SECOND
        if not told.synthetic:
            assert reading.payload != self.sources[Origin.MOCK].payload
            assert not list(canary.marked(reading.payload))
        self._check_page(reading, now)
        self._check_api(reading, now)

    def _check_page(self, reading: Reading, now: int) -> None:
        told = reading.provenance
        section = pages.section(reading, self.component, pages.Look(now))
        stale = told.source is Origin.REAL and told.reason is Reason.STALE
        assert section.state == ("cached" if stale else told.source.value)
        assert section.badge == WORDS[section.state]
        assert (section.badge == "MOCK") is told.synthetic
        assert (section.note == "") is (section.state == "real")
        if reading.payload is None:
            assert {each.text for each in (*section.facts, *section.cards)} <= {NONE}
            assert section.rows == ()

    def _check_api(self, reading: Reading, now: int) -> None:
        told = reading.provenance
        made = msgspec.json.decode(msgspec.json.encode(live.document([reading], self.by_name, now)))
        source = made["meta"]["sources"][self.component.name]
        assert (made[self.component.section] is None) is (reading.payload is None)
        assert (source["source"], source["reason"], source["synthetic"], source["error"]) == (
            told.source, told.reason, told.synthetic, told.error)
        text = live.prometheus([reading], self.by_name, now)
        labels = f'source="{told.source}",synthetic="{str(told.synthetic).lower()}"'
        assert all(labels in line for line in text.splitlines() if not line.startswith("#"))
        assert (f"crossfade_{self.component.section}_" in text) is (reading.payload is not None)
