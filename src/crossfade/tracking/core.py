"""The tracker itself: what is tracked is written down before the call returns, and a thread delivers it."""

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from crossfade.core.backoff import Backoff
from crossfade.core.clock import Clock, SystemClock, iso, micros
from crossfade.core.event import MAX_MESSAGE_ID, MAX_NAME
from crossfade.core.flag import Flags

from . import exits
from .delivery import Delivery, Pace
from .flags import FlagFollower
from .heirs import Heirs
from .hooks import BeforeSend, Call, Hooks
from .outbox import Outbox
from .post import Post
from .quarantine import Quarantine
from .spool import Full
from .stamp import Stamp, new_id
from .stats import FlushResult, Stats, Tally
from .wire import JSON, Identify, Track, encode

QUARANTINE = "rejected.jsonl"
KEPT_FLAGS = "flags"
BLOCKED = 0.02
"""Seconds after which a blocked call looks for room again."""
GRACE = 0.25
"""Seconds for the thread to let go of its files, when there is no other time left."""

Fsync = Literal["never", "batch", "always"]
Overflow = Literal["block", "drop", "raise"]

log = logging.getLogger("crossfade.tracking")


class SpoolFull(Exception):  # noqa: N818  it says what is wrong
    """There is no room for the event, and it was not taken."""


class Companion(Protocol):
    """What tracks by itself, beside the application, and is told of the ends and forks that its tracker is told of."""

    def say_last(self) -> None: ...
    def begin_anew(self) -> None: ...


