"""A request's body, taken apart into the events' own JSON texts.

They are judged one by one, so that one bad event never spoils its batch. A batch of plain events does not come here:
see ``batch.py``.
"""

import codecs
import json
import re
from collections.abc import Iterator
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from .clock import read_iso
from .event import NULL
from .ledger import Account


class Malformed(ValueError):  # noqa: N818  it says what is wrong
    """A body that is no batch at all: nothing of it can be judged event by event."""


class Opened(Struct, frozen=True):
    """A body, taken apart."""

    items: list[Raw]
    """Each event as its own JSON text."""
    sent_at: datetime | None
    account: Account | None = None
    """What the tracker tells of itself, when it is one of ours."""


class _Envelope(Struct, frozen=True, rename="camel"):
    """A batch, before its events are judged."""

    batch: list[Raw]
    sent_at: str | None = None
    tracker: Raw = NULL


class _Single(Struct, frozen=True, rename="camel"):
    """What a single call says of its sending."""

    sent_at: str | None = None


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_single = msgspec.json.Decoder(_Single).decode
_decode_account = msgspec.json.Decoder(Account).decode
_skip_space = re.compile(r"[ \t\n\r]*").match


def open_envelope(body: bytes) -> Opened:
    """A batch, each event by itself. Raises Malformed when the body is not a batch."""
    try:
        envelope = _decode_envelope(body)
    except msgspec.ValidationError as error:
        raise Malformed(f"the body is not a batch: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _open_lenient(body, str(error))
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None
    return Opened(envelope.batch, _sent_at(envelope.sent_at), _account(envelope.tracker))


def open_single(body: bytes) -> Opened:
    """The same for a body that is one call by itself."""
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        sent_at = _decode_single(body).sent_at
    except msgspec.ValidationError as error:
        raise Malformed(f"the body is not a call: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        sent_at = None  # parse() says what is wrong with it
    return Opened([Raw(body)], _sent_at(sent_at))


def _open_lenient(body: bytes, complaint: str) -> Opened:
    """The same for a body with a bare NaN or half a surrogate pair, which real clients send: it is cut into events."""
    reader = _Reader(body.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape"))
    try:
        batch, sent_at, account = reader.batch()
    except (ValueError, RecursionError):
        raise Malformed(f"the body is not JSON: {complaint}") from None
    if batch is None or not (sent_at is None or isinstance(sent_at, str)):
        raise Malformed("the body is not a batch: it needs a list under `batch`, and text under `sentAt` if at all")
    return Opened([_raw(text) for text in batch], _sent_at(sent_at), _account(_raw(account)))


class _Reader:
    """Finds where each event of a batch begins and ends, by what Python's json takes for JSON."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        # A float for an int: of no use here but to avoid the limit that Python sets to an int's digits.
        self._decode = json.JSONDecoder(parse_int=float, strict=False).raw_decode

    def batch(self) -> tuple[list[str] | None, object, str]:
        """The texts under ``batch`` (None when no list is there), what is under ``sentAt``, the text under ``tracker``.

        Raises ValueError for what not even Python's json takes.
        """
        batch, sent_at, tracker = None, None, ""
        self._need("{")
        for _ in self._members("}"):
            key = self._value()
            self._need(":")
            if key == "batch":
                batch = self._list()
            elif key == "sentAt":
                sent_at = self._value()
            elif key == "tracker":
                tracker = self._source()
            else:
                self._value()
        self._need("")
        return batch, sent_at, tracker

    def _list(self) -> list[str] | None:
        if not self._takes("["):
            self._value()
            return None
        return [self._source() for _ in self._members("]")]

    def _members(self, end: str) -> Iterator[None]:
        """Stops at each member of a list or object, to be read by the caller, until it has ended."""
        if self._takes(end):
            return
        yield
        while not self._takes(end):
            self._need(",")
            yield

    def _source(self) -> str:
        """The next value, as it is written."""
        start = self._next()
        self._value()
        return self._text[start:self._at]

    def _value(self) -> object:
        value, self._at = self._decode(self._text, self._next())
        return value

    def _takes(self, wanted: str) -> bool:
        """Steps over the character if it is the next one."""
        at = self._next()
        if self._text[at:at + 1] != wanted:
            return False
        self._at = at + len(wanted)
        return True

    def _need(self, wanted: str) -> None:
        if not self._takes(wanted):
            raise ValueError(f"{wanted or 'the end'} is missing")

    def _next(self) -> int:
        """Where the next token begins."""
        space = _skip_space(self._text, self._at)
        return space.end() if space else self._at


def _raw(text: str) -> Raw:
    return Raw(text.encode(errors="surrogateescape"))


def _account(raw: Raw) -> Account | None:
    """Others may mean something else by that name: it is no reason to refuse a batch."""
    try:
        return _decode_account(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _sent_at(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = read_iso(text)
    if moment is None:
        raise Malformed(f"sentAt is not a time: {text[:40]!r}")
    return moment
