"""The account of every event that a tracker took: what arrived, was rejected or dropped, waits, or is missing.

A tracker numbers its events from 1 without a gap and tells its own counts with each batch. The server notes which
numbers came. A tracker delivers in order, so a number below one that came, and which nobody accounts for, is missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from .summed import summed

MOST_SPANS = 1_000
"""Spans that are kept of a tracker; before them the smallest numbers' gaps are only counted."""
PATIENCE = 2.5
"""Heartbeats without a word after which a tracker is silent."""
NUMBERED_DROPS = ("overflow", "corrupt", "memory")
"""Why a tracker drops an event that has a number already. The other reasons leave no gap."""

Span = tuple[int, int]
"""Numbers from the first to the last, both included."""
Count = Annotated[int, Meta(ge=0, le=2**62)]
Reasons = Annotated[dict[Annotated[str, Meta(max_length=60)], Count], Meta(max_length=40)]
TrackerId = Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Account(Struct, frozen=True, rename="camel"):
    """A tracker's own counts, as it knows them at the time of sending."""

    id: TrackerId
    """A UUIDv7, new for every tracker and process."""
    sequence: Count
    """The number of its last event: how many it has taken."""
    delivered: Count
    """Events that the server has acknowledged to it, the rejected aside."""
    rejected: Reasons
    """Events that the server refused, by its reason."""
    dropped: Reasons
    """Events that will not come, by reason."""
    heartbeat: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    """Seconds after which it says at the latest that it lives."""
    closed: bool = False
    """Whether no further event will come."""
    process: Annotated[str, Meta(max_length=200)] = ""
    """Which process that is, for people: host, number, program."""


class Statement(Struct, frozen=True):
    """What a request told beside its events, as the journal keeps it."""

    account: Account | None = None
    rejected: Mapping[str, tuple[Span, ...]] = {}
    """By reason, the numbers of the tracker's events that were not taken."""
    nameless: Mapping[str, int] = {}
    """By reason, how many others were not taken, of which nobody knows whose they are."""


class Arrivals(Struct, frozen=True):
    """What a segment brought from one tracker."""

    source: int
    at: int
    """When the last of it was received."""
    lines: int
    stored: int
    spans: tuple[Span, ...]


class Heard(Struct, frozen=True):
    """A statement, with the key that it came with and when."""

    source: int
    at: int
    statement: Statement


class Entry(Struct, frozen=True):
    """What the server knows of one tracker."""

    account: Account
    """The latest it told."""
    source: int
    first_seen: int
    last_seen: int
    lines: int = 0
    """Its events that came, each as often as it came."""
    stored: int = 0
    arrived: tuple[Span, ...] = ()
    """Numbers that are in the store, each by itself or by an earlier event with the same message id."""
    rejected: Mapping[str, tuple[Span, ...]] = {}
    given_up: int = 0
    """Numbers in gaps that are no longer kept one by one."""


class Liveness(StrEnum):
    """Whether a tracker can be expected to send more."""

    LIVE = "live"
    SILENT = "silent"
    """It should have said something, and did not: it is dead, or cannot reach the server."""
    CLOSED = "closed"


class Standing(Struct, frozen=True, rename="camel"):
    """A tracker's events, added up: ``sent = arrived + rejected + dropped + waiting + missing``."""

    sent: int
    arrived: int
    """Numbers that are in the store."""
    stored: int
    """Of those, the ones with a message id of their own."""
    deduplicated: int
    """Lines that came once more, and were passed over."""
    rejected: Mapping[str, int]
    dropped: Mapping[str, int]
    """By reason; those without a number (sampled, refused by a hook) are not part of ``sent``."""
    waiting: int
    """Taken by the tracker and not with the server yet, so far as it told."""
    missing: int
    gaps: tuple[Span, ...] = ()
    """Where numbers below the highest did not arrive, dropped ones included; the first few."""


