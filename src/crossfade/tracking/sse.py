"""Server-sent events, as a Crossfade server writes them, out of bytes from whoever answers there."""

from collections.abc import Iterator


class Garbled(ValueError):  # noqa: N818  it says what is wrong
    """What came is not what a Crossfade server sends."""


class Events:
    """Cuts a stream into events. What it holds is bounded, however long a line or an event may be.

    Lines end with LF or CR LF. A CR alone, which the standard allows too, no server of ours writes.
    """

    def __init__(self, name: bytes, limit: int) -> None:
        """``name``: of the events that are wanted. ``limit``: bytes that one may have."""
        self._wanted = name
        self._limit = limit
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._name = b""

    def feed(self, received: bytes) -> Iterator[bytes | None]:
        """The data of the wanted events that are whole by now; None for a sign of life. Raises Garbled."""
        *whole, rest = received.split(b"\n")
        for end in whole:
            line = bytes(self._line) + end
            self._line.clear()
            self._grow(len(line))
            yield from self._take(line.removesuffix(b"\r"))
        self._line += rest
        if self._size + len(self._line) > self._limit:
            raise Garbled(f"an event of more than {self._limit:,} bytes")

    def _take(self, line: bytes) -> Iterator[bytes | None]:
        if not line:
            if self._data:
                yield b"\n".join(self._data) if self._name == self._wanted else None
            self._data, self._size, self._name = [], 0, b""
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not field:
            self._size -= len(line)
            yield None
        elif field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._limit:
            raise Garbled(f"an event of more than {self._limit:,} bytes")
