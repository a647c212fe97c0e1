"""Follows the flags of a server: each change is here within a moment, and the server knows that it is.

A thread holds a connection over which the server pushes all flags at each change. It applies them in one step, says
so, and comes back by itself when the connection ends. While the server is away the flags stay as they last were.
"""

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from crossfade.core.backoff import Backoff
from crossfade.core.clock import Clock, SystemClock
from crossfade.core.flag import FlagError, Flags
from crossfade.core.flagevent import HEARTBEAT_S, MAX_EVENT, decode

from . import exits
from .connection import Connection
from .lastknown import LastKnown
from .post import seconds
from .sse import Events, Garbled
from .stats import FlushResult, process_name
from .verdict import message_of

PATIENCE_S = 2.5 * HEARTBEAT_S
"""Seconds without a word after which a connection is dead."""
PIECE = 64 << 10
GRACE = 0.25
"""Seconds for the thread to end in."""

log = logging.getLogger("crossfade.tracking")


class Refused(Exception):  # noqa: N818  it says what is wrong
    """The server answers, but not with its flags."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class FlagFollower:
    """The flags of one server, for one application. Any thread may read; close it at the end."""

    def __init__(
        self, url: str, key: str = "", *, name: str = "", keep: str | os.PathLike[str] | None = None,
        timeout: float = 5.0, patience: float = PATIENCE_S, exit_timeout: float = 1.0, backoff: Backoff | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Raises ValueError for an address that is none, or a key that cannot be sent.

        ``key``: the write key or the admin token; a server on loopback lets this machine follow without one.
        ``name``: which application this is, for people; its host and process are added.
        ``keep``: a file for the flags as they last were; the processes of an application may share it. Without it a
        process that starts while the server is away has none: everything is mock then.
        ``timeout``: seconds that connecting and an answer may take; ``patience``: seconds without a word after which
        the connection is dead; ``backoff``: the pauses before it is tried again; ``exit_timeout``: seconds that the
        end of the process may be held up for a goodbye.
        """
        if min(timeout, patience) <= 0 or exit_timeout < 0:
            raise ValueError("times must be above 0")
        self._make: Callable[[], Connection] = lambda: Connection(url, key)
        self._timeout = timeout
        self._patience = patience
        self.exit_timeout = exit_timeout
        self._backoff = backoff or Backoff(first=0.25, longest=5.0)
        self._now = (clock or SystemClock()).now
        self._program = name
        self.trouble = ""
        """Why it is not connected, in words; empty while it is."""
        self._flags = Flags({})
        self._since: int | None = None
        self._keep = LastKnown(Path(keep).absolute(), self._make().address) if keep is not None else None
        if self._keep is not None and (kept := self._keep.load()) is not None:
            self._flags, self._since = kept
        self._begin()
        exits.watch(self)

    @property
    def flags(self) -> Flags:
        """As the server last told them; none, so that everything is mock, before it ever did."""
        return self._flags

    @property
    def connected(self) -> bool:
        """Whether these are the server's flags now, as far as can be known."""
        return time.monotonic() < self._heard_until

    @property
    def since(self) -> int | None:
        """Since when it is connected, or is not, in microseconds since the epoch. Of flags that were kept, when the
        server told them; None where it never did.
        """
        return self._since

    def wait(self, timeout: float) -> bool:
        """Waits, up to so many seconds, for the server's first word. Whether there was one."""
        return self._told.wait(timeout)

    def close(self) -> None:
        """Says goodbye, and follows no more; the flags stay as they are."""
        self.finish(self.exit_timeout)

    # As the ends and forks of processes are told

    def say_last(self) -> None:
        """Nothing waits to be said."""

    def finish(self, timeout: float) -> FlushResult:
        """As ``close``, within so many seconds."""
        if not self._stopping.is_set():
            self._stopping.set()
            if self._joined:
                self._say_goodbye(timeout)
            self._stream.cut()
            if self._thread is not threading.current_thread():
                self._thread.join(GRACE)
            if self._keep is not None:
                self._keep.close()
        exits.release(self)
        return FlushResult(True, 0)

    def deliver(self, timeout: float) -> FlushResult:
        """The process is about to die of a signal."""
        return self.finish(timeout)

    def begin_anew(self) -> None:
        """In a forked child: the thread and the connections are the parent's."""
        self._stream.abandon()
        self._answers.abandon()
        if self._keep is not None:
            self._keep.begin_anew()
        if not self._stopping.is_set():
            self._begin()

    # What belongs to one process

    def _begin(self) -> None:
        self._id = secrets.token_hex(16)
        self._name = process_name(self._program)
        self._stream, self._answers = self._make(), self._make()
        self._stopping, self._told = threading.Event(), threading.Event()
        self._heard_until = 0.0
        self._joined = False
        self._thread = threading.Thread(target=self._run, name="crossfade-flags", daemon=True)
        exits.keep(self)
        self._thread.start()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began, trouble, pause = time.monotonic(), "the stream has ended", 0.0
            try:
                self._follow()
            except Refused as error:
                trouble, pause = str(error), error.retry_after
            except (OSError, HTTPException, Garbled, FlagError) as error:
                trouble = str(error) or type(error).__name__
            except Exception as error:  # the thread must outlive anything: without it the flags stand still
                log.exception("following the flags failed unexpectedly; it goes on")
                trouble = f"unexpected: {error!r}"
            self._stream.close()
            self._answers.close()
            if not self._stopping.is_set():
                self._is_off(trouble)
                well = time.monotonic() - began > self._backoff.longest
                failures = 1 if well else failures + 1
                self._stopping.wait(self._backoff.pause(failures, pause))

    def _follow(self) -> None:
        """Connects, and applies what comes until the connection ends."""
        answer = self._open()
        events, told = Events(b"flags", MAX_EVENT), False
        while received := answer.read1(PIECE):
            for data in events.feed(received):
                if data is not None:
                    self._apply(decode(data))
                    told = True
                if told:
                    self._stream.within(self._patience)
                    self._is_on()

    def _open(self) -> HTTPResponse:
        query = urlencode({"name": self._name, "id": self._id})
        self._stream.within(self._timeout)
        answer = self._stream.get(f"/api/flags/stream?{query}", "text/event-stream")
        if answer.status != 200:
            said, later = message_of(answer.read(2_000)), seconds(answer.headers.get("Retry-After", ""))
            raise Refused(f"the server answered {answer.status}: {said}", later)
        if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            raise Refused("what answers there is no Crossfade server")
        self._joined = True
        return answer

    def _apply(self, flags: Flags) -> None:
        """In one step. Other processes of the application find them on disk before the server hears that they hold."""
        self._flags = flags
        if self._keep is None:
            self._acknowledge(flags.revision)
            return
        self._keep.replace(flags, self._now())
        try:
            self._acknowledge(flags.revision)
        finally:
            self._keep.sync_later()

    def _acknowledge(self, revision: int) -> None:
        self._answers.within(self._timeout)
        status = self._answers.tell("/api/flags/ack", msgspec.json.encode({"id": self._id, "revision": revision}))
        if status != 204:
            raise Refused(f"the server answered {status} to an acknowledgement")

    def _is_on(self) -> None:
        if not self.connected:
            self._since = self._now()
            if self.trouble:
                log.info("the flags are followed again")
            self.trouble = ""
        self._heard_until = time.monotonic() + self._patience
        self._told.set()

    def _is_off(self, trouble: str) -> None:
        if self._heard_until:
            self._heard_until, self._since = 0.0, self._now()
        if not self.trouble:
            log.warning("the flags stay as they are, since the server cannot be followed: %s", trouble)
        self.trouble = trouble

    def _say_goodbye(self, timeout: float) -> None:
        """Whether it is heard or not, the process ends."""
        farewell = self._make()
        farewell.within(timeout)
        with suppress(OSError, HTTPException):
            farewell.tell("/api/flags/leave", msgspec.json.encode({"id": self._id}))
        farewell.close()
