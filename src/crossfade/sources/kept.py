"""The journal as it is kept, plain or packed: which segments tell of a minute, and what they say.

Every line is looked at once after its segment was loaded, to learn which minutes it belongs to; a minute is then read
from the few segments that tell of it. Where more waits than can be looked at in time the oldest is passed over, and
what only it could tell is for another witness.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from crossfade.core.clock import MINUTE
from crossfade.core.line import Line, decode
from crossfade.journal import archive_files, segment_files

BLOCK = 64 << 10
MOST_BYTES = 128 << 20
"""Of files that wait to be looked at; beyond that the oldest are passed over."""
AT_ONCE = 200_000
"""Lines that are looked at in one go."""
SLACK = MINUTE
"""How far arrivals may be out of order in the journal."""

TROUBLES = (OSError, EOFError, zlib.error)
"""What reading a file may raise."""

Pace = Callable[[], None]
"""Called between small pieces of work: it may rest, and it may raise to end the work."""
Chunk = tuple[int, list[bytes]]
"""A segment's number, and some of its lines."""
_File = tuple[int, int, Path]
"""The first and the last segment in a file, and the file."""


class Kept:
    """What the journal still knows. Used by one thread; every method may raise one of TROUBLES."""

    def __init__(self, folder: Path, lead: int) -> None:
        """``lead``: how far, in microseconds, an event may lie ahead of its arrival."""
        self._folder = folder
        self._lead = lead
        self._begin_after(0)

    def _begin_after(self, segment: int) -> None:
        """Forgets what it knew; nothing up to the segment will be looked at."""
        self.scanned = segment
        self._minutes: dict[int, list[list[int]]] = {}
        self._marks: list[tuple[int, int]] = []

    def scan(self, through: int, pace: Pace) -> bool:
        """Looks at some of the segments up to ``through`` that it has not seen; whether it has seen all of them."""
        files = self._files()
        waiting = [file for file in files if file[1] > self.scanned and file[0] <= through]
        if (begin := _affordable(waiting)) is not None:
            self._begin_after(begin)
        self._drop_forgotten(files[0][0] if files else through + 1)
        lines = 0
        for first, last, path in waiting:
            if last > self.scanned:
                if lines >= AT_ONCE:
                    return False
                lines += self._look(first, last, path, through, pace)
        self.scanned = max(self.scanned, through)  # a number without a file was set aside
        return True

    def since(self) -> int | None:
        """From which time on every event that came with a segment up to ``scanned`` is known; None when none is."""
        return self._marks[0][1] + self._lead + SLACK if self._marks else None

    def covers(self, since: int, through: int) -> bool:
        """Whether every line of a segment up to ``through`` with a time from ``since`` on was looked at."""
        begin = self.since()
        return self.scanned >= through and begin is not None and since >= begin

    def knows(self, segment: int) -> bool:
        """Whether the segment was looked at and is still kept."""
        return bool(self._marks) and self._marks[0][0] <= segment <= self.scanned

    def read(self, since: int, until: int, through: int) -> Iterator[Chunk]:
        """The lines of the segments up to ``through`` that tell of the span, in their order, others among them."""
        minutes = range(since // MINUTE, -(-until // MINUTE))
        runs = _joined(run for minute in minutes for run in self._minutes.get(minute, ()))
        for first, last, path in self._files():
            for begin, end in runs:
                if begin <= last and end >= first:
                    yield from _chunks(first, path, begin, min(end, through))

    def _look(self, first: int, last: int, path: Path, through: int, pace: Pace) -> int:
        """Looks at a file's segments that it has not seen. One that cannot be read is passed over from then on."""
        seen = 0
        try:
            for number, lines in _chunks(first, path, self.scanned + 1, min(last, through)):
                for line in filter(None, map(readable, lines)):
                    self._note(number, line)
                seen += len(lines)
                pace()
        except FileNotFoundError:
            raise  # packed or forgotten at this moment: the next look finds what became of it
        except TROUBLES:
            self._begin_after(last)
            raise
        self.scanned = min(last, through)
        return seen

    def _note(self, segment: int, line: Line) -> None:
        if not self._marks or line.received >= self._marks[-1][1] + MINUTE:
            self._marks.append((segment, line.received))
        if line.ts < self._marks[0][1]:
            return  # of earlier moments the journal does not know all
        runs = self._minutes.setdefault(line.ts // MINUTE, [])
        if runs and segment <= runs[-1][1] + 1:
            runs[-1][1] = max(runs[-1][1], segment)
        else:
            runs.append([segment, segment])

    def _drop_forgotten(self, first_kept: int) -> None:
        """What the forgotten segments told of is no longer fully known."""
        gone = sum(1 for segment, _ in self._marks if segment < first_kept)
        if gone:
            del self._marks[:gone]
            since = self._marks[0][1] // MINUTE if self._marks else None
            self._minutes = {
                minute: runs for minute, runs in self._minutes.items() if since is not None and minute >= since
            }

    def _files(self) -> list[_File]:
        packs = archive_files(self._folder)
        plain = [
            (number, number, path) for number, path in segment_files(self._folder)
            if not any(first <= number <= last for first, last, _ in packs[-2:])  # just packed, and not yet gone
        ]
        return sorted([*packs, *plain])


def readable(text: bytes) -> Line | None:
    """The event that a line tells of; None for one that the store cannot have taken, and for what is no event."""
    try:
        line = decode(text.decode())
    except ValueError:
        return None
    return line if line.message_id else None


def _affordable(waiting: list[_File]) -> int | None:
    """After which segment to begin, where more waits than can be looked at; None when all of it can."""
    room = MOST_BYTES
    for _, last, path in reversed(waiting):
        try:
            room -= path.stat().st_size
        except FileNotFoundError:
            continue
        if room < 0:
            return last
    return None


def _joined(runs: Iterable[list[int]]) -> list[list[int]]:
    joined: list[list[int]] = []
    for begin, end in sorted(runs):
        if joined and begin <= joined[-1][1] + 1:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([begin, end])
    return joined


def _chunks(first: int, path: Path, begin: int, end: int) -> Iterator[Chunk]:
    """The lines of the segments from ``begin`` to ``end`` that are in the file."""
    for number, lines in _packed(first, path) if path.suffix == ".gz" else _plain(first, path):
        if number > end:
            return
        if number >= begin:
            yield number, lines


def _plain(number: int, path: Path) -> Iterator[Chunk]:
    tail = b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            *lines, tail = (tail + block).split(b"\n")
            yield number, lines


def _packed(number: int, path: Path) -> Iterator[Chunk]:
    """Each segment is a gzip member of its own, in their order. Raises EOFError or zlib.error for half a file."""
    with path.open("rb") as file:
        data = file.read(BLOCK)
        while data:
            member, tail = zlib.decompressobj(wbits=31), b""
            while True:
                *lines, tail = (tail + member.decompress(data)).split(b"\n")
                yield number, lines
                if member.eof:
                    break
                data = file.read(BLOCK)
                if not data:
                    raise EOFError(f"{path.name} ends too early")
            number += 1
            data = member.unused_data or file.read(BLOCK)
