"""The journal's line: one event, tab-separated, readable by eye, by Python, and by C.

Names and ids hold no control character (an event with one is rejected), and JSON text holds none that is not
escaped, so a tab always ends a column and a newline always ends an event: nothing needs quoting, and no two readers
can disagree about a line.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from .clock import micros
from .event import SHORT, Event, Limits, Moment, is_deep
from .ledger import Statement

COLUMNS = (
    ("source", "USMALLINT"),
    ("received", "BIGINT"),
    ("clock_offset", "BIGINT"),
    ("raw_ts", "TIMESTAMPTZ"),
    ("message_id", "VARCHAR"),
    ("event", "VARCHAR"),
    ("user_id", "VARCHAR"),
    ("anonymous_id", "VARCHAR"),
    ("session_id", "VARCHAR"),
    ("properties", "VARCHAR"),
    ("tracker", "UUID"),
    ("sequence", "BIGINT"),
)
"""Name and SQL type. An empty column is an absent value.

Times of ours are microseconds since the epoch. The sender's is ISO 8601, which msgspec writes for a whole batch in a
quarter of the time that it takes Python to make integers of them.

A line without a message id is no event but a statement: what a request told beside its events, as ``properties``.
"""

_CONTROLS = bytes(range(0x20))
_REST = bytes(byte for byte in range(256) if byte not in _CONTROLS)
_SEPARATORS = b"\t" * (len(COLUMNS) - 1) + b"\n"


_encode_json = msgspec.json.Encoder().encode
_decode_statement = msgspec.json.Decoder(Statement).decode


class Unfit(ValueError):  # noqa: N818  it says what is wrong
    """Some event of a batch needs a closer look before it can be a line."""


class Head(Struct, frozen=True):
    """What all events of a request have in common."""

    source: int
    """Which key they came with."""
    received: int
    offset: int = 0
    """Microseconds to add to the sender's time: ``received - sent_at``."""
    tracker: str = ""
    """The id of the tracker of ours that sent them."""


def encode(events: Sequence[Event], head: Head, limits: Limits, *, needs_timestamp: bool = False) -> bytes:
    """The events as lines. Raises Unfit when any of them breaks a limit: judge them one by one then."""
    try:
        block = "".join(_lines(events, head, limits, needs_timestamp)).encode()
    except UnicodeError:
        raise Unfit("not Unicode") from None
    if block.translate(None, _REST) != _SEPARATORS * len(events):
        raise Unfit("control character")
    return block


def _lines(events: Sequence[Event], head: Head, limits: Limits, needs_timestamp: bool) -> list[str]:
    """Every event of every batch comes through here: what a call would cost is written out."""
    first, tracker = first_columns(head), head.tracker
    harmless = min(SHORT, limits.max_bytes)
    lines: list[str] = []
    add = lines.append
    for event, moment in zip(events, _moments(events, head, limits, needs_timestamp), strict=False):
        properties = str(event.properties, "utf-8")
        if properties[0] != "{" or event.event.isspace():
            raise Unfit("name or properties")
        if len(event.properties) > harmless and _too_large(bytes(event.properties), limits):
            raise Unfit("size or depth")
        add(
            f"{first}{moment}\t{event.message_id}\t{event.event}\t{event.user_id or ''}\t"
            f"{event.anonymous_id or ''}\t{event.session_id or (event.session if event.context else '')}\t"
            f"{properties}\t{tracker}\t{event.sequence if tracker else ''}\n"
        )
    return lines


def _moments(events: Sequence[Event], head: Head, limits: Limits, needs_timestamp: bool) -> list[str]:
    """The events' times as the senders wrote them, all at once; "" for an event without one."""
    times = [event.timestamp for event in events]
    present = [time for time in times if time is not None]
    if needs_timestamp and len(present) < len(times):
        raise Unfit("no time")
    if present:
        judge_times(micros(min(present)), micros(max(present)), head, limits)
    return _encode_json(times).decode().replace("null", '""')[2:-2].split('","')


def judge_times(earliest: int, latest: int, head: Head, limits: Limits) -> None:
    """Raises Unfit when any of the senders' times, of which these are the ends, cannot be true."""
    local = head.received - head.offset
    if earliest < local - limits.max_age or latest > local + limits.max_lead:
        raise Unfit("time")


def first_columns(head: Head) -> str:
    """What comes before an event's own time."""
    return f"{head.source}\t{head.received}\t{head.offset}\t"


def _too_large(properties: bytes, limits: Limits) -> bool:
    return len(properties) > limits.max_bytes or is_deep(properties)


def encode_statement(statement: Statement, head: Head) -> bytes:
    """The statement as a line."""
    text = msgspec.json.encode(statement).decode()
    return f"{first_columns(head)}\t\t\t\t\t\t{text}\t{head.tracker}\t\n".encode()


def decode_statement(text: str) -> Statement:
    """Raises msgspec.MsgspecError, a ValueError, when it is none."""
    return _decode_statement(text)


class Line(Struct, frozen=True):
    """A line, read back: for those who count without the store."""

    source: int
    received: int
    ts: int
    message_id: str
    event: str
    user_id: str
    properties: str
    tracker: str
    sequence: int


def decode(line: str) -> Line:
    """One line, without its newline; one without a message id is a statement. Raises ValueError when it is no line."""
    (source, received, offset, raw, message_id, event, user_id, _anonymous, _session, properties, tracker,
     sequence) = line.split("\t")
    ts = moment_of(raw) + int(offset) if raw else int(received)
    return Line(int(source), int(received), ts, message_id, event, user_id, properties, tracker, int(sequence or 0))


def moment_of(raw: str) -> int:
    """The sender's time, in microseconds since the epoch. Raises ValueError when it is none."""
    return micros(msgspec.convert(raw, Moment))
