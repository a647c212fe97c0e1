"""infrastructureMetrics: the real source, the disk and the mock."""

import asyncio
import shutil
from pathlib import Path
from threading import Event
from typing import cast

import pytest

from crossfade.core.clock import HOUR, MINUTE, SECOND, ManualClock
from crossfade.core.payloads import Disk, InfrastructureMetrics, IngestQueue
from crossfade.sources.component import Sample, SourceError
from crossfade.sources.infrastructure import DiskMeter, MockInfrastructure, RealInfrastructure
from crossfade.sources.probe import Probe
from crossfade.sources.prober import Prober

START = 1_700_000_000 * SECOND


def queue() -> IngestQueue:
    return IngestQueue(12, 3_400)


def infrastructure(sample: Sample) -> InfrastructureMetrics:
    return cast("InfrastructureMetrics", sample.payload)


def test_before_the_first_probe_there_is_nothing_to_tell(tmp_path: Path) -> None:
    async def ask() -> str:
        return "fine"

    source = RealInfrastructure(Prober([Probe("it", ask)], ManualClock(START)), queue, tmp_path)
    with pytest.raises(SourceError, match="has not been probed yet"):
        asyncio.run(source.fetch(START))


def test_the_reading_is_as_old_as_its_oldest_probe(tmp_path: Path) -> None:
    async def scene() -> tuple[Sample, Sample, Sample]:
        clock = ManualClock(START)
        waiting, release = asyncio.Event(), asyncio.Event()

        async def quick() -> str:
            return "fine"

        async def held() -> str:
            waiting.set()
            await release.wait()
            return "at last"

        asking = Prober([Probe("quick", quick), Probe("held", held)], clock, timeout_s=20)
        source = RealInfrastructure(asking, queue, tmp_path)
        running = asyncio.create_task(asking.probe_all())
        await waiting.wait()
        clock.advance(MINUTE)
        early = await source.fetch(clock.now())
        release.set()
        await running
        release.clear()
        waiting.clear()
        running = asyncio.create_task(asking.probe_all())
        await waiting.wait()
        mixed = await source.fetch(clock.now())
        release.set()
        await running
        clock.advance(MINUTE)
        return early, mixed, await source.fetch(clock.now())

    early, mixed, late = asyncio.run(scene())
    assert early.as_of == START
    assert [service.status for service in infrastructure(early).services] == ["up", "unknown"]
    assert mixed.as_of == START
    assert [service.probes for service in infrastructure(mixed).services] == [2, 1]
    assert late.as_of == START + MINUTE
    assert [service.detail for service in infrastructure(late).services] == ["fine", "at last"]
    assert infrastructure(late).queue == queue()
    assert infrastructure(late).disk.total == shutil.disk_usage(tmp_path).total


def test_the_disk_is_that_of_the_folder(tmp_path: Path) -> None:
    disk = asyncio.run(DiskMeter(tmp_path).look())
    assert 0 < disk.free <= disk.total
    assert 0 <= disk.used_percent <= 100


def test_a_missing_data_folder_is_a_source_error_that_does_not_show_the_path(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file or directory") as failure:
        asyncio.run(DiskMeter(tmp_path / "gone").look())
    assert str(tmp_path) not in str(failure.value)


def test_a_disk_that_hangs_holds_one_thread(tmp_path: Path) -> None:
    looks, free = [], Event()

    def measure(folder: Path) -> Disk:
        looks.append(folder)
        free.wait(20)
        return Disk(100, 40, 60.0)

    async def scene() -> tuple[Disk, Disk]:
        meter = DiskMeter(tmp_path, measure)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(meter.look(), 0.01)
        assert looks == [tmp_path]
        free.set()
        return await meter.look(), await meter.look()

    assert asyncio.run(scene()) == (Disk(100, 40, 60.0), Disk(100, 40, 60.0))
    assert len(looks) == 2


# The mock.

def mock(now: int, seed: int = 5) -> Sample:
    return asyncio.run(MockInfrastructure(seed).fetch(now))


def test_the_mock_is_the_same_within_a_minute_and_another_in_the_next() -> None:
    minute = START // MINUTE * MINUTE
    assert mock(minute).payload == mock(minute + MINUTE - 1).payload
    assert mock(minute).payload != mock(minute + MINUTE).payload
    assert mock(minute).payload != mock(minute, seed=6).payload
    assert mock(minute + 7).as_of == minute + 7


@pytest.mark.parametrize("hours", range(0, 24, 4))
def test_the_mock_is_plausible(hours: int) -> None:
    payload = infrastructure(mock(START + hours * HOUR))
    disk = payload.disk
    assert {service.status for service in payload.services} == {"up"}
    assert payload.queue.events > 0
    assert 0 < disk.free < disk.total
    assert disk.used_percent == pytest.approx(100 * (1 - disk.free / disk.total), abs=0.1)
