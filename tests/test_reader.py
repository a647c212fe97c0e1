"""The reader, with sources that answer, fail, hang, and give garbage."""

import asyncio
import math
from itertools import pairwise

import pytest
import structlog
from msgspec import Struct

from crossfade.core.canary import mark
from crossfade.core.clock import DAY, SECOND, ManualClock
from crossfade.core.flag import Flags
from crossfade.core.observation import ErrorKind
from crossfade.core.reading import STAND_INS, Origin, Reading, Reason
from crossfade.reader import MOST_SHADOWS, Reader, decide
from crossfade.sources.call import Outcome
from crossfade.sources.component import Component, Sample, SourceError

NOW = 1_790_000_000 * SECOND
FLAG = "use_real_part"


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


class Notes:
    """What a watch was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Origin, ErrorKind | None]] = []
        self.shown: list[Origin] = []
        self.pairs: list[tuple[object, object, object]] = []
        self.sheds = 0

    def called(self, _: Component, origin: Origin, outcome: Outcome) -> None:
        self.calls.append((origin, outcome.kind))

    def served(self, _: Component, reading: Reading) -> None:
        self.shown.append(reading.provenance.source)

    def paired(self, _: Component, *three: Outcome) -> None:
        self.pairs.append(tuple(one.sample.payload.value for one in three))  # type: ignore[misc, union-attr]

    def shed(self, _: Component) -> None:
        self.sheds += 1


class Stage:
    """A reader of one component, with its flags, clock and sources at hand."""

    def __init__(self, *, stale_limit: float = 60, timeout: float = 5, max_age: float = 1, legacy: bool = False,
                 **more: object) -> None:
        self.real, self.mock, self.legacy = Fake("real"), Fake("mock"), Fake("legacy")
        self.clock = ManualClock(NOW)
        self.flags = {FLAG: True, "fallback_on_error": True, "log_data_sources": False}
        component = Component("part", "section", FLAG, self.mock, self.real, timeout, stale_limit,
                              self.legacy if legacy else None, **more)  # type: ignore[arg-type]
        self.watch = Notes()
        self.reader = Reader([component], lambda: Flags(self.flags), self.clock, max_age=max_age, watch=self.watch,
                             draw=lambda: 0.5)

    async def read(self, viewer: str | None = None):
        """What is shown, where it is from, and why."""
        reading = await self.reader.read("part", viewer)
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
        stage.flags[FLAG] = False
        assert await stage.read() == MOCK  # not a moment later
        stage.flags[FLAG] = True
        assert await stage.read() == REAL
        assert (stage.real.calls, stage.mock.calls) == (1, 1)
        assert stage.reader.served == {("part", Origin.REAL, Reason.FLAG): 2, ("part", Origin.MOCK, Reason.FLAG): 1}
    asyncio.run(run())


@pytest.mark.parametrize(("answered", "young", "fallback", "stale", "tried"), [
    (True, True, False, False, [Reason.FLAG]),
    (True, True, True, True, [Reason.FLAG]),
    (True, False, False, False, [Reason.STALE]),
    (True, False, True, False, [Reason.STALE]),
    (False, False, False, True, [Reason.FAILED]),
    (False, False, True, True, [Reason.STALE, Reason.LEGACY, Reason.FALLBACK, Reason.FAILED]),
    (False, False, True, False, [Reason.LEGACY, Reason.FALLBACK, Reason.FAILED]),
])
def test_what_is_tried_by_the_table(answered, young, fallback, stale, tried):
    assert list(decide(answered, young, STAND_INS, fallback=fallback, stale=stale)) == tried
    if not answered and fallback:
        backwards = decide(answered, young, STAND_INS[::-1], fallback=fallback, stale=stale)
        assert list(backwards[:-1]) == tried[-2::-1]
        assert decide(answered, young, (), fallback=True, stale=stale) == (Reason.FAILED,)


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
        stage.flags[FLAG] = False
        stage.mock.value = ValueError("dice lost")
        assert await stage.read() == NOTHING
        stage.flags[FLAG] = True
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
        component = Component("part", "section", FLAG, Fake(), Slow())
        reader = Reader([component], lambda: Flags({FLAG: True}), clock, max_age=1)
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


def test_an_answer_is_renewed_before_it_is_too_old_and_nobody_waits_for_that():
    async def run():
        stage = Stage(max_age=1)
        await stage.read()
        stage.real.gate = asyncio.Event()
        stage.real.value = 2
        assert await stage.later(0.79) == REAL
        assert stage.real.calls == 1
        await asyncio.wait_for(asyncio.gather(stage.later(0.01), stage.read(), stage.read()), 1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert stage.real.calls == 2  # under way, once
        assert await stage.read() == REAL
        stage.clock.advance(SECOND // 5)
        late = asyncio.create_task(stage.read())  # the old answer is too old: who reads waits for the new one
        await asyncio.sleep(0.01)
        assert not late.done()
        stage.real.gate.set()
        assert (await late)[0] == 2
        assert stage.real.calls == 2
    asyncio.run(run())


def test_what_is_looked_at_by_nobody_is_not_renewed():
    async def run():
        stage = Stage(max_age=1)
        await stage.reader.look("part")
        stage.clock.advance(900_000)
        await stage.reader.look("part")
        await stage.reader.observe("part")
        await asyncio.sleep(0.01)
        assert stage.real.calls == 1
        await stage.read()
        await stage.reader.close()
        assert stage.real.calls <= 2
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


# Ramps


SHARE = ("real", Origin.REAL, Reason.RAMP)
REST = ("mock", Origin.MOCK, Reason.RAMP)
VIEWERS = [f"viewer {number}" for number in range(400)]


def test_a_ramp_gives_its_share_the_real_source_and_keeps_everybody_where_they_are():
    async def run():
        stage, shares = Stage(), []
        for percent in (0, 10, 25, 99, 100):
            stage.flags["percent_part"] = percent
            seen = {viewer: await stage.read(viewer) for viewer in VIEWERS}
            assert set(seen.values()) <= {SHARE, REST} if percent < 100 else set(seen.values()) == {REAL}
            assert seen == {viewer: await stage.read(viewer) for viewer in VIEWERS}
            shares.append({viewer for viewer, told in seen.items() if told[1] is Origin.REAL})
            assert len(shares[-1]) == pytest.approx(4 * percent, abs=25)
            assert (await stage.read())[1] is (Origin.REAL if percent == 100 else Origin.MOCK), "nobody in particular"
        assert all(less <= more for less, more in pairwise(shares))
    asyncio.run(run())


# Legacy


LEGACY = ("legacy", Origin.LEGACY, Reason.FLAG)


def test_before_the_real_source_the_legacy_one_is_shown():
    async def run():
        stage = Stage(legacy=True)
        stage.flags[FLAG] = False
        assert await stage.read() == LEGACY
        stage.legacy.value = SourceError("down")
        assert await stage.later() == ("mock", Origin.MOCK, Reason.FALLBACK)
        assert (await stage.reader.read("part")).provenance.error == "down"
        stage.flags["fallback_on_error"] = False
        assert await stage.read() == NOTHING
    asyncio.run(run())


def test_the_legacy_source_stands_in_before_the_mock():
    async def run():
        stage = Stage(legacy=True, stale_limit=1)
        stage.real.value = SourceError("down")
        assert await stage.read() == ("legacy", Origin.LEGACY, Reason.LEGACY)
        assert stage.mock.calls == 0
        stage.legacy.value = SourceError("down as well")
        assert await stage.later() == FALLBACK
        stage.mock.value = SourceError("even this")
        assert await stage.later() == NOTHING
    asyncio.run(run())


def test_a_component_may_name_its_own_stand_ins():
    async def run():
        stage = Stage(legacy=True, stand_ins=(Reason.LEGACY,))
        assert await stage.read() == REAL
        stage.real.value = SourceError("down")
        assert await stage.later() == ("legacy", Origin.LEGACY, Reason.LEGACY)
        stage.legacy.value = SourceError("down")
        assert await stage.later() == NOTHING
    asyncio.run(run())


# Old, and leaking


def test_what_a_real_source_gives_of_long_ago_is_real_and_labelled_old():
    async def run():
        stage = Stage(stale_limit=60)
        stage.real.age = 7 * DAY
        assert await stage.read() == STALE
        assert (await stage.reader.read("part")).provenance.as_of == NOW - 7 * DAY
    asyncio.run(run())


class Figures(Struct, frozen=True):
    rate: float
    counts: tuple[int, ...]


@pytest.mark.parametrize(("leak", "told"), [
    (Figures(mark(97.3), (1, 2)), "rate"), (Figures(97.3, (31, 41, 59, 26, 53)), "figure for figure"),
])
def test_a_real_source_that_leaks_the_mock_is_never_labelled_real(leak, told):
    async def run():
        stage = Stage()
        stage.flags[FLAG] = False
        stage.mock.value = Sample(Figures(97.3, (31, 41, 59, 26, 53)), NOW)
        await stage.reader.read("part")
        stage.flags[FLAG] = True
        stage.real.value = Sample(leak, NOW)
        reading = await stage.reader.read("part")
        assert (reading.provenance.source, reading.provenance.reason) == (Origin.MOCK, Reason.FALLBACK)
        assert told in reading.provenance.error
        await asyncio.sleep(0)
        assert stage.watch.calls == [(Origin.MOCK, None), (Origin.REAL, ErrorKind.LEAK)]
    asyncio.run(run())


# The shadow


async def settle(stage: Stage) -> None:
    while stage.reader._shadows:
        await asyncio.gather(*stage.reader._shadows)


def test_the_shadow_asks_the_real_source_and_shows_nothing_of_it():
    async def run():
        stage = Stage()
        stage.flags |= {FLAG: False, "shadow_part": True}
        assert await stage.read() == MOCK
        assert stage.real.calls == 0, "nobody waits for it"
        await settle(stage)
        assert await stage.read() == MOCK
        await settle(stage)
        assert stage.real.calls == 1, "once a second"
        stage.real.value = SourceError("down")
        assert await stage.later() == MOCK
        await settle(stage)
        await asyncio.sleep(0)
        assert stage.watch.calls.count((Origin.REAL, ErrorKind.FAILED)) == 1
        assert set(stage.watch.shown) == {Origin.MOCK}
        stage.flags[FLAG] = True  # now the mock is in the shadow, which nobody needs
        stage.real.value = "real"
        before = stage.mock.calls
        assert await stage.later() == REAL
        await settle(stage)
        assert stage.mock.calls == before
    asyncio.run(run())


def test_a_shadow_begins_when_the_answer_is_out(monkeypatch):
    async def run():
        stage = Stage()
        stage.flags |= {FLAG: False, "shadow_part": True}
        assert await asyncio.create_task(stage.read()) == MOCK
        assert len(await asyncio.create_task(stage.reader.read_all(["part"] * 3))) == 3
        assert (len(stage.reader._shadows), stage.real.calls) == (1, 0)
        await stage.reader.close()

    monkeypatch.setattr("crossfade.reader.SHADOW_AFTER_S", 60)
    asyncio.run(run())


@pytest.mark.parametrize("real", [True, False])
def test_the_shadow_of_a_legacy_source_is_a_pair_with_its_noise(real):
    async def run():
        stage = Stage(legacy=True)
        stage.flags |= {FLAG: real, "shadow_part": True}
        await stage.read()
        await settle(stage)
        assert stage.watch.pairs == [("real", "legacy", "legacy")]
        stage.legacy.value = SourceError("down")
        await stage.later()
        await settle(stage)
        assert len(stage.watch.pairs) == 1
    asyncio.run(run())


def test_shadows_are_sampled_and_shed():
    async def run():
        stage = Stage(shadow_share=0.5)
        stage.flags |= {FLAG: False, "shadow_part": True}
        await stage.read()
        assert not stage.reader._shadows, "half of them is less than what was drawn"

        gate = asyncio.Event()
        parts = [Component(f"part {n}", "s", FLAG, Fake(), Fake()) for n in range(MOST_SHADOWS + 2)]
        for part in parts:
            part.real.gate = gate  # type: ignore[attr-defined]
        notes = Notes()
        reader = Reader(parts, lambda: Flags({"shadow_part": True}), ManualClock(NOW), max_age=1, watch=notes)
        assert len(await reader.read_all(part.name for part in parts)) == len(parts)
        assert (len(reader._shadows), notes.sheds) == (MOST_SHADOWS, 2)
        await reader.close()
        assert not reader._shadows
    asyncio.run(run())


def test_news_have_the_real_source_asked_anew_and_a_look_counts_for_nobody():
    async def run():
        stage = Stage()
        await stage.read()
        await stage.reader.look("part")
        assert stage.real.calls == 1
        stage.reader.spoil({"another"})
        await stage.read()
        assert stage.real.calls == 1
        stage.reader.spoil({"part"})
        await stage.read()
        await stage.read()
        assert stage.real.calls == 2
        stage.flags[FLAG] = False
        assert (await stage.reader.look("part")).provenance.source is Origin.MOCK
        assert (await stage.reader.look_real("part")).payload.value == "real"
        assert stage.watch.shown == [Origin.REAL] * 4
        assert sum(stage.reader.served.values()) == 4
        stage.real.value = RuntimeError("gone")
        stage.clock.advance(SECOND)
        assert (await stage.reader.look_real("part")).payload is None
    asyncio.run(run())
