"""Message ids and timestamps, made in well under a microsecond."""

import os
import time

_COUNTER = (1 << 48) - 1


def new_id(now: int) -> str:
    """A UUIDv7 of the moment, microseconds since the epoch."""
    return Stamp().make(now)[0]


class Stamp:
    """Makes UUIDv7 (RFC 9562, with a counter that starts at random in its last 48 bits) and the ISO time to go with
    it. One for a process: a copy in a forked child would repeat its parent's ids. Not thread-safe.
    """

    __slots__ = ("_counter", "_id_head", "_milli", "_second", "_second_text", "_time_head")

    def __init__(self) -> None:
        self._counter = int.from_bytes(os.urandom(6))
        self._milli = self._second = -1
        self._id_head = self._time_head = self._second_text = ""

    def make(self, now: int) -> tuple[str, str]:
        """A new id, and the moment as ISO 8601 in UTC with microseconds."""
        if now // 1000 != self._milli:
            self._turn(now // 1000)
        self._counter = counter = (self._counter + 1) & _COUNTER
        return f"{self._id_head}{counter:012x}", f"{self._time_head}{now % 1000:03d}Z"

    def _turn(self, milli: int) -> None:
        """What is the same for all of a millisecond."""
        second, rest = divmod(milli, 1000)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        random = int.from_bytes(os.urandom(4))
        self._time_head = f"{self._second_text}.{rest:03d}"
        self._id_head = (f"{milli >> 16:08x}-{milli & 0xFFFF:04x}-7{random & 0xFFF:03x}-"
                         f"{0x8000 | random >> 12 & 0x3FFF:04x}-")
        self._milli = milli
