"""The reader, with sources that answer, fail, hang, and give garbage."""

import asyncio
import itertools
import math

import pytest
import structlog
from msgspec import Struct

from crossfade.core.clock import SECOND, ManualClock
from crossfade.core.flag import Flags
from crossfade.core.reading import Origin, Reason
from crossfade.reader import Outcome, Reader, decide
from crossfade.sources.component import Component, Sample, SourceError

NOW = 1_790_000_000 * SECOND


class Shown(Struct, frozen=True):
    value: object


class Fake:
    """A source that does what it is told, and counts how often it is asked."""

    def __init__(self, value: object = "mock") -> None:
        self.value = value
        self.calls = 0
        self.gate: asyncio.Event | None = None
        self.age = 0

    async def fetch(self, now: int) -> Sample:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.value, BaseException):
            raise self.value
        if isinstance(self.value, str | int):
            return Sample(Shown(self.value), now - self.age)
        return self.value  # type: ignore[return-value] - garbage


class Stage:
    """A reader of one component, with its flags, clock and sources at hand."""

    def __init__(self, *, stale_limit: float = 60, timeout: float = 5, max_age: float = 1) -> None:
        self.real, self.mock = Fake("real"), Fake("mock")
        self.clock = ManualClock(NOW)
        self.flags = {"use_real": True, "fallback_on_error": True, "log_data_sources": False}
        component = Component("part", "section", "use_real", self.mock, self.real, timeout, stale_limit)
        self.reader = Reader([component], lambda: Flags(self.flags), self.clock, max_age=max_age)

    async def read(self):
        """What is shown, where it is from, and why."""
        reading = await self.reader.read("part")
        told = reading.provenance
        assert told.synthetic is (told.source is Origin.MOCK)
        assert (reading.payload is None) is (told.source is Origin.UNAVAILABLE)
        value = None if reading.payload is None else reading.payload.value
        return value, told.source, told.reason

    async def later(self, seconds: float = 1):
        self.clock.advance(int(seconds * SECOND))
        return await self.read()


REAL = ("real", Origin.REAL, Reason.FLAG)
MOCK = ("mock", Origin.MOCK, Reason.FLAG)
STALE = ("real", Origin.REAL, Reason.STALE)
FALLBACK = ("mock", Origin.MOCK, Reason.FALLBACK)
NOTHING = (None, Origin.UNAVAILABLE, Reason.FAILED)


def test_the_flag_chooses_and_the_next_read_obeys():
    async def run():
        stage = Stage()
        assert await stage.read() == REAL
        stage.flags["use_real"] = False
        assert await stage.read() == MOCK  # not a moment later
        stage.flags["use_real"] = True
        assert await stage.read() == REAL
        assert (stage.real.calls, stage.mock.calls) == (1, 1)
        assert stage.reader.served == {("part", Origin.REAL, Reason.FLAG): 2, ("part", Origin.MOCK, Reason.FLAG): 1}
    asyncio.run(run())


@pytest.mark.parametrize(("answered", "fallback", "age", "reason"), [
    (answered, fallback, age,
     Reason.FLAG if answered else Reason.FAILED if not fallback else
     Reason.STALE if age is not None and age <= 60 else Reason.FALLBACK)
    for answered, fallback, age in itertools.product((True, False), (True, False), (None, 0, 60, 61))
])
def test_what_is_served_by_the_table(answered, fallback, age, reason):
    sample = Sample(Shown(1), NOW)
    good = None if age is None else Outcome(NOW, Sample(Shown(1), NOW - age * SECOND), None)
    real = Outcome(NOW, sample if answered else None, None if answered else "no")
    assert decide(real, good, fallback=fallback, stale_limit=60 * SECOND) is reason


def test_a_failing_source_gives_way_step_by_step_and_comes_back():
    async def run():
        stage = Stage(stale_limit=10)
        assert await stage.read() == REAL
        stage.real.value = SourceError("down")
        assert await stage.later(9) == STALE
        reading = await stage.reader.read("part")
        assert (reading.provenance.as_of, reading.provenance.fetched_at) == (NOW, NOW)
        assert reading.provenance.error == "down"
        assert await stage.later(1) == STALE  # just as old as it may be
        assert await stage.later(1) == FALLBACK
        assert (await stage.reader.read("part")).provenance.error == "down"
        stage.flags["fallback_on_error"] = False
        assert await stage.read() == NOTHING
        assert (await stage.reader.read("part")).provenance.error == "down"
        stage.real.value = "real"
        assert await stage.later() == REAL
    asyncio.run(run())


def test_without_fallback_a_failure_is_unavailable_at_once():
    async def run():
        stage = Stage()
        assert await stage.read() == REAL
        stage.flags["fallback_on_error"] = False
        stage.real.value = SourceError("down")
        assert await stage.later() == NOTHING
        assert stage.mock.calls == 0
    asyncio.run(run())


def test_it_is_the_age_of_the_data_that_counts_and_not_of_the_call():
    async def run():
        stage = Stage(stale_limit=10)
        stage.real.age = 9 * SECOND
        assert await stage.read() == REAL
        stage.real.value = SourceError("down")
        assert await stage.later(1) == STALE
        assert await stage.later(1) == FALLBACK
    asyncio.run(run())


def test_a_mock_that_fails_is_unavailable():
    async def run():
        stage = Stage()
        stage.flags["use_real"] = False
        stage.mock.value = ValueError("dice lost")
        assert await stage.read() == NOTHING
        stage.flags["use_real"] = True
        stage.real.value = SourceError("down")
        assert await stage.read() == NOTHING
    asyncio.run(run())