GAPS_SHOWN = 20
FED_BY_EVENTS = frozenset({"businessMetrics", "historicalData"})
"""Components that lack something when a tracker's event is missing."""


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same numbers in order, neighbours joined."""
    joined: list[Span] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def size(spans: Iterable[Span]) -> int:
    """How many numbers that are."""
    return sum(last - first + 1 for first, last in spans)


def gaps(spans: Sequence[Span]) -> tuple[Span, ...]:
    """What lacks between 1 and the highest number of joined spans."""
    before = (0, *(last for _, last in spans))
    return tuple((end + 1, first - 1) for end, (first, _) in zip(before, spans, strict=False) if end + 1 < first)


def fold(spans: Sequence[Span], most: int = MOST_SPANS) -> tuple[tuple[Span, ...], int]:
    """At most so many spans: below them the gaps are closed. Also how many numbers lay in those."""
    if len(spans) <= most:
        return tuple(spans), 0
    cut = len(spans) - most + 1
    low, high = spans[:cut], spans[cut:]
    whole = (low[0][0], low[-1][1])
    return (whole, *high), size([whole]) - size(low)


def enter(entry: Entry | None, arrivals: Arrivals | None, heard: Sequence[Heard], tracker: str) -> Entry:
    """The entry after a segment. What is told once more changes nothing."""
    seen = [one.at for one in heard] + ([arrivals.at] if arrivals else [])
    if entry is None:
        source = arrivals.source if arrivals else heard[0].source
        entry = Entry(Account(tracker, 0, 0, {}, {}), source, min(seen), max(seen))
    if arrivals is not None:
        arrived, given_up = fold(union((*entry.arrived, *arrivals.spans)))
        entry = replace(entry, arrived=arrived, given_up=entry.given_up + given_up,
                        lines=entry.lines + arrivals.lines, stored=entry.stored + arrivals.stored)
    account, rejected = entry.account, dict(entry.rejected)
    for one in heard:
        if one.statement.account is not None:
            account = later(account, one.statement.account)
        for reason, spans in one.statement.rejected.items():
            rejected[reason] = fold(union((*rejected.get(reason, ()), *spans)))[0]
    return replace(entry, account=account, rejected=rejected, last_seen=max(entry.last_seen, *seen))


def later(one: Account, other: Account) -> Account:
    """Of two accounts of a tracker the one that was told later, by what it counts. Closed stays closed."""
    def age(account: Account) -> tuple[int, int, bool]:
        done = account.delivered + sum(account.rejected.values()) + sum(account.dropped.values())
        return account.sequence, done, account.closed

    newest = max(other, one, key=age)
    return replace(newest, closed=one.closed or other.closed)


def stand(entry: Entry) -> Standing:
    """The entry, added up."""
    account = entry.account
    refused = union(span for spans in entry.rejected.values() for span in spans)
    present = union((*entry.arrived, *refused))
    highest = present[-1][1] if present else 0
    sent = max(account.sequence, highest)
    # An event that came in a body which could not be read is rejected too, and only its tracker knows its number.
    rejected = {reason: max(size(entry.rejected.get(reason, ())), account.rejected.get(reason, 0))
                for reason in (*entry.rejected, *account.rejected)}
    explained = sum(account.dropped.get(reason, 0) for reason in NUMBERED_DROPS)
    explained += sum(rejected.values()) - size(refused)
    absent = highest - size(present) + entry.given_up
    missing = max(0, absent - explained)
    waiting = max(0, sent - highest - max(0, explained - absent))
    return Standing(sent, size(entry.arrived) - entry.given_up, entry.stored, entry.lines - entry.stored, rejected,
                    account.dropped, waiting, missing, gaps(present)[:GAPS_SHOWN])


def liveness(entry: Entry, now: int, listening_since: int) -> Liveness:
    """Whether the tracker lives. While the server was away, it could not be heard."""
    if entry.account.closed:
        return Liveness.CLOSED
    quiet = now - max(entry.last_seen, listening_since)
    return Liveness.SILENT if quiet > PATIENCE * entry.account.heartbeat * 1_000_000 else Liveness.LIVE


def add(one: Standing, other: Standing) -> Standing:
    """Two standings together, without their gaps."""
    return Standing(
        one.sent + other.sent, one.arrived + other.arrived, one.stored + other.stored,
        one.deduplicated + other.deduplicated, summed(one.rejected, other.rejected),
        summed(one.dropped, other.dropped),
        one.waiting + other.waiting, one.missing + other.missing,
    )


NOTHING = Standing(0, 0, 0, 0, {}, {}, 0, 0)


def is_settled(entry: Entry) -> bool:
    """Whether nothing more will come of the tracker, and nothing of it is unexplained."""
    standing = stand(entry)
    return entry.account.closed and not standing.missing and not standing.waiting


def completeness(standing: Standing) -> float | None:
    """Per cent of the events that should be in the store which are; those that still wait aside. None without any."""
    due = standing.sent - standing.waiting
    return 100 * standing.arrived / due if due else None


def spans_of(numbers: Iterable[int]) -> tuple[Span, ...]:
    """The numbers as spans; 0 is no number."""
    return union((number, number) for number in numbers if number)
