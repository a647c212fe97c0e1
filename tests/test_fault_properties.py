"""What holds whatever sources do, flags say, clocks show and viewers ask, in any order."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.core.clock import HOUR, SECOND
from crossfade.core.quality import DataSource, assess, health
from crossfade.core.reading import Origin, Reading, Reason
from crossfade.core.threshold import Window

from .fault_sources import FAULTS, NOW, REAL, STALE_LIMIT_S, Stage

SLOW_TO_MAKE = {"gives 10 MB", "raises 10 MB of words", "is interrupted"}
faults = st.sampled_from([None, None, *(name for name in FAULTS if name not in SLOW_TO_MAKE)])
flag_words = st.sampled_from(["off", "on", "in", "out", "shadow", "on+shadow"])
seconds = st.sampled_from([0.5, 1, 10, STALE_LIMIT_S - 10, STALE_LIMIT_S + 1, -5, -3600])
steps = st.one_of(
    st.tuples(st.just("fault"), st.sampled_from([Origin.REAL, *Origin]), faults),
    st.tuples(st.just("flags"), flag_words, st.booleans()),
    st.tuples(st.just("time"), seconds),
    st.tuples(st.just("read"), st.none() | st.text(max_size=3)),
    st.tuples(st.just("crowd"), st.integers(2, 5)),
)


class Play:
    """A run of steps, with the readings that viewers got."""

    def __init__(self, part: str) -> None:
        self.stage = Stage(part)
        self.readings: list[Reading] = []

    async def step(self, kind: str, *told) -> None:
        stage = self.stage
        match kind:
            case "fault" if told[0] in stage.sources:
                stage.sources[told[0]].fault = told[1]
            case "flags":
                stage.set(told[0], fallback=told[1])
            case "time":
                stage.clock.advance(int(told[0] * SECOND))
            case "read":
                self.take(await stage.read(told[0]))
            case "crowd":
                for reading in await asyncio.gather(*(stage.read(str(number)) for number in range(told[0]))):
                    self.take(reading)

    def take(self, reading: Reading) -> None:
        """``stage.read`` has checked its provenance, the page and the API."""
        self.readings.append(reading)
        told, stage = reading.provenance, self.stage
        if told.reason is Reason.STALE and told.error:
            assert stage.flags["fallback_on_error"]
            age = stage.clock.now() - (told.as_of or 0)
            assert -SECOND <= age < (STALE_LIMIT_S + 1) * SECOND, "the limit, and what one computation lasts"
        if told.source is Origin.UNAVAILABLE:
            last = {name: stage.reader._slots[stage.component.name, name].last for name in stage.sources}
            failed = {name for name, outcome in last.items() if outcome is not None and outcome.sample is None}
            assert failed, "nothing is withheld that is there"
            if stage.flags["fallback_on_error"]:
                assert failed >= set(stage.sources) - {Origin.REAL}, "every stand-in failed"

    def end(self) -> None:
        """The account: each call is one observation, each reading is counted once, and quality claims no more."""
        stage = self.stage
        tally = stage.tally()
        kinds = Counter(f"{told.source}/{told.reason}" for told in (each.provenance for each in self.readings))
        assert tally.served == kinds
        assert sum(tally.served.values()) == len(self.readings)
        assert tally.calls == {origin: source.calls for origin, source in stage.sources.items() if source.calls}
        assert tally.synthetic == sum(each.provenance.synthetic for each in self.readings)
        assert tally.undeclared == kinds["mock/fallback"]
        for origin, errors in tally.errors.items():
            assert 0 < sum(errors.values()) <= tally.calls[origin]
        quality = assess(tally, Window(NOW, NOW + HOUR), now=stage.clock.now())
        values = [each.value for each in quality.dimensions if each.value is not None]
        assert quality.quality == min(values, default=None), "never above its worst dimension"
        assert quality.accuracy is quality.accuracy_proof is None, "nothing was compared but with a legacy system"
        whole = health([quality]).value
        assert not tally.undeclared or (whole is not None and whole <= 49)
        real = sum(each.provenance.source is Origin.REAL for each in self.readings)
        valued = sum(each.payload is not None for each in self.readings)
        assert (quality.data_source is DataSource.REAL) is (0 < real == valued)
        assert quality.unavailable == len(self.readings) - valued


@pytest.mark.parametrize("part", [*REAL, "orders", "carts"])
@settings(max_examples=60)
@given(story=st.lists(steps, max_size=25))
def test_in_every_story_each_reading_is_honest_and_each_call_is_noted(part: str, story: list[tuple]) -> None:
    async def run() -> None:
        astray: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: astray.append(context))
        play = Play(part)
        await play.step("read", None)  # so that what the mock makes up is known
        await play.step("flags", "on", True)
        await play.step("read", None)
        for step in story:
            await play.step(*step)
        await play.step("read", "the last one")
        play.end()
        await play.stage.close()
        assert not astray

    asyncio.run(run())
