"""The fault table, ``fault_table.txt``: what the viewer gets of every misbehaving source, and what is said of it.

Each row is played with a real reader and a real observer, and is to be read aloud: *the real source of orders hangs,
after a good reading, with the flag on and fallback: the viewer gets the stale real value, badge cached; there is one
timeout; of two calls one failed; nothing made up was served; the data were real; quality fails, by completeness.*
"""

import asyncio
import gc
from pathlib import Path

import pytest

from crossfade.core.clock import HOUR, SECOND
from crossfade.core.quality import Quality, assess, health
from crossfade.core.reading import Origin, Reading
from crossfade.core.threshold import Window
from crossfade.web.words import state_of

from .fault_sources import ALWAYS_BAD, FAULTS, HANGING, NOW, REAL, Stage

LINES = [line for line in Path(__file__).with_name("fault_table.txt").read_text().splitlines()
         if line and not line.startswith("#")]
TITLES, *ROWS = [tuple(cell.strip() for cell in line.split("|")) for line in LINES]
GIVEN = TITLES.index("shown")
"""What stands left of it is done; the rest is what comes of it."""


async def play(*row: str) -> tuple[str, ...]:
    """Makes a row's fault happen; gives what the viewer got and what was noted, as the table has it."""
    part, who, fault, before, flags, fallback = row
    brief = 0.2 if part == "orders" else 0.01  # a thread may take a while to begin
    stage = Stage(part, timeout=brief if fault in HANGING else 5)
    astray: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: astray.append(context))
    try:
        if before == "mock":
            await stage.read(stage.set("off"))
            stage.clock.advance(10 * SECOND)
        viewer = stage.set(flags, fallback=fallback == "yes")
        if before in {"good", "old"}:
            await stage.read(viewer)
            stage.clock.advance(HOUR if before == "old" else 10 * SECOND)
        for name in who.split("+"):
            stage.sources[Origin(name)].fault = fault
        readings = [await stage.read(viewer)]
        for _ in range(3 if fault == "alternates" else 0):
            stage.clock.advance(10 * SECOND)
            readings.append(await stage.read(viewer))
        return described(stage, readings[-1])
    finally:
        await stage.close()
        await asyncio.get_running_loop().shutdown_default_executor()
        await asyncio.sleep(0)
        gc.collect(0)  # tells of exceptions that nobody took
        assert not astray


def described(stage: Stage, reading: Reading) -> tuple[str, ...]:
    told, tally = reading.provenance, stage.tally()
    assert tally.calls == {origin: source.calls for origin, source in stage.sources.items() if source.calls}
    assert tally.served == {f"{source}/{reason}": count for (_, source, reason), count in stage.reader.served.items()}
    quality = assess(tally, Window(0, NOW + HOUR), now=stage.clock.now())
    check(quality)
    errors = [f"{source} {kind}" + (f" {count}×" if count > 1 else "")
              for source, kinds in sorted(tally.errors.items()) for kind, count in sorted(kinds.items())]
    dimensions = {each.name: each.value for each in quality.dimensions}
    figures = (dimensions.get(name) for name in ("completeness", "validity", "freshness"))
    return (
        f"{told.source}/{told.reason}", state_of(reading), ", ".join(errors) or "-",
        f"{quality.errors} of {quality.calls}", str(quality.undeclared_synthetic), quality.data_source.value,
        quality.status.value, *("-" if figure is None else f"{figure:.3g}" for figure in figures),
    )


def check(quality: Quality) -> None:
    """What holds of any quality that knows no reference."""
    assert quality.accuracy is quality.legacy_score is None
    values = [each.value for each in quality.dimensions if each.value is not None]
    assert quality.quality == min(values, default=None)
    if quality.undeclared_synthetic:
        assert (health([quality]).value or 0) <= 49


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row[:GIVEN]) for row in ROWS])
def test_what_comes_of_a_fault(row: tuple[str, ...]) -> None:
    found = asyncio.run(play(*row[:GIVEN]))
    assert dict(zip(TITLES[GIVEN:], found, strict=True)) == dict(zip(TITLES[GIVEN:], row[GIVEN:], strict=True))


def test_the_table_leaves_nothing_out() -> None:
    given = [row[:GIVEN] for row in ROWS]
    assert len(given) == len(set(given)) >= 100
    columns = [set(column) for column in zip(*given, strict=True)]
    assert columns[0] == {*REAL, "orders", "carts"}
    assert columns[2] == {*FAULTS, *HANGING}
    assert columns[3:] == [{"new", "good", "old", "mock"},
                           {"off", "on", "in", "out", "shadow", "on+shadow"}, {"yes", "no"}]
    assert {row[GIVEN].partition("/")[0] for row in ROWS} == set(Origin)


@pytest.mark.parametrize("part", [*REAL, "orders", "carts"])
@pytest.mark.parametrize("fault", ALWAYS_BAD)
@pytest.mark.parametrize("fallback", ["yes", "no"])
def test_a_fault_is_the_same_for_every_component(part: str, fault: str, fallback: str) -> None:
    """One failed observation, and the best stand-in, labelled, or nothing."""
    shown, badge, errors, *_ = asyncio.run(play(part, "real", fault, "new", "on", fallback))
    best = "legacy/legacy" if part == "carts" else "mock/fallback"
    assert (shown, badge) == ((best, best.partition("/")[0]) if fallback == "yes" else
                              ("unavailable/failed", "unavailable"))
    assert errors.startswith("real ")
    assert "×" not in errors


def test_a_source_that_ignores_its_end_is_not_asked_again_until_it_has_come_back() -> None:
    async def run() -> None:
        stage = Stage("business", timeout=0.01)
        real = stage.sources[Origin.REAL]
        viewer = stage.set("on")
        real.fault = "ignores its end"
        errors = []
        for _ in range(3):
            errors.append((await stage.read(viewer)).provenance.error)
            stage.clock.advance(SECOND)
        assert errors == ["no answer within 0.01 s", *["the last call of the source has not come back yet"] * 2]
        assert real.calls == 1
        real.freed.set()
        real.fault = None
        await asyncio.sleep(0.01)
        assert (await stage.read(viewer)).provenance.source is Origin.REAL
        await stage.close()

    asyncio.run(run())


def test_what_the_mock_made_up_is_known_though_the_mock_fails_meanwhile() -> None:
    async def run() -> None:
        stage = Stage("history")  # whole numbers carry no mark
        await stage.read(stage.set("off"))
        stage.clock.advance(SECOND)
        stage.sources[Origin.MOCK].fault = "raises"
        assert (await stage.read()).payload is None
        stage.sources[Origin.REAL].fault = "leaks the mock"
        assert (await stage.read(stage.set("on"))).payload is None
        assert stage.tally().errors["real"] == {"leak": 1}

    asyncio.run(run())
