"""What an event store must do. Every backend passes ``tests/store/conformance.py``."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from crossfade.core.ledger import Entry, Standing


class StoreError(Exception):
    """The event store cannot do what was asked; the message says what to do about it."""


class StoreTooNew(StoreError):  # noqa: N818 - it says what is the matter
    """The event store was written by a newer Crossfade: install that version, or use another data folder."""


class StoreBusy(StoreError):  # noqa: N818 - it says what is the matter
    """The event store cannot take a segment now (disk, memory): the loader tries again."""


class SegmentUnreadable(StoreBusy):
    """It is the segment's file that cannot be read, and not the store that cannot write."""


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


class StoredReport(Struct, frozen=True):
    """What a process told of itself, as it told it."""

    segment: int
    at: int
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


class Ledger(Struct, frozen=True):
    """What is known of the trackers and their events."""

    entries: tuple[Entry, ...]
    """A tracker each, the one last heard of first."""
    past_trackers: int
    past: Standing
    """Trackers of which nothing more will come, added up."""
    nameless: Mapping[str, int]
    """Rejected events that no tracker of ours sent, by reason."""


class MinuteCounts(Struct, frozen=True):
    """The minute rollup of a span, as it stood after a segment."""

    segment: int
    counts: Mapping[tuple[int, str], int]
    """By minute since the epoch and event."""


class Reach(Struct, frozen=True):
    """How far back the raw events go."""

    forgotten: int
    """Events before this moment may have been forgotten, none after; 0 when none ever were."""
    first: int | None
    """The time of the earliest one; None without any."""


RawEvent = tuple[int, int, str, str | None]
"""Segment, time, name; and of an ``auth_success`` the user, of a ``scan_completed`` the properties."""
Message = tuple[int, int, str, int, str]
"""Segment, time, name; source and message id."""


class EventStore(Protocol):
    """Loads segments, each exactly once, and answers exact figures over half-open spans ``[since, until)``.

    ``load``, ``set_aside``, ``repair``, ``rest``, ``forget`` and ``settle`` are called by one thread and raise
    StoreBusy when they cannot be done now, leaving nothing behind; the questions are asked by any thread and raise
    StoreError.
    """

    def load(self, number: int, path: Path) -> Loaded:
        """Brings in a segment; one that is in already changes nothing.

        Lines that cannot be stored are quarantined. Raises SegmentUnreadable when no line of the file can be read.
        """

    def set_aside(self, number: int, lines: int, reason: str) -> None:
        """Goes on without a segment, whose lines count as quarantined from then on."""

    def last_segment(self) -> int:
        """Through which journal segment everything is in."""

    def counts(self, since: int, until: int) -> Mapping[str, int]:
        """Events by name; names without any are absent. Exact as far back as raw events are kept."""

    def signed_in(self, since: int, until: int) -> int:
        """How many users signed in (``auth_success``), over a minute at the least; events without a user id aside.

        Exact as far back as raw events are kept. Raises ValueError for a shorter span.
        """

    def days(self, first: date, last: date) -> Mapping[date, Mapping[str, int]]:
        """Events by day and name, both ends included, for the days that have any."""

    def days_touched(self, after_segment: int) -> Mapping[date, int]:
        """The days that a later segment changed, with the last that did."""

    def scan_events(self, after_segment: int) -> Sequence[ScanEvent]:
        """Scans' begins and ends that later segments brought, in the segments' order.

        A long history comes in parts, each of whole segments: ask again with the last one's until none come.
        """

    def ledger(self) -> Ledger:
        """The account of the trackers' events, as of the last segment that is in."""

    def reports(self, after_segment: int, since: int) -> Sequence[StoredReport]:
        """Processes' reports from ``since`` on that later segments brought, in the segments' order.

        Of very many the newest alone: older ones would have been left behind by the time.
        """

    def status(self) -> StoreStatus: ...

    # For the recount. Single events, which are counted elsewhere: the answers above are what is checked with them.

    def minutes(self, since: int, until: int) -> MinuteCounts:
        """The minute rollup of the minutes that begin in the span, which is of whole minutes."""

    def raw(self, since: int, until: int) -> Iterator[Sequence[RawEvent]]:
        """The stored events of the span, in parts, in any order."""

    def messages(self, since: int, until: int) -> Iterator[Sequence[Message]]:
        """The stored events of the span by source and message id, in parts, in any order."""

    def known(self, messages: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
        """Those of the messages, each a source and an id, that are stored, whatever their time."""

    def reach(self) -> Reach:
        """How far back the raw events go."""

    def repair(self, minutes: Collection[int], days: Collection[date]) -> None:
        """Counts the rollups of minutes (since the epoch) and of days anew, from the raw events, in one transaction.

        Those whose raw events may have been forgotten are left as they are.
        """

    def rest(self) -> None:
        """Puts things in order. Called in quiet moments, and every now and then when there are none."""

    def forget(self, before: int) -> int:
        """Deletes raw events before the moment, and gives how many; what was counted of them stays."""

    def settle(self, before: int) -> int:
        """Adds up the trackers that were last heard of before the moment and are done; gives how many."""

    def close(self) -> None: ...
