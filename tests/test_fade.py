"""Crossfade as a library: declared components, their sources of any kind, and their flags."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from msgspec import Struct

from crossfade.core.clock import DAY, SECOND, ManualClock
from crossfade.core.flag import FlagError, Flags
from crossfade.core.reading import Origin, Reason
from crossfade.fade import Crossfade
from crossfade.sources.component import Sample
from crossfade.tracking.lastknown import LastKnown

NOW = 1_790_000_000 * SECOND


class Orders(Struct, frozen=True):
    open: int


def declared(**functions: object) -> Crossfade:
    """With one component, whose mock says 1, legacy 2 and real 3 unless told otherwise."""
    fade = Crossfade(clock=ManualClock(NOW), max_age=0)
    given = {"mock": lambda: Orders(1), "real": lambda: Orders(3)} | functions
    fade.component("openOrders", model=Orders, timeout=0.5)(type("Sources", (), {
        name: staticmethod(function) for name, function in given.items()}))
    return fade


def read(fade: Crossfade, viewer: str | None = None):
    reading = asyncio.run(fade.read("openOrders", viewer))
    return reading.payload and reading.payload.open, reading.provenance.source, reading.provenance.reason


async def soon() -> Orders:
    await asyncio.sleep(0)
    return Orders(4)


def test_the_flag_chooses_among_an_applications_own_functions() -> None:
    fade = declared()
    assert read(fade) == (1, Origin.MOCK, Reason.FLAG)
    fade.set(use_real_open_orders=True)
    assert read(fade) == (3, Origin.REAL, Reason.FLAG)
    fade.set(percentOpenOrders=0)
    assert read(fade, "ann") == (1, Origin.MOCK, Reason.RAMP)


@pytest.mark.parametrize(("real", "expected"), [
    (soon, (4, Origin.REAL, Reason.FLAG)),
    (partial(soon), (4, Origin.REAL, Reason.FLAG)),
    (lambda: Sample(Orders(5), NOW - 7 * DAY), (5, Origin.REAL, Reason.STALE)),
    (lambda: None, (1, Origin.MOCK, Reason.FALLBACK)),
    (lambda: {"open": 5}, (1, Origin.MOCK, Reason.FALLBACK)),
    (lambda: Sample(Orders(5), NOW + DAY), (1, Origin.MOCK, Reason.FALLBACK)),
    (lambda: 1 // 0, (1, Origin.MOCK, Reason.FALLBACK)),
])
def test_functions_of_every_kind(real: object, expected: object) -> None:
    fade = declared(real=real)
    fade.set(use_real_open_orders=True)
    assert read(fade) == expected


def test_another_struct_is_not_the_model() -> None:
    class Other(Struct, frozen=True):
        open: int

    fade = declared(real=lambda: Other(3))
    fade.set(use_real_open_orders=True)
    assert read(fade) == (1, Origin.MOCK, Reason.FALLBACK)


def test_a_legacy_function_is_shown_before_the_real_one() -> None:
    fade = declared(legacy=lambda: Orders(2))
    assert read(fade) == (2, Origin.LEGACY, Reason.FLAG)


def test_a_function_that_hangs_holds_one_thread_however_often_it_is_asked() -> None:
    gate = threading.Event()
    before = threading.active_count()
    fade = declared(real=lambda: gate.wait() and Orders(3))
    fade.set(use_real_open_orders=True)

    async def many() -> list[str | None]:
        errors = [(await fade.read("openOrders")).provenance.error for _ in range(3)]
        assert threading.active_count() <= before + 3  # the executor's, of which the mock has one
        gate.set()
        return errors

    assert asyncio.run(many()) == ["no answer within 0.5 s", *["the last call of the source has not come back yet"] * 2]


def test_a_function_that_was_given_up_while_it_waited_for_a_thread_is_asked_again() -> None:
    gate = threading.Event()
    fade = declared()
    fade.component("late", model=Orders, timeout=0.01)(type("Sources", (), {
        "mock": staticmethod(soon), "real": staticmethod(lambda: Orders(3))}))
    fade.set(use_real_late=True)

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        hanging = asyncio.get_running_loop().run_in_executor(None, gate.wait)
        assert (await fade.read("late")).provenance.error == "no answer within 0.01 s"
        gate.set()
        await hanging
        while (reading := await fade.read("late")).provenance.source is not Origin.REAL:
            assert reading.provenance.reason is Reason.FALLBACK
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 10))


def test_flags_come_from_the_environment_or_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_REAL_OPEN_ORDERS", "true")
    assert read(declared())[1] is Origin.REAL
    fade = Crossfade(flags={"use_real_open_orders": False}, clock=ManualClock(NOW))
    fade.component("openOrders", model=Orders)(type("S", (), {"mock": staticmethod(lambda: Orders(1)),
                                                              "real": staticmethod(lambda: Orders(3))}))
    assert read(fade)[1] is Origin.MOCK
    assert fade.flags["use_real_open_orders"] is False


def test_flags_that_are_followed_decide_and_are_changed_at_their_server(tmp_path: Path) -> None:
    kept = LastKnown(tmp_path / "flags", "http://127.0.0.1:9")
    kept.replace(Flags({"use_real_open_orders": True}, 3), NOW)
    fade = Crossfade(clock=ManualClock(NOW), follow="http://127.0.0.1:9", keep=tmp_path / "flags")
    for name in ("openOrders", "unknown"):
        fade.component(name, model=Orders)(type("S", (), {"mock": staticmethod(lambda: Orders(1)),
                                                          "real": staticmethod(lambda: Orders(3))}))

    async def run() -> None:
        assert (await fade.read("openOrders")).provenance.source is Origin.REAL
        assert (await fade.read("unknown")).provenance.source is Origin.MOCK, "the server has no flag for it"
        await fade.close()

    asyncio.run(run())
    assert fade.flags.revision == 3
    with pytest.raises(FlagError, match="change them at their server"):
        fade.set(use_real_open_orders=False)
    assert fade.flags["use_real_open_orders"] is True
    with pytest.raises(ValueError, match="given as well"):
        Crossfade(follow="http://127.0.0.1:9", flags={"use_real_open_orders": True})


def test_a_server_that_serves_the_components_does_not_follow_itself() -> None:
    before = threading.active_count()
    fade = Crossfade(follow="http://127.0.0.1:9")
    fade.component("openOrders", model=Orders)(type("S", (), {"mock": staticmethod(lambda: Orders(1)),
                                                              "real": staticmethod(lambda: Orders(3))}))
    assert len(fade.components) == 1
    assert threading.active_count() == before


def test_what_cannot_be_meant_is_refused() -> None:
    fade = declared()
    for name in ("", "Open", "open orders", "open-orders", "x" * 80):
        with pytest.raises(ValueError, match="name of a component"):
            fade.component(name, model=Orders)
    with pytest.raises(ValueError, match="twice"):
        fade.component("openOrders", model=Orders)
    with pytest.raises(ValueError, match="lacks the function real"):
        fade.component("late", model=Orders)(type("S", (), {"mock": staticmethod(lambda: Orders(1))}))
    with pytest.raises(FlagError, match="no flag"):
        fade.set(use_real_carts=True)
    with pytest.raises(FlagError, match="percentage"):
        fade.set(percent_open_orders=101)
    with pytest.raises(FlagError, match="use_real_carts"):
        asyncio.run(Crossfade(flags={"use_real_carts": True}).read("x"))
    with pytest.raises(KeyError):
        asyncio.run(fade.read("carts"))


def test_without_a_mock_nothing_is_shown_before_the_real_source_is() -> None:
    fade = Crossfade(clock=ManualClock(NOW), max_age=0)
    fade.component("openOrders", model=Orders)(type("Sources", (), {"real": staticmethod(lambda: 1 // 0)}))
    assert read(fade) == (None, Origin.UNAVAILABLE, Reason.FAILED)
    fade.set(use_real_open_orders=True)
    assert read(fade) == (None, Origin.UNAVAILABLE, Reason.FAILED), "fallback is on, and there is none"
    fade.component("sales", model=Orders)(type("Sources", (), {"real": staticmethod(lambda: Orders(3))}))
    fade.set(use_real_sales=True)
    assert asyncio.run(fade.read("sales")).provenance.source is Origin.REAL
