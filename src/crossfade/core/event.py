"""An event, and the judgement of one: every event is parsed alone, and is an Event or a Rejection.

The wire shape is the Segment spec's. A batch of well-formed track events is decoded whole, in C; whatever is unusual
(another type, an odd id, a bare NaN) is judged event by event, so that one bad event never spoils its batch.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, Never

import msgspec
from msgspec import Meta, Raw, Struct

from .clock import DAY, SECOND, iso, micros

BUILT_IN = (
    "file_processed",
    "duplicate_detected",
    "cleanup_executed",
    "auth_attempt",
    "auth_success",
    "file_upload",
    "file_delete",
    "file_move",
    "scan_started",
    "scan_completed",
    "error_occurred",
)
"""The guide's eleven names. Any other name is welcome."""

MAX_NAME = 200
MAX_ID = 200
MAX_MESSAGE_ID = 100
MAX_DEPTH = 64
"""Levels of nesting that an event may have."""

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Id = Annotated[str, Meta(max_length=MAX_ID)]
MessageId = Annotated[str, Meta(min_length=1, max_length=MAX_MESSAGE_ID)]
Moment = Annotated[datetime, Meta(tz=True)]

NO_PROPERTIES = Raw(b"{}")


class Why(StrEnum):
    """Why an event was rejected."""

    MALFORMED = "malformed"
    WRONG_TYPE = "wrong_type"
    NOT_A_NUMBER = "not_a_number"
    MISSING_EVENT = "missing_event"
    MISSING_TIMESTAMP = "missing_timestamp"
    UNKNOWN_TYPE = "unknown_type"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    CONTROL_CHARACTER = "control_character"


class Rejection(Struct, frozen=True, rename="camel"):
    """One event that was not taken, and why."""

    reason: Why
    detail: str
    message_id: str | None = None
    index: int = 0
    """Its place in the batch."""


class Context(Struct, frozen=True, rename="camel", gc=False):
    """What Crossfade reads of the Segment spec's context; the rest is passed over."""

    session_id: Id | None = None


class Event(Struct, frozen=True, rename="camel", gc=False):
    """Something that happened, as it travels and as it is kept."""

    event: Name
    message_id: MessageId
    timestamp: Moment | None = None
    """As the client wrote it: a retry carries the same."""
    type: Literal["track"] = "track"
    user_id: Id | None = None
    anonymous_id: Id | None = None
    session_id: Id | None = None
    properties: Raw = NO_PROPERTIES
    """A JSON object, as text."""
    context: Context | None = None

    @property
    def session(self) -> str:
        return self.session_id or (self.context.session_id if self.context else None) or ""


class Limits(Struct, frozen=True):
    """What an event may be."""

    max_bytes: int = 256 * 1024
    """Of its properties, as JSON text."""
    max_age: int = 7300 * DAY
    """Microseconds before it was received."""
    max_lead: int = 300 * SECOND
    """Microseconds after it was received: clocks differ."""


class Malformed(ValueError):
    """A body that is no batch at all: nothing of it can be judged event by event."""


class _Loose(Struct, rename="camel"):
    """Any call of the Segment spec, before it is judged."""

    type: str | None = None
    event: str | None = None
    message_id: str | int | None = None
    timestamp: str | None = None
    user_id: str | int | float | None = None
    anonymous_id: str | int | float | None = None
    session_id: str | int | float | None = None
    properties: Raw | None = None
    traits: Raw | None = None
    name: str | None = None
    category: str | None = None
    group_id: str | int | None = None
    previous_id: str | int | None = None
    context: dict[str, Raw] | None = None


class Envelope(Struct, frozen=True, rename="camel"):
    """A batch, before its events are judged."""

    batch: list[Raw]
    sent_at: str | None = None


class _Single(Struct, frozen=True, rename="camel"):
    """What a single call says of its sending."""

    sent_at: str | None = None


class _Batch(Struct, frozen=True, rename="camel"):
    """A batch in which every event is as it should be."""

    batch: list[Event]
    sent_at: datetime | None = None


_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_single = msgspec.json.Decoder(_Single).decode
_decode_loose = msgspec.json.Decoder(_Loose).decode
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode


