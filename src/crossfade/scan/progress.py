"""How far a scan is, told at a pace that a person can read."""

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from crossfade.core.clock import SECOND, Clock

_INTERVAL = SECOND // 10


class Stage(StrEnum):
    """What the scan is at. Every stage begins at nothing done."""

    WALKING = "walking"
    HEADS = "comparing heads"
    HASHING = "hashing"
    DELETING = "deleting"


class Progress(Struct, frozen=True):
    """How far a stage is. The totals are None where nobody can know them."""

    stage: Stage
    files: int
    total_files: int | None
    bytes: int
    total_bytes: int | None
    path: str
    """The file at hand, as it can be shown; empty at the beginning and the end of a stage."""


Watch = Callable[[Progress], None]


def unwatched(progress: Progress) -> None:
    """Nobody looks."""


class Meter:
    """Counts a stage, and tells the watcher ten times a second at most, beside each stage's begin and end."""

    def __init__(self, clock: Clock, watch: Watch, show: Callable[[str], str]) -> None:
        self._clock = clock
        self._watch = watch
        self._show = show
        self._stage = Stage.WALKING
        self._files = self._bytes = self._told = 0
        self._total_files: int | None = None
        self._total_bytes: int | None = None

    def begin(self, stage: Stage, files: int | None = None, size: int | None = None) -> None:
        self._stage = stage
        self._files = self._bytes = 0
        self._total_files, self._total_bytes = files, size
        self._tell("")

    def step(self, path: str, files: int = 0, size: int = 0) -> None:
        self._files += files
        self._bytes += size
        # A clock that was set back must not silence it.
        if not 0 <= self._clock.now() - self._told < _INTERVAL:
            self._tell(self._show(path))

    def end(self) -> None:
        self._tell("")

    def _tell(self, path: str) -> None:
        self._told = self._clock.now()
        seen = Progress(self._stage, self._files, self._total_files, self._bytes, self._total_bytes, path)
        try:
            self._watch(seen)
        except OSError as error:
            # A broken terminal must not be taken for trouble with the file at hand.
            raise RuntimeError("the scan's progress cannot be shown") from error
