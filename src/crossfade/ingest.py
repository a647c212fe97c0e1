"""Takes requests' bodies: judges each event, writes the good ones to the journal, says what became of the others."""

import zlib
from concurrent.futures import Future
from datetime import datetime

from msgspec import Raw, Struct

from crossfade.core import line
from crossfade.core.clock import Clock, micros
from crossfade.core.event import (
    Event,
    Limits,
    Malformed,
    Rejection,
    Why,
    decode_batch,
    judge_time,
    open_envelope,
    open_single,
    parse,
)
from crossfade.journal import Journal

BATCH_CALLS = frozenset({"batch", "import"})
SINGLE_CALLS = frozenset({"track", "identify", "page", "screen", "group", "alias"})


class TooLarge(ValueError):
    """A body is larger than it may be, compressed or not: send it in smaller batches."""


class Taken(Struct, frozen=True):
    """What became of a request. The accepted events are safe once ``on_disk`` is done without an error."""

    accepted: int
    rejected: tuple[Rejection, ...]
    on_disk: "Future[None] | None"


class Ingest:
    """The way of an event from a request to the journal."""

    def __init__(self, journal: Journal, clock: Clock, limits: Limits, *, max_plain: int) -> None:
        """``max_plain``: bytes that a body may have after decompression."""
        self._journal = journal
        self._clock = clock
        self._limits = limits
        self._max_plain = max_plain

    def take(self, call: str, body: bytes, source: int) -> Taken:
        """Judges a body and hands the good events to the journal.

        Raises Malformed when the body is no such call at all, JournalFull when it must be sent again later.
        """
        received = self._clock.now()
        if call in BATCH_CALLS and (fast := self._flawless(call, body, source, received)) is not None:
            return self._write(*fast, (), received)
        events, rejected, head = self._judge(call, body, source, received)
        return self._write(line.encode(events, head, self._limits), len(events), rejected, received)

    def unpack(self, body: bytes) -> bytes:
        """Undoes gzip. Raises TooLarge for a bomb, Malformed for anything else that is wrong with it."""
        inflate = zlib.decompressobj(wbits=31)
        try:
            plain = inflate.decompress(body, self._max_plain + 1)
        except zlib.error as error:
            raise Malformed(f"the body is not gzip: {error}") from None
        if len(plain) > self._max_plain:
            raise TooLarge(f"the body unpacks to more than {self._max_plain:,} bytes")
        if not inflate.eof:
            raise Malformed("the gzip stream is cut short")
        if inflate.unused_data:
            raise Malformed("bytes follow the gzip stream")
        return plain

    def _flawless(self, call: str, body: bytes, source: int, received: int) -> tuple[bytes, int] | None:
        """The fast way, for a batch in which nothing is unusual; None when something is."""
        decoded = decode_batch(body)
        if decoded is None:
            return None
        events, sent_at = decoded
        if sent_at is not None and sent_at.tzinfo is None:
            return None
        head = _head(call, source, received, sent_at)
        try:
            return line.encode(events, head, self._limits, needs_timestamp=call == "import"), len(events)
        except line.Unfit:
            return None

    def _judge(self, call: str, body: bytes, source: int,
               received: int) -> tuple[list[Event], tuple[Rejection, ...], line.Head]:
        """The careful way: each event alone."""
        items, sent_at = open_single(body) if call in SINGLE_CALLS else open_envelope(body)
        head = _head(call, source, received, sent_at)
        default_type = call if call in SINGLE_CALLS else "track"
        events: list[Event] = []
        rejected: list[Rejection] = []
        for index, item in enumerate(items):
            verdict = self._verdict(item, default_type, head, needs_timestamp=call == "import")
            if isinstance(verdict, Event):
                events.append(verdict)
            else:
                rejected.append(Rejection(verdict.reason, verdict.detail, verdict.message_id, index))
        return events, tuple(rejected), head

    def _verdict(self, item: Raw | Rejection, default_type: str, head: line.Head, *,
                 needs_timestamp: bool) -> Event | Rejection:
        if isinstance(item, Rejection):
            return item
        event = parse(item, default_type, self._limits, needs_timestamp=needs_timestamp)
        if isinstance(event, Rejection):
            return event
        if late := judge_time(event, head.received, head.offset, self._limits):
            return late
        try:
            line.encode((event,), head, self._limits)
        except line.Unfit as error:
            return Rejection(Why.MALFORMED, f"it cannot be kept: {error}", event.message_id)
        return event

    def _write(self, block: bytes, count: int, rejected: tuple[Rejection, ...], received: int) -> Taken:
        future = self._journal.append(block, count, received) if count else None
        return Taken(count, rejected, future)


def _head(call: str, source: int, received: int, sent_at: datetime | None) -> line.Head:
    """An import tells of the past: its sender's clock says nothing about its events' times."""
    offset = 0 if call == "import" or sent_at is None else received - micros(sent_at)
    return line.Head(source, received, offset)
