"""What every bench gives: rows. A module of this folder that is a part of ``make bench`` has ``rows(size)``."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Figures = Sequence[float]
"""One a round."""


@dataclass(frozen=True)
class Place:
    """Where a row's median lies in the plot of growth."""

    panel: str
    """What is measured there, with its unit."""
    line: str
    events: int


@dataclass(frozen=True)
class Row:
    """One thing that was measured, here and elsewhere, in the same run."""

    name: str
    unit: str
    ours: Figures
    peers: Mapping[str, Figures | str] = field(default_factory=dict)
    """By name the figures, or in words why there are none."""
    goal: float | None = None
    times: Mapping[str, float] = field(default_factory=dict)
    """Goals too: so many times better than this peer."""
    lower: bool = True
    """Whether less is better."""
    note: str = ""
    """What differs between ours and the peers', and what else is to be known."""
    place: Place | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.ours)

    def ratio(self, peer: str) -> float | None:
        """How many times better ours is than the peer's; None where that has no figure, or one of them is not above 0,
        as a difference of two times that are as good as the same may be.
        """
        figures = self.peers[peer]
        if isinstance(figures, str) or min(self.median, statistics.median(figures)) <= 0:
            return None
        ratio = statistics.median(figures) / self.median
        return ratio if self.lower else 1 / ratio

    @property
    def held(self) -> dict[str, bool]:
        """Whether each goal is met: by the peer that it is about, where that has figures, and the row's own by ""."""
        found = {}
        if self.goal is not None:
            found[""] = self.median <= self.goal if self.lower else self.median >= self.goal
        for peer, times in self.times.items():
            ratio = self.ratio(peer)
            if ratio is not None:
                found[peer] = ratio >= times
        return found

    @property
    def met(self) -> bool | None:
        """Whether all goals are; None without one, or where the peers that they are about are all absent."""
        return all(self.held.values()) if self.held else None


@dataclass(frozen=True)
class Size:
    """How much is measured: a few minutes, all of it, or hardly anything, to see that it works."""

    rounds: int
    events: int
    """In one round of ingest."""
    stored: Sequence[int]
    """Events in the store, before reads are timed."""
    grown: Sequence[int]
    """Events in the stores whose costs are compared."""
    calls: int
    """Of track(), in a round."""
    seconds: float
    """For which live pages are watched."""
    soak_s: float
    """For which the memory is held to its bound."""
    processes: int
    rollbacks: int
    duplicates: Sequence[float] = (0.0, 0.05, 0.5)
    """Shares of the events."""
    alone: bool = True
    """Whether to make a Python that has nothing but what a server needs, to tell what that takes."""
    peers: Path | None = None
    """A Python that has the peers."""
    no_peers: str = "--peers none was given"
    """Why there is none."""
    postgresql: Path = Path("/usr/lib/postgresql/15/bin")
    node: Path | None = None
    """A folder with ``v/bin/python`` and ``node_modules/unleash-server``: see rollback.py."""
    store: Path | None = None
    """Where the filled stores are; run.py gives one."""

    def __str__(self) -> str:
        """For who reads the figures."""
        stored, grown = (", ".join(f"{count:,}" for count in counts) for counts in (self.stored, self.grown))
        return (f"{self.rounds} rounds; {self.events:,} events in one of ingest; {stored} events stored for the reads, "
                f"{grown} for the growth; {self.soak_s:,.0f} s at full load.")


TINY = Size(rounds=1, events=2_000, stored=(2_000,), grown=(2_000,), calls=200, seconds=2, soak_s=2, processes=2,
            rollbacks=1, duplicates=(0.5,), alone=False)
USUAL = Size(rounds=5, events=100_000, stored=(1_000_000,), grown=(100_000, 1_000_000, 3_000_000), calls=50_000,
             seconds=6, soak_s=30, processes=100, rollbacks=20)
FULL = Size(rounds=7, events=1_000_000, stored=(10_000_000, 100_000_000), grown=(1_000_000, 10_000_000, 100_000_000),
            calls=100_000, seconds=60, soak_s=600, processes=100, rollbacks=60)
