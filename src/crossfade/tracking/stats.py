"""What a tracker tells about itself."""

import os
import socket
import sys
from collections import Counter
from pathlib import PurePath

from msgspec import Struct

from crossfade.core.ledger import Account


class FlushResult(Struct, frozen=True):
    """What a flush came to."""

    done: bool
    """Whether everything that was tracked before it is with the server (or refused by it)."""
    waiting: int
    """Events of this tracker that still wait."""
    trouble: str = ""
    """Why they wait, in words."""


class Stats(Struct, frozen=True, rename="camel"):
    """A tracker's counts since it began, in this process."""

    tracker: str
    """Its id; it changes in a forked child."""
    tracked: int
    """Events taken: the number of the last one."""
    delivered: int
    """Acknowledged by the server, the rejected aside."""
    rejected: dict[str, int]
    """By the server's reason; they lie in the quarantine."""
    dropped: dict[str, int]
    """By reason: ``sampled``, ``before_send``, ``hook_failed``, ``overflow``, ``corrupt``, ``memory``."""
    adopted: int
    """Events delivered that processes before it had left."""
    waiting: int
    """Taken, and not yet with the server."""
    memory_bytes: int
    """Of those, what only the memory holds: a crash would lose it."""
    trouble: str
    """Why nothing is delivered at present; empty when all is well."""


def process_name(program: str = "") -> str:
    """Which process this is, for people: host, number, program."""
    program = program or (PurePath(sys.argv[0]).name if getattr(sys, "argv", None) else "")
    return f"{socket.gethostname()} {os.getpid()} {program}".strip()[:200]


class Tally:
    """The counts themselves. ``dropped`` is changed by who tracks, the rest by who delivers."""

    def __init__(self) -> None:
        self.sequence = 0
        self.delivered = 0
        self.adopted = 0
        self.rejected: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.trouble = ""
        self._process = process_name()

    def account(self, tracker: str, heartbeat: float, *, closed: bool = False) -> Account:
        """As it travels with each batch. ``heartbeat``: seconds after which another comes at the latest."""
        return Account(tracker, self.sequence, self.delivered, dict(self.rejected), dict(self.dropped), heartbeat,
                       closed, self._process)
