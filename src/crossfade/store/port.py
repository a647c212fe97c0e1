"""What an event store must do. Every backend passes ``tests/store/conformance.py``."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Protocol

from msgspec import Struct


class StoreError(Exception):
    """The event store cannot do what was asked; the message says what to do about it."""


class StoreTooNew(StoreError):
    """The event store was written by a newer Crossfade: install that version, or use another data folder."""


class StoreBusy(StoreError):
    """The event store cannot take a segment now (disk, memory): the loader tries again."""


class Loaded(Struct, frozen=True):
    """What became of a segment."""

    segment: int
    stored: int
    duplicates: int
    quarantined: int
    """Lines that the store could not read; they are kept with the reason."""


class ScanEvent(Struct, frozen=True):
    """A scan's begin or end, as its producer tracked it."""

    segment: int
    at: int
    event: str
    properties: str


class StoreStatus(Struct, frozen=True):
    """How far the store is, and how much ever came into it."""

    segment: int
    """Through which journal segment everything is in."""
    stored: int
    duplicates: int
    quarantined: int
    bytes: int
    """On disk."""


class EventStore(Protocol):
    """Loads segments, each exactly once, and answers exact figures over half-open spans ``[since, until)``.

    ``load`` is called by one thread; the questions by any.
    """

    def load(self, number: int, path: Path) -> Loaded: ...
    def last_segment(self) -> int: ...
    def counts(self, since: int, until: int) -> Mapping[str, int]: ...
    def distinct_users(self, event: str, since: int, until: int) -> int: ...
    def days(self, first: date, last: date) -> Mapping[date, Mapping[str, int]]: ...
    def days_touched(self, after_segment: int) -> Mapping[date, int]: ...
    def scan_events(self, after_segment: int) -> Sequence[ScanEvent]: ...
    def status(self) -> StoreStatus: ...
    def rest(self) -> None: ...
    def forget(self, before: int) -> int: ...
    def close(self) -> None: ...
