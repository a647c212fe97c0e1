"""An event, and the judgement of one: every event is parsed alone, and is an Event or a Rejection.

The wire shape is the Segment spec's. How a body comes apart into events is in ``envelope.py``.
"""

import json
import re
import uuid
from datetime import datetime
from enum import StrEnum
from itertools import accumulate
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from .clock import DAY, SECOND, micros, read_iso

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
"""Levels of nesting that an event's properties may have."""
SHORT = 2 * MAX_DEPTH
"""Bytes of a JSON text that are too few to be nested deeper than that."""

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Id = Annotated[str, Meta(max_length=MAX_ID)]
MessageId = Annotated[str, Meta(min_length=1, max_length=MAX_MESSAGE_ID)]
Moment = Annotated[datetime, Meta(tz=True)]
Sequence = Annotated[int, Meta(ge=0, le=2**62)]

NO_PROPERTIES = Raw(b"{}")
NULL = Raw(b"null")
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"


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
    sequence: Sequence = 0
    """Its number within its tracker, from 1; 0 for an event that no tracker of ours sends."""

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


class _LooseContext(Struct, rename="camel"):
    session_id: Raw = NULL
    traits: Raw = NULL


class _Loose(Struct, rename="camel"):
    """Any call of the Segment spec, before it is judged. What only some calls have is looked at in those alone."""

    type: str | None = None
    event: str | None = None
    message_id: str | int | None = None
    timestamp: str | None = None
    user_id: str | int | float | None = None
    anonymous_id: str | int | float | None = None
    session_id: str | int | float | None = None
    properties: Raw = NULL
    traits: Raw = NULL
    name: Raw = NULL
    category: Raw = NULL
    group_id: Raw = NULL
    previous_id: Raw = NULL
    context: _LooseContext | None = None
    sequence: Raw = NULL


_decode_loose = msgspec.json.Decoder(_Loose).decode
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_id = msgspec.json.Decoder(str | int | float | None).decode
_decode_sequence = msgspec.json.Decoder(Sequence).decode
_find_control = re.compile("[\x00-\x1f\ud800-\udfff]").search
_strings = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)
_BRACKETS = b"{}[]"
_STEPS = bytes.maketrans(_BRACKETS, b"\x01\xff\x01\xff")
"""A bracket as a signed byte: one level down, or one up."""
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in _BRACKETS)


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
        return _explain(raw, str(error))
    except RecursionError:
        return Rejection(Why.TOO_DEEP, _TOO_DEEP)
    message_id = None if loose.message_id is None else str(loose.message_id)
    try:
        return _event(loose, message_id, default_type, limits, needs_timestamp)
    except _Rejected as rejected:
        return Rejection(rejected.reason, rejected.detail, _echo(message_id))


def _event(loose: _Loose, message_id: str | None, default_type: str, limits: Limits,
           needs_timestamp: bool) -> Event:
    name, properties = _meaning(loose.type or default_type, loose, limits)
    timestamp = None
    if loose.timestamp is not None:
        timestamp = read_iso(loose.timestamp)
        if timestamp is None:
            raise _Rejected(Why.WRONG_TYPE, f"timestamp is not ISO 8601: {loose.timestamp[:40]!r}")
    elif needs_timestamp:
        raise _Rejected(Why.MISSING_TIMESTAMP, "an imported event needs its timestamp")
    return Event(
        event=_short("event", name, MAX_NAME),
        message_id=_short("messageId", message_id, MAX_MESSAGE_ID) if message_id else str(uuid.uuid4()),
        timestamp=timestamp,
        user_id=_id("userId", loose.user_id),
        anonymous_id=_id("anonymousId", loose.anonymous_id),
        session_id=_id("sessionId", loose.session_id) or _session_of(loose.context),
        properties=properties,
        sequence=_sequence(loose.sequence),
    )


def sequence_of(raw: Raw) -> int:
    """The number of an event within its tracker, however wrong the rest of it is; 0 when it has none."""
    try:
        return _sequence(_decode_object(raw).get("sequence", NULL))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0