GARBAGE = [
    None, 7.5, [], object(), Sample(None, NOW), Sample({"a": 1}, NOW), Sample((1, 2), NOW), Sample([], NOW),  # type: ignore[arg-type]
    Sample(Shown(math.nan), NOW), Sample((Shown(1), Shown([{"x": math.inf}])), NOW), Sample(Shown(-math.inf), NOW),
    Sample(Shown((Shown(math.nan),)), NOW), Sample(Shown(object()), NOW), Sample(Shown("\ud800"), NOW),
    Sample(Shown(1), NOW + 2 * SECOND), Sample(Shown(1), -1), Sample(Shown(1), None), Sample(Shown(1), math.nan),  # type: ignore[arg-type]
    KeyError(), TimeoutError(), asyncio.CancelledError(), RecursionError("deep"),
    MemoryError(), ExceptionGroup("many", [ValueError()]),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=map(str, range(len(GARBAGE))))
@pytest.mark.parametrize("fallback", [True, False])
def test_garbage_is_one_labelled_reading(garbage, fallback):
    async def run():
        stage = Stage()
        stage.flags["fallback_on_error"] = fallback
        stage.real.value = garbage
        assert await stage.read() == (FALLBACK if fallback else NOTHING)
        assert (await stage.reader.read("part")).provenance.error
        stage.real.value = "real"
        assert await stage.later() == REAL
    asyncio.run(run())


def test_a_source_that_hangs_costs_its_time_and_no_more():
    async def run():
        stage = Stage(timeout=0.01)
        stage.real.gate = asyncio.Event()
        assert await stage.read() == FALLBACK
        assert (await stage.reader.read("part")).provenance.error == "no answer within 0.01 s"
    asyncio.run(run())


def test_a_slow_source_may_say_that_its_data_is_of_the_end():
    class Slow:
        async def fetch(self, now: int) -> Sample:
            clock.advance(3 * SECOND)
            return Sample(Shown("real"), now + 3 * SECOND)

    async def run():
        component = Component("part", "section", "use_real", Fake(), Slow())
        reader = Reader([component], lambda: Flags({"use_real": True}), clock, max_age=1)
        assert (await reader.read("part")).provenance.reason is Reason.FLAG

    clock = ManualClock(NOW)
    asyncio.run(run())


def test_one_computation_a_second_serves_all():
    async def run():
        stage = Stage(max_age=1)
        stage.real.gate = asyncio.Event()
        viewers = [asyncio.create_task(stage.read()) for _ in range(200)]
        await asyncio.sleep(0)
        stage.real.gate.set()
        assert set(await asyncio.gather(*viewers)) == {REAL}
        assert stage.real.calls == 1
        assert await stage.later(0.999) == REAL
        assert stage.real.calls == 1
        await asyncio.gather(*(stage.later(0.001) for _ in range(1)), *(stage.read() for _ in range(50)))
        assert stage.real.calls == 2
        stage.clock.advance(-5 * SECOND)  # a clock that is set back makes nothing last for ever
        await stage.read()
        assert stage.real.calls == 3
    asyncio.run(run())


def test_a_failure_is_shared_like_an_answer():
    async def run():
        stage = Stage()
        stage.real.value = SourceError("down")
        assert set(await asyncio.gather(*(stage.read() for _ in range(50)))) == {FALLBACK}
        assert (stage.real.calls, stage.mock.calls) == (1, 1)
    asyncio.run(run())


def test_a_viewer_that_leaves_takes_nothing_from_the_others():
    async def run():
        stage = Stage()
        stage.real.gate = asyncio.Event()
        first, second = (asyncio.create_task(stage.read()) for _ in range(2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        stage.real.gate.set()
        assert await second == REAL
        assert stage.real.calls == 1
        lonely = asyncio.create_task(stage.later())
        await asyncio.sleep(0)
        lonely.cancel()
        await asyncio.gather(lonely, return_exceptions=True)
        assert await stage.later() == REAL
    asyncio.run(run())


def test_a_log_that_cannot_be_written_costs_no_reading(monkeypatch):
    async def run():
        told: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        stage = Stage()
        stage.real.value = SourceError("down")
        assert await stage.read() == FALLBACK
        assert await stage.later() == FALLBACK
        assert told

    def broken(*_: object, **__: object) -> None:
        raise OSError("standard error is closed")

    monkeypatch.setattr("crossfade.reader.log", type("Log", (), {"warning": broken, "info": broken})())
    asyncio.run(run())


def test_sources_are_logged_when_the_flag_says_so():
    async def run():
        stage = Stage()
        with structlog.testing.capture_logs() as logs:
            await stage.read()
            assert not logs
            stage.flags["log_data_sources"] = True
            await stage.later()
            await asyncio.sleep(0)
            await stage.read()  # from the cache: nothing was asked
        assert [(entry["event"], entry["component"], entry["source"]) for entry in logs] == [
            ("source answered", "part", "real")]
    asyncio.run(run())


def test_a_component_that_there_is_not():
    async def run():
        with pytest.raises(KeyError):
            await Stage().reader.read("nothing")
        assert await Stage().reader.read_all(()) == ()
        assert [reading.component for reading in await Stage().reader.read_all(("part", "part"))] == ["part", "part"]
    asyncio.run(run())
