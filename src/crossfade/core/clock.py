"""Time, as it is handed in.

Inside Crossfade a moment is an ``int``: microseconds since the epoch, UTC. Outside it is ISO 8601 with a zone.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MINUTE = timedelta(minutes=1)


class Clock(Protocol):
    """Tells the moment, in microseconds since the epoch."""

    def now(self) -> int: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000


class ManualClock:
    """A clock that moves when it is told to: for tests and rehearsals."""

    def __init__(self, now: int = 0) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def advance(self, microseconds: int) -> None:
        self._now += microseconds


def iso(moment: int) -> str:
    """The moment as ISO 8601 in UTC, with as many digits as it needs."""
    text = (EPOCH + timedelta(microseconds=moment)).isoformat()
    return text.removesuffix("+00:00") + "Z"


def micros(moment: datetime) -> int:
    """A date and time with a zone as microseconds since the epoch."""
    return (moment - EPOCH) // _MICROSECOND


def read_iso(text: str) -> datetime | None:
    """What ISO 8601 text says, always with a zone: UTC where it names none. None when it is no such text.

    RFC 3339 is read as msgspec reads it in a whole batch, so that no moment depends on the way by which it came.
    """
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
    offset = moment.utcoffset()
    if offset is None:
        return moment.replace(tzinfo=UTC)
    return None if offset % _MINUTE else moment  # Python reads seconds in an offset, which ISO 8601 does not know
