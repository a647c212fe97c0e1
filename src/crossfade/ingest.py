"""Takes requests' bodies: judges each event, writes the good ones to the journal, says what became of the others."""

import zlib
from concurrent.futures import Future
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from crossfade.core import line
from crossfade.core.batch import open_batch
from crossfade.core.clock import Clock, micros
from crossfade.core.envelope import Malformed, open_envelope, open_single
from crossfade.core.event import Event, Limits, Rejection, judge_time, parse, sequence_of
from crossfade.core.ledger import Account, Statement, spans_of
from crossfade.journal import Journal

BATCH_CALLS = frozenset({"batch", "import"})
SINGLE_CALLS = frozenset({"track", "identify", "page", "screen", "group", "alias"})
MAX_EVENTS = 100_000
"""Events that a request may have."""
MAX_VALUES = 4_000_000
"""JSON values, roughly, that a body may have to be looked at closely: a small one may unpack to a gigabyte of them."""


class TooLarge(ValueError):  # noqa: N818  it says what is wrong
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

        Raises Malformed when the body is no such call at all, TooLarge when it holds too many events, JournalFull or
        JournalFailed when it must be sent again later.
        """
        received = self._clock.now()
        judged = self._flawless(call, body, source, received) if call in BATCH_CALLS else None
        return self._write(judged or self._judge(call, body, source, received))

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

    def _flawless(self, call: str, body: bytes, source: int, received: int) -> "_Judged | None":
        """The fast way, for a batch in which nothing is unusual; None when something is."""
        batch = open_batch(body)
        if batch is None:
            return None
        if batch.count > MAX_EVENTS:
            raise _too_many()
        if batch.sent_at is not None and batch.sent_at.tzinfo is None:
            return None
        head = _head(call, source, received, batch.sent_at, batch.tracker)
        try:
            lines = batch.lines(head, self._limits, needs_timestamp=call == "import")
        except line.Unfit:
            return None
        return _Judged(head, lines, batch.count, batch.tracker)

    def _judge(self, call: str, body: bytes, source: int, received: int) -> "_Judged":
        """The careful way, each event alone."""
        if body.count(b",") > MAX_VALUES:
            raise _too_many()
        opened = open_single(body) if call in SINGLE_CALLS else open_envelope(body)
        if len(opened.items) > MAX_EVENTS:
            raise _too_many()
        head = _head(call, source, received, opened.sent_at, opened.account)
        events: list[Event] = []
        rejected: list[Rejection] = []
        numbers: list[int] = []
        for index, item in enumerate(opened.items):
            verdict = self._verdict(item, call, head)
            if isinstance(verdict, Event):
                events.append(verdict)
            else:
                rejected.append(msgspec.structs.replace(verdict, index=index))
                numbers.append(sequence_of(item) if head.tracker else 0)
        lines = line.encode(events, head, self._limits)
        return _Judged(head, lines, len(events), opened.account, tuple(rejected), tuple(numbers))

    def _verdict(self, item: Raw, call: str, head: line.Head) -> Event | Rejection:
        default_type = call if call in SINGLE_CALLS else "track"
        event = parse(item, default_type, self._limits, needs_timestamp=call == "import")
        if isinstance(event, Rejection):
            return event
        return judge_time(event, head.received, head.offset, self._limits) or event

    def _write(self, judged: "_Judged") -> Taken:
        """To the journal, with a statement for the ledger where there is something to tell."""
        block, count = judged.lines, judged.accepted
        if judged.account is not None or judged.rejected:
            block, count = block + line.encode_statement(_statement(judged), judged.head), count + 1
        future = self._journal.append(block, count, judged.head.received) if count else None
        return Taken(judged.accepted, judged.rejected, future)


class _Judged(Struct, frozen=True):
    """A request, before it is written."""

    head: line.Head
    lines: bytes
    accepted: int
    account: Account | None
    rejected: tuple[Rejection, ...] = ()
    numbers: tuple[int, ...] = ()
    """The rejected events' numbers within their tracker; 0 for one without."""


def _statement(judged: _Judged) -> Statement:
    by_reason: dict[str, list[int]] = {}
    for rejection, number in zip(judged.rejected, judged.numbers, strict=True):
        by_reason.setdefault(rejection.reason, []).append(number)
    return Statement(
        judged.account,
        {reason: spans_of(numbers) for reason, numbers in by_reason.items() if any(numbers)},
        {reason: numbers.count(0) for reason, numbers in by_reason.items() if not all(numbers)},
    )


def _head(call: str, source: int, received: int, sent_at: datetime | None, account: Account | None) -> line.Head:
    """An import tells of the past: its sender's clock says nothing about its events' times."""
    offset = 0 if call == "import" or sent_at is None else received - micros(sent_at)
    return line.Head(source, received, offset, account.id if account else "")


def _too_many() -> TooLarge:
    return TooLarge(f"the body holds more than {MAX_EVENTS:,} events, or too many values: send fewer at a time")
