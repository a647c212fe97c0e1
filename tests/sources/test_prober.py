"""The prober: deadlines, what is kept of the results, and what they make of a service."""

import asyncio
import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import SECOND, ManualClock
from crossfade.core.payloads import Service
from crossfade.sources.probe import Impaired, Probe
from crossfade.sources.prober import KEPT, Prober, Results, status

START = 1_700_000_000 * SECOND


def prober(*probes: Probe, timeout_s: float = 20, slow_ms: float = 15_000) -> Prober:
    """Deadlines that a busy machine keeps, too, unless the test is about them."""
    return Prober(probes, ManualClock(START), timeout_s=timeout_s, slow_ms=slow_ms)


async def probed(*probes: Probe, timeout_s: float = 20, slow_ms: float = 15_000) -> Service:
    asking = prober(*probes, timeout_s=timeout_s, slow_ms=slow_ms)
    await asking.probe_all()
    return asking.services()[0]


def test_a_callable_tells_in_its_own_words() -> None:
    async def well() -> str:
        return "12 tables"

    async def ill() -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def wordless() -> str:
        raise KeyError

    async def so_so() -> str:
        return Impaired("read only")

    async def scene() -> list[tuple[str, str, str]]:
        asking = prober(*(Probe(ask.__name__, ask) for ask in (well, ill, wordless, so_so)))
        await asking.probe_all()
        return [(service.name, service.status, service.detail) for service in asking.services()]

    assert asyncio.run(scene()) == [
        ("well", "up", "12 tables"),
        ("ill", "down", "OSError: [Errno 28] No space left on device"),
        ("wordless", "down", "KeyError"),
        ("so_so", "degraded", "read only"),
    ]


def test_a_slow_answer_is_degraded() -> None:
    async def well() -> str:
        return "fine"

    service = asyncio.run(probed(Probe("it", well), slow_ms=0))
    assert (service.status, service.detail) == ("degraded", "fine")


def test_one_that_hangs_does_not_hold_the_others() -> None:
    async def hang() -> str:
        await asyncio.Event().wait()
        return "never"

    async def well() -> str:
        return "fine"

    async def scene() -> tuple[Service, ...]:
        asking = prober(Probe("hangs", hang), Probe("well", well), timeout_s=0.05)
        await asking.probe_all()
        return asking.services()

    hung, fine = asyncio.run(scene())
    assert (hung.status, hung.detail) == ("down", "no answer in 0.05 s")
    assert fine.status == "up"


def test_a_failure_keeps_the_latency_of_the_last_success_and_recovery_takes_three() -> None:
    answers = ["fine", None, "fine", "fine", "fine"]

    async def ask() -> str:
        answer = answers.pop(0)
        if answer is None:
            raise ConnectionError
        return answer

    async def scene() -> list[Service]:
        asking = prober(Probe("it", ask))
        found = list(asking.services())
        while answers:
            await asking.probe_all()
            found += asking.services()
        return found

    found = asyncio.run(scene())
    assert [service.status for service in found] == ["unknown", "up", "down", "degraded", "degraded", "up"]
    assert [service.probes for service in found] == [0, 1, 2, 3, 4, 5]
    assert [service.uptime for service in found] == [None, 100, 50, pytest.approx(200 / 3), 75, 80]
    assert found[0].detail == "not probed yet"
    assert found[2].latency == found[1].latency


@pytest.mark.parametrize(("latest", "impaired", "slow", "found"), [
    ([], False, False, "unknown"),
    ([True], False, False, "up"),
    ([False], False, False, "down"),
    ([False, True, True], True, True, "down"),
    ([True, False, True], False, False, "degraded"),
    ([True, True, False], False, False, "degraded"),
    ([True, True, True], True, False, "degraded"),
    ([True, True, True], False, True, "degraded"),
    ([True, True, True], False, False, "up"),
])
def test_the_status_table(latest: list[bool], impaired: bool, slow: bool, found: str) -> None:
    assert status(latest, impaired=impaired, slow=slow) == found


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 10), st.integers(0, 12))
def test_the_ring_keeps_just_the_last_results(results: list[bool], kept: int, wanted: int) -> None:
    ring = Results(kept)
    for result in results:
        ring.add(result)
    tail = results[-kept:]
    assert (ring.probes, ring.successes) == (len(tail), sum(tail))
    assert ring.last(wanted) == tail[::-1][:wanted]


def test_a_day_of_results_is_kept_and_no_more() -> None:
    ring = Results()
    for _ in range(KEPT):
        ring.add(False)
    ring.add(True)
    assert (ring.probes, ring.successes) == (8_640, 1)


def test_two_probes_of_one_name_are_refused() -> None:
    async def ask() -> str:
        return ""

    with pytest.raises(ValueError, match="the same name: it"):
        prober(Probe("it", ask), Probe("other", ask), Probe("it", ask))


def test_it_probes_again_after_each_pause_until_it_is_cancelled() -> None:
    pauses: list[float] = []

    async def ask() -> str:
        return "fine"

    async def scene() -> Service:
        thrice = asyncio.Event()

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                thrice.set()
                await asyncio.Event().wait()

        asking = Prober([Probe("it", ask)], ManualClock(START), interval_s=7, pause=pause)
        running = asyncio.create_task(asking.run())
        await thrice.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return asking.services()[0]

    assert asyncio.run(scene()).probes == 3
    assert pauses == [7, 7, 7]
