"""What the scanner's tests share: a recorder of events, and a clock that lets every step of progress through."""

from collections.abc import Callable

import pytest

from crossfade.core.clock import SECOND
from crossfade.scan import JSON, Cleanup, Progress, ScanResult, delete_duplicates, scan


class TickingClock:
    """A second passes whenever it is asked: no step of progress is too soon after the last."""

    def __init__(self) -> None:
        self._now = 0

    def now(self) -> int:
        self._now += SECOND
        return self._now


class Scanner:
    """Scans and cleans up, and remembers the events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, JSON]]] = []

    def emit(self, event: str, properties: dict[str, JSON]) -> None:
        self.events.append((event, properties))

    def scan(
        self, url: object, progress: Callable[[Progress], None] = lambda _: None, skip: tuple[str, ...] = (),
    ) -> ScanResult:
        return scan(str(url), scan_id="scan-1", clock=TickingClock(), emit=self.emit, progress=progress, skip=skip)

    def clean(self, result: ScanResult, progress: Callable[[Progress], None] = lambda _: None) -> Cleanup:
        return delete_duplicates(result, clock=TickingClock(), emit=self.emit, progress=progress)

    def of(self, event: str) -> list[dict[str, JSON]]:
        return [properties for name, properties in self.events if name == event]


@pytest.fixture
def scanner() -> Scanner:
    return Scanner()
