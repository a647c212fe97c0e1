"""What travels to the server: the Segment spec's calls, and around them what the ledger needs.

An event carries its number within its tracker, a batch the tracker's id and its own counts, so that the server can
tell what is missing. A server that knows neither passes over both.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from crossfade.core.ledger import Account

JSON = Mapping[str, object]


class Track(Struct, tag_field="type", tag="track", rename="camel", omit_defaults=True, gc=False):
    """Something that happened."""

    event: str
    message_id: str
    timestamp: str
    sequence: int
    """The tracker's events are numbered from 1, without a gap."""
    properties: JSON
    user_id: str | None = None
    session_id: str | None = None


class Identify(Struct, tag_field="type", tag="identify", rename="camel", omit_defaults=True, gc=False):
    """What is known of a user."""

    message_id: str
    timestamp: str
    sequence: int
    user_id: str
    traits: JSON


class _Numbered(Struct):
    sequence: int = 0


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"JSON cannot tell a {type(value).__name__}: give text, a number, a list or a dict")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_decode_number = msgspec.json.Decoder(_Numbered).decode
encode = _encoder.encode
"""An event or account as JSON text. Raises TypeError for a value that JSON cannot tell, ValueError for text that is
not Unicode."""


def envelope(records: list[bytes], account: Account, sent_at: str) -> bytes:
    """A batch as it is posted. The events' own texts are joined as they are."""
    return b'{"sentAt":"%b","tracker":%b,"batch":[%b]}' % (sent_at.encode(), encode(account), b",".join(records))


def number(record: bytes) -> int:
    """An event's number; 0 when it has none."""
    try:
        return _decode_number(record).sequence
    except msgspec.MsgspecError:
        return 0