def _sequence(raw: Raw) -> int:
    """Others may mean something else by that name: it is no reason to reject an event."""
    try:
        return _decode_sequence(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0


def _meaning(kind: str, loose: _Loose, limits: Limits) -> tuple[str, Raw]:
    """The event's name and properties, by the type of the call."""
    properties, traits = loose.properties, loose.traits
    match kind:
        case "track":
            if not loose.event or loose.event.isspace():
                raise _Rejected(Why.MISSING_EVENT, "it has no event name")
            return loose.event, _object("properties", properties, limits)
        case "identify":
            if bytes(traits) == b"null" and loose.context is not None:
                traits = loose.context.traits
            return "$identify", _object("traits", traits, limits)
        case "page" | "screen":
            return f"${kind}", _with("properties", properties, limits, name=loose.name, category=loose.category)
        case "group":
            return "$group", _with("traits", traits, limits, groupId=loose.group_id)
        case "alias":
            return "$alias", _with("properties", NULL, limits, previousId=loose.previous_id)
    raise _Rejected(Why.UNKNOWN_TYPE, f"there is no call of type {kind[:40]!r}")


def _object(field: str, raw: Raw, limits: Limits) -> Raw:
    """The JSON object as it was written, on one line: only white space between tokens may hold a line's end."""
    text = bytes(raw).translate(None, b"\n\t\r")
    if text == b"null":
        return NO_PROPERTIES
    if not text.startswith(b"{"):
        raise _Rejected(Why.WRONG_TYPE, f"{field} is not an object")
    if len(text) > limits.max_bytes:
        raise _Rejected(Why.TOO_LARGE, f"its {field} have {len(text):,} bytes; {limits.max_bytes:,} are allowed")
    if is_deep(text):
        raise _Rejected(Why.TOO_DEEP, _TOO_DEEP)
    try:
        text.decode()
    except UnicodeDecodeError:
        raise _Rejected(Why.MALFORMED, f"its {field} are not UTF-8") from None
    return Raw(text)


def _with(field: str, raw: Raw, limits: Limits, **more: Raw) -> Raw:
    """The object with those of ``more`` that are there."""
    whole = _decode_object(_object(field, raw, limits))
    whole.update({key: value for key, value in more.items() if bytes(value) != b"null"})
    return _object(field, Raw(msgspec.json.encode(whole)), limits)


def _id(field: str, value: str | float | None) -> str | None:
    return None if value is None else _short(field, str(value), MAX_ID)


def _short(field: str, text: str, limit: int) -> str:
    if len(text) > limit:
        raise _Rejected(Why.TOO_LARGE, f"{field} has {len(text):,} characters; {limit} are allowed")
    if has_control(text):
        raise _Rejected(Why.CONTROL_CHARACTER, f"{field} holds a control character or half a surrogate pair")
    return text


def has_control(text: str) -> bool:
    """Whether a name or id holds what no name should: a C0 control character, or half a surrogate pair."""
    return _find_control(text) is not None


def _session_of(context: _LooseContext | None) -> str | None:
    """The context's session, if that is an id at all."""
    if context is None:
        return None
    try:
        return _id("context.sessionId", _decode_id(context.session_id))
    except (msgspec.ValidationError, UnicodeDecodeError):
        return None


def _message_id_of(raw: Raw) -> str | None:
    """The message id of an event that is otherwise wrong, so that its sender can find it."""
    try:
        return _echo(msgspec.json.decode(_decode_object(raw).get("messageId", NULL)))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _echo(message_id: object) -> str | None:
    """The message id as an answer may show it."""
    if not isinstance(message_id, str) or has_control(message_id):
        return None
    return message_id[:MAX_MESSAGE_ID]


def _explain(raw: Raw, complaint: str) -> Rejection:
    """What is wrong with text that is no JSON. Some clients' writers make such, and their readers take it."""
    constants: list[str] = []
    try:
        text = bytes(raw).decode(errors="surrogateescape")
        call = json.loads(text, parse_constant=constants.append, parse_int=float, strict=False)
    except (ValueError, RecursionError):
        return Rejection(Why.MALFORMED, complaint)
    message_id = _echo(call.get("messageId")) if isinstance(call, dict) else None
    if constants:
        return Rejection(Why.NOT_A_NUMBER, f"it holds {constants[0]}, which JSON does not know", message_id)
    return Rejection(
        Why.MALFORMED, "it holds text that is not Unicode, such as half a surrogate pair, or bare control characters",
        message_id,
    )


def judge_time(event: Event, received: int, offset: int, limits: Limits) -> Rejection | None:
    """Whether the event's time, corrected by the sender's clock offset, can be true."""
    if event.timestamp is None:
        return None
    moment = micros(event.timestamp) + offset
    if moment < received - limits.max_age:
        return Rejection(Why.TOO_OLD, f"{event.timestamp} is longer ago than is kept", event.message_id)
    if moment > received + limits.max_lead:
        return Rejection(Why.IN_FUTURE, f"{event.timestamp} has not come yet", event.message_id)
    return None


def is_deep(text: bytes) -> bool:
    """Whether a JSON text is nested deeper than it may be. Most have too few brackets to be, which is soon told."""
    return text.count(b"{") + text.count(b"[") > MAX_DEPTH and depth(text) > MAX_DEPTH


def depth(text: bytes) -> int:
    """How deep a JSON text is nested; brackets inside strings do not count."""
    brackets = _strings.sub(b"", text).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0)
