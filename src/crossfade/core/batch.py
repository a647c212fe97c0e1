"""A batch of which every event is a plain one, as most are: it becomes lines of the journal all at once.

``_batch.c`` does that without a Python object an event, in a quarter of the time. Where it was not compiled, or leaves
a batch to others, msgspec decodes the events, in C too. What neither takes is judged event by event, by
``envelope.py``.
"""

from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import Struct

from . import line
from .event import Event, Limits
from .ledger import Account

try:
    from . import _batch
except ImportError:  # there was no C compiler when this was installed
    COMPILED = False
else:
    COMPILED = True


class Batch(Protocol):
    """Events that have been found to be as they should, but for their times and sizes."""

    @property
    def count(self) -> int: ...

    @property
    def sent_at(self) -> datetime | None: ...

    @property
    def tracker(self) -> Account | None: ...

    def lines(self, head: line.Head, limits: Limits, *, needs_timestamp: bool = False) -> bytes:
        """The events as lines. Raises Unfit when any of them breaks a limit: judge them one by one then."""


class Decoded(Struct, frozen=True, rename="camel"):
    """One that msgspec has decoded."""

    batch: list[Event]
    sent_at: datetime | None = None
    tracker: Account | None = None

    @property
    def count(self) -> int:
        return len(self.batch)

    def lines(self, head: line.Head, limits: Limits, *, needs_timestamp: bool = False) -> bytes:
        return line.encode(self.batch, head, limits, needs_timestamp=needs_timestamp)


class Compiled:
    """One that was read by the compiled reader; ``envelope`` is what was around its events."""

    def __init__(self, read: "_batch.Batch", envelope: Decoded) -> None:
        self._read = read
        self.count = read.count
        self.sent_at = envelope.sent_at
        self.tracker = envelope.tracker

    def lines(self, head: line.Head, limits: Limits, *, needs_timestamp: bool = False) -> bytes:
        read = self._read
        line.judge_times(read.earliest, read.latest, head, limits)
        if (needs_timestamp and read.undated) or read.longest > limits.max_bytes:
            raise line.Unfit("no time, or size")
        return read.lines(line.first_columns(head).encode(), head.tracker.encode())


_decode = msgspec.json.Decoder(Decoded).decode


def open_batch(body: bytes) -> Batch | None:
    """A batch that is flawless in shape; None when it needs a closer look."""
    read = _batch.read(body) if COMPILED else None
    decoded = decode(body if read is None else read.envelope)
    return decoded if read is None or decoded is None else Compiled(read, decoded)


def decode(body: bytes) -> Decoded | None:
    """The same by msgspec alone."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
