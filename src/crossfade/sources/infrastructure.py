"""infrastructureMetrics: the stores, the queue, the disk and the targets that the server stands on."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from crossfade.core.canary import mark
from crossfade.core.clock import DAY
from crossfade.core.payloads import Disk, InfrastructureMetrics, IngestQueue, Service

from .component import Sample, SourceError
from .prober import KEPT, Prober
from .synthetic import around, daily, rng


class RealInfrastructure:
    """What the prober found last, and the queue and the disk as they are. As old as the oldest finding."""

    def __init__(self, prober: Prober, queue: Callable[[], IngestQueue], data: Path) -> None:
        self._prober = prober
        self._queue = queue
        self._disk = DiskMeter(data)

    async def fetch(self, now: int) -> Sample:  # noqa: ARG002 - the age is that of the probes
        """Raises SourceError before the first probe, or if the disk does not tell its size."""
        disk = await self._disk.look()
        as_of = self._prober.probed_at()
        if as_of is None:
            raise SourceError("the infrastructure has not been probed yet")
        return Sample(InfrastructureMetrics(self._prober.services(), self._queue(), disk), as_of)


class DiskMeter:
    """The file system that holds a folder, looked at in a thread.

    There is one look at a time, shared by all who wait: a file system that hangs holds one thread, not all.
    """

    def __init__(self, folder: Path, measure: Callable[[Path], Disk] | None = None) -> None:
        self._folder = folder
        self._measure = measure or measure_disk
        self._look: asyncio.Future[Disk] | None = None

    async def look(self) -> Disk:
        """Raises SourceError if the folder is missing or its file system fails."""
        if self._look is None or self._look.done():
            loop = asyncio.get_running_loop()
            self._look = loop.run_in_executor(None, self._measure, self._folder)
        try:
            return await asyncio.shield(self._look)
        except OSError as error:
            why = error.strerror or type(error).__name__  # its text would show the path
            raise SourceError(f"the data folder's disk cannot be read: {why}") from error


def measure_disk(folder: Path) -> Disk:
    """Size and free space as an ordinary user may fill it; used per cent as df counts it."""
    total, used, free = shutil.disk_usage(folder)
    usable = used + free
    return Disk(total, free, round(100 * used / usable, 1) if usable else 0.0)


class MockInfrastructure:
    """Three parts that are well and a disk that fills over a month; made up."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    async def fetch(self, now: int) -> Sample:
        dice = rng(self._seed, "infrastructureMetrics", now)
        parts = (("eventStore", 3.0), ("stateStore", 1.2), ("ingestQueue", 0.4))
        services = tuple(
            Service(name, "up", mark(around(dice, latency, 0.2)), mark(99.9), KEPT, "made up")
            for name, latency in parts
        )
        waiting = round(around(dice, daily(now, 20, 400), 0.1))
        total = 512_000_000_000
        used = round(around(dice, 0.41 + 0.1 * (now % (30 * DAY)) / (30 * DAY), 0.001), 4)
        disk = Disk(total, round(total * (1 - used)), mark(100 * used))
        return Sample(InfrastructureMetrics(services, IngestQueue(waiting, 220 * waiting), disk), as_of=now)
