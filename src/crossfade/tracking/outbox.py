"""Where events wait: in a spool, or in memory where there is none or it cannot be written to."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from crossfade.core.ledger import Account

from .frame import MAX_RECORD
from .spool import Batch, Full, Room, Spool

RETRY_SPOOL = 5.0
"""Seconds until a spool that failed is tried again."""
LOOK_AGAIN = 0.1
"""Seconds for which a full spool is taken as full without looking."""
_TRIES = 10

log = logging.getLogger("crossfade.tracking")


class Outbox:
    """Takes records from one thread at a time, and gives them in the same order to one other thread."""

    def __init__(self, root: Path | None, new_name: Callable[[], str], *, limit: int, memory_limit: int,
                 durable: bool) -> None:
        """``root``: the folder of spools, None for memory alone; limits in bytes."""
        self._root = root
        self._new_name = new_name
        self._durable = durable
        self._room = Room(root, limit) if root is not None else None
        self._spool: Spool | None = None
        self._writing = False
        self._retry_at = 0.0
        self._full_until = 0.0
        self._memory: deque[bytes] = deque()
        self._memory_limit = memory_limit
        self._moving = threading.Lock()
        self._busy = False
        self._lent = False
        self._remembered = 0
        self._forgotten = 0
        self.id = new_name()
        self.appended = 0
        self.warned = False

    @property
    def in_memory(self) -> int:
        """Bytes that a crash would lose. Two counters, as two threads change them."""
        return self._remembered - self._forgotten

    def append(self, record: bytes) -> None:
        """Raises Full when there is no room, ValueError when the record is too long. Any other trouble with the
        spool sends it to the memory.
        """
        if self._writing or self._may_write():
            try:
                self._spool.append(record)  # type: ignore[union-attr]
            except OSError as error:
                self._complain(error)
            except Full:
                self._writing = False
                self._full_until = time.monotonic() + LOOK_AGAIN
                raise
            else:
                self.appended += 1
                return
        self._remember(record)
        self.appended += 1

    def peek(self, most: int, most_bytes: int) -> Batch | None:
        """The next records; None when there are none. Raises OSError when the spool cannot be read. ``settle`` when
        it is known what became of them.
        """
        with self._moving:
            batch = self._spool.peek(most, most_bytes) if self._spool is not None else None
            if batch is not None or not self._memory:
                return batch
            self._lent = True
            records = list(_up_to(self._memory, most, most_bytes))
        return Batch(records, len(records), in_memory=True)

    def commit(self, batch: Batch, account: Account) -> None:
        """The batch is delivered. Raises OSError when the spool cannot note it."""
        if batch.in_memory:
            for _ in range(batch.end):
                self._forgotten += len(self._memory.popleft())
        elif self._spool is not None:
            self._spool.commit(batch, account)

    def settle(self) -> None:
        """Whatever was peeked at is committed, or will be peeked at again."""
        self._lent = False

    def sync(self) -> None:
        """Raises OSError."""
        if self._spool is not None:
            self._spool.sync()

    def close(self) -> int:
        """Lets go of the spool, or removes it when nothing is left. Gives the number of events that only the memory
        held, which are lost. Raises OSError.
        """
        if self._spool is not None:
            if self._spool.peek(1, 1) is None:
                self._spool.retire()
            else:
                self._spool.abandon()
        self._writing, self._spool, self._root = False, None, None
        return len(self._memory)

    def abandon(self) -> None:
        """For a forked child: it all belongs to the parent."""
        if self._spool is not None:
            self._spool.abandon()

    def _may_write(self) -> bool:
        """Whether the spool takes records (again): what waits in memory goes into it first."""
        now = time.monotonic()
        if self._root is None or self._busy or now < self._retry_at:
            return False
        if now < self._full_until:
            raise Full
        self._busy = True  # a signal's handler that tracks may come between, in this very thread
        try:
            with self._moving:
                if self._lent:
                    return False
                self._move(self._open(self._root))
                self._writing = True
        except OSError as error:
            self._complain(error)
        except Full:
            self._full_until = now + LOOK_AGAIN
            raise
        finally:
            self._busy = False
        return self._writing

    def _open(self, root: Path) -> Spool:
        """The spool, with a segment that can be written to."""
        if self._spool is None:
            self._spool = self._create(root)
            self.id = self._spool.id
        elif self._retry_at:
            self._spool.renew()
        self._retry_at = 0.0
        return self._spool

    def _move(self, spool: Spool) -> None:
        """Brings what waits in memory to safety."""
        while self._memory:
            spool.append(self._memory[0])
            self._forgotten += len(self._memory.popleft())

    def _create(self, root: Path) -> Spool:
        assert self._room is not None  # noqa: S101  there is one where there is a root
        name = self.id
        for _ in range(_TRIES):
            try:
                return Spool.create(root, name, self._room, durable=self._durable)
            except (BlockingIOError, FileNotFoundError, FileExistsError):
                name = self._new_name()  # another process looked in at that moment
        return Spool.create(root, name, self._room, durable=self._durable)

    def _remember(self, record: bytes) -> None:
        if len(record) > MAX_RECORD:
            raise ValueError(f"an event of {len(record):,} bytes; it may have {MAX_RECORD:,}")
        if self.in_memory + len(record) > self._memory_limit:
            raise Full
        self._memory.append(record)
        self._remembered += len(record)

    def _complain(self, error: OSError) -> None:
        self._writing = False
        self._retry_at = time.monotonic() + RETRY_SPOOL
        if not self.warned:
            self.warned = True
            log.warning("the spool %s cannot be written: %s. Events wait in memory, and a crash would lose them.",
                        self._root, error)


def _up_to(memory: deque[bytes], most: int, most_bytes: int) -> Iterator[bytes]:
    """By index: the other thread may append meanwhile."""
    size = 0
    for index in range(min(most, len(memory))):
        record = memory[index]
        size += len(record)
        if index and size > most_bytes:
            return
        yield record
