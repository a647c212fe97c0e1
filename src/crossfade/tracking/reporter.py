"""Tells the server every few seconds how this process does: its requests, its memory, its processor time."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import TypeVar

import msgspec

from crossfade.core.clock import EPOCH
from crossfade.core.counts import Counts
from crossfade.core.cpu import CpuTimes, busy_percent
from crossfade.core.report import REPORT, ProcessReport

from . import machine
from .core import Core
from .recorder import Recorder
from .stamp import new_id

EVERY = 10.0
"""Seconds between two reports."""
LONGEST = 86_400.0
"""Seconds that may lie between two."""
GRACE = 0.25
"""Seconds that the end of a process may be held up for its last report."""
_MAX_TEXT = 200

log = logging.getLogger("crossfade.tracking")
_T = TypeVar("_T")

_identity: list[str] = []
os.register_at_fork(after_in_child=_identity.clear)


def process_id(now: int) -> str:
    """The same for all that ask in a process, and another in every other one, a forked child too."""
    if not _identity:
        _identity.append(new_id(now))
    return _identity[0]


@dataclass(frozen=True, slots=True)
class _Look:
    """Where the figures of an interval count from."""

    at: float
    """Of the timer, in seconds."""
    process: float
    """Seconds of processor time that the process has used."""
    machine: CpuTimes | None


@dataclass(frozen=True, slots=True)
class _Last:
    counts: Counts
    reply: SimpleQueue[None]


class Reporter:
    """Reports from its own thread, from the first request on, so that a process that only forks has no thread.

    What a report tells and the tracker does not take counts towards the next one. A forked child begins anew, as a
    process of its own, with its first request.
    """

    running: bool
    _inbox: SimpleQueue[_Last] | None
    _machine: machine.Machine | None
    _last: _Look | None

    def __init__(self, tracker: Core, *, service: str = "", every: float = EVERY,
                 find_machine: Callable[[], machine.Machine | None] = machine.find,
                 timer: Callable[[], float] = time.monotonic) -> None:
        """Raises ValueError for an interval or a name that cannot be meant. ``every`` is in seconds."""
        if not 0 < every <= LONGEST or len(service) > _MAX_TEXT:
            raise ValueError(f"every={every!r}: above 0 and up to {LONGEST:g} seconds; a service's name has up to "
                             f"{_MAX_TEXT} characters")
        self._tracker = tracker
        self._service = service
        self._every = every
        self._find_machine = find_machine
        self._timer = timer
        self._recorder = Recorder()
        self.record = self._recorder.record
        self._silent = False
        self._begin()
        tracker.accompany(self)

    def start(self) -> None:
        """Begins to report, if it has not begun yet."""
        with self._starting:
            if self.running:
                return
            self.running = True
            inbox: SimpleQueue[_Last] = SimpleQueue()
            try:
                threading.Thread(target=self._run, args=(inbox,), name="crossfade-reporter", daemon=True).start()
            except RuntimeError as error:  # the interpreter is ending, or the system has no thread left
                log.warning("this process does not report how it does: %s", error)
            else:
                self._inbox = inbox

    def say_last(self) -> None:
        """The process ends, or the tracker is shut down: what was recorded is reported, within a bound."""
        inbox, self._inbox = self._inbox, None
        if inbox is None:
            return
        reply: SimpleQueue[None] = SimpleQueue()
        # The counts are taken here, the report is made there: this may be a signal's handler that interrupted
        # track() or record(), and it must not wait for what it interrupted.
        inbox.put(_Last(self._recorder.take(), reply))
        try:
            reply.get(timeout=GRACE)
        except Empty:
            log.warning("there was no time for this process's last report")

    def begin_anew(self) -> None:
        """In a forked child."""
        self._recorder.begin_anew()
        self._begin()

    def report(self, counts: Counts | None = None, *, closed: bool = False) -> None:
        """Makes one report: of what was recorded since the last one, or of these counts."""
        counts = counts or self._recorder.take()
        try:
            now = self._look()
            properties: dict[str, object] = msgspec.to_builtins(self._told(counts, now, closed=closed), str_keys=True)
            taken = self._tracker.track(REPORT, properties=properties) is not None
        except Exception:  # a full spool, above all; nothing of this may reach the application
            if not self._silent:
                log.exception("this process cannot report how it does; it tries again")
            self._silent = True
            self._recorder.put_back(counts)
            return
        if taken:
            self._last, self._silent = now, False
        else:
            self._recorder.put_back(counts)

    def _begin(self) -> None:
        """What belongs to one process."""
        self._starting = threading.Lock()
        self._inbox = None
        self.running = False
        self._machine = None
        self._started_at = 0
        self._last = None

    def _run(self, inbox: SimpleQueue[_Last]) -> None:
        due = self._timer()
        last: _Last | None = None
        while last is None:
            self.report()
            due = max(due + self._every, self._timer())
            try:
                last = inbox.get(timeout=max(0.0, due - self._timer()))
            except Empty:
                continue
        self.report(last.counts, closed=True)
        last.reply.put(None)

    def _told(self, counts: Counts, now: _Look, *, closed: bool) -> ProcessReport:
        last = self._last or now
        until = self._tracker.clock.now()
        seconds = now.at - last.at
        asked = self._machine
        return ProcessReport(
            process=process_id(until), service=self._service, host=socket.gethostname()[:_MAX_TEXT], pid=os.getpid(),
            started_at=_moment(min(self._started_at, until)), since=_moment(until - round(seconds * 1e6)),
            until=_moment(until), every=min(LONGEST, max(self._every, self._tracker.interval)),
            requests=counts.requests, errors=counts.errors, buckets=dict(counts.buckets),
            process_memory=_ask(asked.resident) if asked else None,
            process_cpu=round(100 * (now.process - last.process) / seconds, 1) if seconds > 0 else None,
            memory_usage=_ask(asked.memory_percent) if asked else None,
            cpu_usage=_busy(last.machine, now.machine), closed=closed,
        )

    def _look(self) -> _Look:
        if not self._started_at:
            self._machine = self._find_machine()
            started = _ask(self._machine.started_at) if self._machine else None
            self._started_at = started or self._tracker.clock.now()
        times = _ask(self._machine.cpu) if self._machine else None
        return _Look(self._timer(), time.process_time(), times)


def _ask(question: Callable[[], _T]) -> _T | None:
    """The answer; None, which is told as such, if the machine does not give one."""
    try:
        return question()
    except Exception as error:  # noqa: BLE001  psutil has errors of its own
        log.debug("the machine does not tell: %r", error)
        return None


def _busy(before: CpuTimes | None, after: CpuTimes | None) -> float | None:
    percent = busy_percent(before, after) if before and after else None
    return None if percent is None else round(percent, 1)


def _moment(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)