def decode_batch(body: bytes) -> tuple[list[Event], datetime | None] | None:
    """The events of a batch that is flawless in shape, and when it was sent; None when it needs a closer look."""
    try:
        whole = _decode_batch(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return whole.batch, whole.sent_at


def open_envelope(body: bytes) -> tuple[list[Raw | Rejection], datetime | None]:
    """Each event of a batch as its own JSON text (or what is wrong with it), and when it was sent.

    Raises Malformed when the body is not a batch.
    """
    try:
        envelope = _decode_envelope(body)
    except msgspec.ValidationError as error:
        raise Malformed(f"the body is not a batch: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _open_lenient(body, str(error))
    return list(envelope.batch), _sent_at(envelope.sent_at)


def open_single(body: bytes) -> tuple[list[Raw | Rejection], datetime | None]:
    """The same for a body that is one call by itself."""
    try:
        sent_at = _decode_single(body).sent_at
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        sent_at = None  # parse() says what is wrong with it
    return [Raw(body)], _sent_at(sent_at)


def _open_lenient(body: bytes, complaint: str) -> tuple[list[Raw | Rejection], datetime | None]:
    """The same for a body with bare NaN or Infinity, which real clients send: only those events are rejected."""
    try:
        whole = json.loads(body, parse_constant=_NotANumber)
    except (ValueError, RecursionError):
        raise Malformed(f"the body is not JSON: {complaint}") from None
    if not isinstance(whole, dict) or not isinstance(whole.get("batch"), list):
        raise Malformed("the body is not a batch: it needs a list under `batch`")
    items = [_encode_or_reject(item) for item in whole["batch"]]
    sent_at = whole.get("sentAt")
    return items, _sent_at(sent_at if isinstance(sent_at, str) else None)


class _NotANumber:
    """Stands for NaN, Infinity or -Infinity, none of which is JSON."""

    def __init__(self, name: str) -> None:
        self.name = name


def _encode_or_reject(item: object) -> Raw | Rejection:
    try:
        return Raw(msgspec.json.encode(item))
    except (TypeError, ValueError, RecursionError, OverflowError):
        message_id = item.get("messageId") if isinstance(item, dict) else None
        return Rejection(
            Why.NOT_A_NUMBER, "it holds NaN or Infinity, which JSON does not know",
            message_id if isinstance(message_id, str) else None,
        )


def _sent_at(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = _moment(text)
    if moment is None:
        raise Malformed(f"sentAt is not a time: {text[:40]!r}")
    return moment


def _moment(text: str) -> datetime | None:
    """ISO 8601; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


class _Rejected(Exception):  # noqa: N818 - it carries a Rejection, it is not an error
    def __init__(self, reason: Why, detail: str) -> None:
        self.reason = reason
        self.detail = detail


def parse(raw: Raw, default_type: str, limits: Limits, *, needs_timestamp: bool = False) -> Event | Rejection:
    """One call of the Segment spec as an Event, or what is wrong with it.

    A missing ``messageId`` is made up, so such an event is not recognised when it is sent again. Calls other than
    track become events named ``$identify``, ``$page``, ``$screen``, ``$group`` and ``$alias``.
    """
    try:
        loose = _decode_loose(raw)
    except msgspec.ValidationError as error:
        return Rejection(Why.WRONG_TYPE, str(error), _message_id_of(raw))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Rejection(Why.MALFORMED, str(error))
    except RecursionError:
        return Rejection(Why.TOO_DEEP, f"it is nested more than {MAX_DEPTH} levels deep")
    message_id = None if loose.message_id is None else str(loose.message_id)
    try:
        event = _event(loose, message_id, default_type, needs_timestamp)
        _check_properties(bytes(event.properties), limits)
    except _Rejected as rejected:
        return Rejection(rejected.reason, rejected.detail, message_id)
    return event


def _event(loose: _Loose, message_id: str | None, default_type: str, needs_timestamp: bool) -> Event:
    kind = loose.type or default_type
    name, properties = _meaning(kind, loose)
    timestamp = None
    if loose.timestamp is not None:
        timestamp = _moment(loose.timestamp)
        if timestamp is None:
            _reject(Why.WRONG_TYPE, f"timestamp is not ISO 8601: {loose.timestamp[:40]!r}")
    elif needs_timestamp:
        _reject(Why.MISSING_TIMESTAMP, "an imported event needs its timestamp")
    return Event(
        event=_short("event", name, MAX_NAME),
        message_id=_short("messageId", message_id, MAX_MESSAGE_ID) if message_id else str(uuid.uuid4()),
        timestamp=timestamp,
        user_id=_id("userId", loose.user_id),
        anonymous_id=_id("anonymousId", loose.anonymous_id),
        session_id=_id("sessionId", loose.session_id) or _session_of(loose.context),
        properties=properties,
    )


def _check_properties(text: bytes, limits: Limits) -> None:
    if len(text) > limits.max_bytes:
        _reject(Why.TOO_LARGE, f"its properties have {len(text):,} bytes; {limits.max_bytes:,} are allowed")
    if depth(text) > MAX_DEPTH:
        _reject(Why.TOO_DEEP, f"its properties are nested more than {MAX_DEPTH} levels deep")


def _meaning(kind: str, loose: _Loose) -> tuple[str, Raw]:
    """The event's name and properties, by the type of the call."""
    match kind:
        case "track":
            if not loose.event or not loose.event.strip():
                _reject(Why.MISSING_EVENT, "it has no event name")
            return loose.event, _object("properties", loose.properties)
        case "identify":
            return "$identify", _object("traits", loose.traits or _from_context(loose.context, "traits"))
        case "page" | "screen":
            return f"${kind}", _with(_object("properties", loose.properties), name=loose.name, category=loose.category)
        case "group":
            return "$group", _with(_object("traits", loose.traits), groupId=loose.group_id)
        case "alias":
            return "$alias", _with(NO_PROPERTIES, previousId=loose.previous_id)
        case _:
            _reject(Why.UNKNOWN_TYPE, f"there is no call of type {kind[:40]!r}")


def _object(field: str, raw: Raw | None) -> Raw:
    if raw is None or bytes(raw) == b"null":
        return NO_PROPERTIES
    try:
        # Written anew, so that no key stands twice; white space between tokens may hold a newline or a tab.
        return Raw(msgspec.json.encode(_decode_object(raw)).translate(None, b"\n\t\r"))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        _reject(Why.WRONG_TYPE, f"{field} is not an object")


def _with(properties: Raw, **more: str | int | None) -> Raw:
    """The properties with those of ``more`` that are there."""
    whole = dict(_decode_object(properties))
    whole.update({key: Raw(msgspec.json.encode(value)) for key, value in more.items() if value is not None})
    return Raw(msgspec.json.encode(whole))


def _id(field: str, value: str | float | None) -> str | None:
    return None if value is None else _short(field, str(value), MAX_ID)


def _short(field: str, text: str, limit: int) -> str:
    if len(text) > limit:
        _reject(Why.TOO_LARGE, f"{field} has {len(text):,} characters; {limit} are allowed")
    if has_control(text):
        _reject(Why.CONTROL_CHARACTER, f"{field} holds a control character or half a surrogate pair")
    return text


def has_control(text: str) -> bool:
    """Whether a name or id holds what no name should: C0 controls, DEL, or a lone surrogate."""
    return any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in text)


def _from_context(context: Mapping[str, Raw] | None, key: str) -> Raw | None:
    return context.get(key) if context else None


def _session_of(context: Mapping[str, Raw] | None) -> str | None:
    raw = _from_context(context, "sessionId")
    value = None if raw is None else msgspec.json.decode(raw)
    return _id("context.sessionId", value) if isinstance(value, str | int) else None


def _message_id_of(text: Raw) -> str | None:
    """The message id of an event that is otherwise wrong, so that its sender can find it."""
    try:
        value = msgspec.json.decode(_decode_object(text).get("messageId", b"null"))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return value if isinstance(value, str) else None


def _reject(reason: Why, detail: str) -> Never:
    raise _Rejected(reason, detail)


def judge_time(event: Event, received: int, offset: int, limits: Limits) -> Rejection | None:
    """Whether the event's time, corrected by the sender's clock offset, can be true."""
    if event.timestamp is None:
        return None
    moment = micros(event.timestamp) + offset
    if moment < received - limits.max_age:
        return Rejection(Why.TOO_OLD, f"{iso(micros(event.timestamp))} is longer ago than is kept", event.message_id)
    if moment > received + limits.max_lead:
        return Rejection(Why.IN_FUTURE, f"{iso(micros(event.timestamp))} has not come yet", event.message_id)
    return None


def depth(text: bytes) -> int:
    """How deep a JSON text is nested; brackets inside strings do not count."""
    if text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return 0
    level = deepest = 0
    quoted = escaped = False
    for byte in text:
        if escaped:
            escaped = False
        elif byte == 0x5C:
            escaped = quoted
        elif byte == 0x22:
            quoted = not quoted
        elif not quoted:
            if byte in b"{[":
                level += 1
                deepest = max(deepest, level)
            elif byte in b"}]":
                level -= 1
    return deepest