class Core:
    """What ``Tracker`` and ``AsyncTracker`` have in common: all but how one waits."""

    _may_block: ClassVar[bool] = True
    _delivery: Delivery
    _started: bool
    _closed: bool

    def __init__(
        self, url: str, write_key: str, spool: str | os.PathLike[str] | None = None, *,
        batch: int = 100, interval: float = 5.0, heartbeat: float = 60.0, timeout: float = 10.0,
        exit_timeout: float = 2.0, fsync: Fsync = "batch", limit: int = 1 << 30, memory_limit: int = 16 << 20,
        overflow: Overflow = "drop", before_send: BeforeSend | None = None, redact: tuple[str, ...] = (),
        user_key: bytes = b"", sample: dict[str, float] | None = None, backoff: Backoff | None = None,
        pause: float = 60.0, clock: Clock | None = None, flags: bool = False,
    ) -> None:
        """Raises ValueError for an address that is none, or an option that cannot be meant.

        ``spool``: the folder in which events wait, for one application; its processes may share it. Without it they
        wait in memory, and a crash loses them.
        ``batch``, ``interval``: so many events are sent at once, fewer after so many seconds.
        ``heartbeat``: seconds after which an idle tracker says that it lives.
        ``timeout``: seconds for which the server may say nothing. ``pause``: seconds between attempts while it does
        not accept the write key. ``backoff``: the pauses after other failures.
        ``exit_timeout``: seconds that the end of the process may be held up for a last delivery.
        ``fsync``: what was tracked outlives the process in any case. To outlive a loss of power, "always" syncs
        before each call returns, "batch" syncs what the server has not taken at the first attempt, "never" leaves it
        to the system.
        ``limit``: bytes of all spools in the folder; each process may pass it by a segment (an eighth of it, 4 MiB at
        the most). ``memory_limit``: bytes that wait in memory. ``overflow``: whether ``track`` blocks, drops (and
        counts), or raises SpoolFull when they are reached.
        ``before_send``, ``redact``, ``user_key``, ``sample``: see ``Hooks``.
        ``flags``: whether the server's flags are followed too, see ``FlagFollower``; they are kept in the spool.
        """
        if fsync not in {"never", "batch", "always"} or overflow not in {"block", "drop", "raise"}:
            raise ValueError(f"fsync={fsync!r}, overflow={overflow!r}: there is no such choice")
        if overflow == "block" and not self._may_block:
            raise ValueError("overflow='block' would block the event loop")
        if min(batch, interval, heartbeat, timeout, limit, memory_limit, pause) <= 0 or exit_timeout < 0:
            raise ValueError("sizes and times must be above 0")
        self.exit_timeout = exit_timeout
        self._root = Path(spool).absolute() if spool is not None else None
        self.clock = clock or SystemClock()
        self.interval = interval
        self._now = self.clock.now
        self._pace = Pace(batch, interval, heartbeat, pause, backoff or Backoff())
        self._fsync = fsync
        self._limits = {"limit": limit, "memory_limit": memory_limit}
        self._overflow = overflow
        self._hooks = Hooks(before_send, frozenset(redact), user_key, sample)
        self._hooked = bool(self._hooks)
        self._batch = batch
        self._make_post: Callable[[], Post] = lambda: Post(url, write_key, timeout=timeout)
        self._abandoned: list[object] = []
        self._companions: list[Companion] = []
        self._begin()
        exits.watch(self)
        kept = self._root / KEPT_FLAGS if self._root is not None else None
        self._follower = FlagFollower(url, write_key, keep=kept, clock=self.clock) if flags else None

    def track(self, event: str, user_id: str | None = None, properties: JSON | None = None, *,
              timestamp: datetime | None = None, session_id: str | None = None,
              message_id: str | None = None) -> str | None:
        """Takes an event; gives its message id, or None when it was dropped (and counted).

        Raises ValueError or TypeError for what can be no event, SpoolFull, RuntimeError after ``shutdown``.
        """
        if not 0 < len(event) <= MAX_NAME:
            raise ValueError(f"an event's name has 1 to {MAX_NAME} characters")
        if properties is None:
            properties = {}
        if self._hooked:
            call = self._through_hooks(Call(event, user_id, properties, session_id))
            if call is None:
                return None
            event, user_id, properties, session_id = call.event, call.user_id, call.properties, call.session_id
        return self._put(Track(event, "", "", 0, properties, user_id, session_id), timestamp, message_id)

    def identify(self, user_id: str, traits: JSON | None = None, *, timestamp: datetime | None = None,
                 message_id: str | None = None) -> str | None:
        """Takes what is known of a user; otherwise as ``track``."""
        call = self._through_hooks(Call("$identify", user_id, traits or {}, None))
        if call is None or call.user_id is None:
            return None
        return self._put(Identify("", "", 0, call.user_id, call.properties), timestamp, message_id)

    @property
    def flags(self) -> Flags:
        """The server's flags, as it last told them. Raises RuntimeError unless the tracker follows them."""
        if self._follower is None:
            raise RuntimeError("the tracker does not follow the flags: make it with flags=True")
        return self._follower.flags

    def stats(self) -> Stats:
        """The counts as they are now."""
        tally = self._tally
        return Stats(self._outbox.id, tally.sequence, tally.delivered, dict(tally.rejected), dict(tally.dropped),
                     tally.adopted, self._delivery.waiting, self._outbox.in_memory, tally.trouble)

    def deliver(self, timeout: float) -> FlushResult:
        """Waits, up to so many seconds, until all that was tracked is delivered."""
        if not self._started and not self._closed:
            with self._lock:
                self._start()
        return self._delivery.flush(timeout)

    def finish(self, timeout: float) -> FlushResult:
        """The same, for good: the tracker takes nothing more, and what could not be delivered stays in the spool."""
        self.say_last()
        end = time.monotonic() + timeout
        if self._follower is not None:
            self._follower.finish(min(timeout, self._follower.exit_timeout))
        if self._closed or not self._started:
            self._close()
            return self._delivery.flush(0)
        result = self._delivery.flush(timeout)
        self._close()
        self._delivery.stop(max(GRACE, end - time.monotonic()))
        exits.release(self)
        return result

    def accompany(self, companion: Companion) -> None:
        """From now on it is told of forks, and of the end while the tracker still takes events."""
        self._companions.append(companion)

    def say_last(self) -> None:
        """The companions track what they have left to say."""
        for companion in self._companions:
            companion.say_last()

    def begin_anew(self) -> None:
        """In a forked child: the spool, the connection and the thread are the parent's."""
        self._abandoned.append(self._delivery)  # not tidied up: its locks may be held by threads that are not here
        self._outbox.abandon()
        self._begin()
        for companion in self._companions:
            companion.begin_anew()

    def _begin(self) -> None:
        """What belongs to one process."""
        self._lock = threading.RLock()
        self._stamp = Stamp()
        self._tally = Tally()
        self._started = self._closed = False
        self._append: Callable[[bytes], None] = self._append_first
        durable = self._fsync == "always"
        self._outbox = Outbox(self._root, lambda: new_id(self._now()), durable=durable, **self._limits)
        heirs = Heirs(self._root) if self._root is not None else None
        quarantine = Quarantine(self._root / QUARANTINE) if self._root is not None else None
        self._delivery = Delivery(self._outbox, heirs, quarantine, self._make_post(), tally=self._tally,
                                  pace=self._pace, clock=self.clock, durable=self._fsync != "never")

    def _start(self) -> None:
        """Begins to deliver."""
        if not self._started:
            self._started = True
            self._append = self._outbox.append
            exits.keep(self)
            self._delivery.start()

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            self._append = self._append_no_more

    def _put(self, event: Track | Identify, timestamp: datetime | None, message_id: str | None) -> str | None:
        """Numbers an event and puts it away. Gives its message id, or None when there was no room for it."""
        if timestamp is not None or message_id is not None:
            _check(timestamp, message_id)
        while True:
            with self._lock:
                event.message_id, event.timestamp = self._stamp.make(self._now())
                if message_id is not None:
                    event.message_id = message_id
                if timestamp is not None:
                    event.timestamp = iso(micros(timestamp))
                event.sequence = number = self._tally.sequence + 1
                try:
                    self._append(encode(event))
                except Full:
                    self._is_full(number)
                else:
                    self._tally.sequence = number
                    if not number % self._batch:
                        self._delivery.wake()
                    return event.message_id
            if self._overflow == "drop":
                return None
            time.sleep(BLOCKED)

    def _append_first(self, record: bytes) -> None:
        """In place of the outbox's until there is something to deliver."""
        self._start()
        self._outbox.append(record)

    def _append_no_more(self, _: bytes) -> None:
        raise RuntimeError("the tracker is shut down")

    def _is_full(self, number: int) -> None:
        self._delivery.wake()
        if self._overflow == "raise":
            raise SpoolFull("the events that wait have reached their limit")
        if self._overflow == "drop":
            if not self._tally.dropped["overflow"]:
                log.warning("the events that wait have reached their limit: further ones are dropped, and counted")
            self._tally.sequence = number
            self._tally.dropped["overflow"] += 1

    def _through_hooks(self, call: Call) -> Call | None:
        try:
            result = self._hooks.apply(call)
        except Exception:  # the application's own code; what it did not finish must not be sent
            if not self._tally.dropped["hook_failed"]:
                log.exception("before_send failed: such events are dropped, and counted")
            result = "hook_failed"
        if isinstance(result, Call):
            return result
        with self._lock:
            self._tally.dropped[result] += 1
        return None


def _check(timestamp: datetime | None, message_id: str | None) -> None:
    if timestamp is not None and timestamp.tzinfo is None:
        raise ValueError("the timestamp needs a time zone")
    if message_id is not None and not 0 < len(message_id) <= MAX_MESSAGE_ID:
        raise ValueError(f"a message id has 1 to {MAX_MESSAGE_ID} characters")
