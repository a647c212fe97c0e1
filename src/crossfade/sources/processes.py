"""The application's processes, by what they report, and what they come to together."""

from collections.abc import Iterable, Sequence
from threading import RLock

import msgspec
import structlog

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, Clock
from crossfade.core.counts import merged
from crossfade.core.payloads import SystemMetrics
from crossfade.core.report import ProcessReport
from crossfade.requestlog import SLOTS
from crossfade.store.port import EventStore, StoredReport

from .component import Sample, SourceError
from .process import Process, digits

log = structlog.get_logger(__name__)

MOST = 500
"""Processes that are kept; beyond, those that were heard of the longest ago are left out."""

_decode = msgspec.json.Decoder(ProcessReport).decode


class Processes:
    """Follows the loader. The window is counted to a sixtieth of it, as the server's own requests are."""

    def __init__(self, store: EventStore, clock: Clock, window_s: float) -> None:
        self._store = store
        self._clock = clock
        self._slot_us = max(1, round(window_s * SECOND / SLOTS))
        self._known: dict[tuple[str, str], Process] = {}
        self._newest: Process | None = None
        self._segment = -1
        self._working = RLock()
        self.skipped = 0
        """Reports since the start that could not be understood."""

    def follow(self) -> None:
        """Takes in what later segments brought, at first the last day's. Raises StoreError."""
        with self._working:
            through = self._store.last_segment()
            if through == self._segment:
                return
            now = self._clock.now()
            found = self._store.reports(max(0, self._segment), now - DAY)
            self._take(found, now)
            self._segment = max([through, *(stored.segment for stored in found)])

    def sample(self, now: int) -> Sample | None:
        """The application as it is now; None if no process of it has reported for a day.

        Raises SourceError when some have, but none is up any more; StoreError when that cannot be known.
        """
        with self._working:
            if self._segment < 0:
                self.follow()
            newest = self._newest
            if newest is None or now - newest.at > DAY:
                return None
            slots = self._slots(now)
            up = {process for process in self._known.values() if process.status(now) == "up"}
            if not up:
                raise SourceError(_silence(newest, now))
            counts = {process: process.counts(slots) for process in self._known.values()}
            seen = (process.metrics(now, own) for process, own in counts.items() if process in up or own.requests)
            shown = sorted(seen, key=lambda each: (each.service, each.host, each.pid, each.id))
        all_requests = merged(counts.values())
        p50, p95, p99 = map(digits, all_requests.quantiles_ms(0.5, 0.95, 0.99))
        return Sample(SystemMetrics(
            scope="application", uptime=max(process.uptime(now) for process in up), requests=all_requests.requests,
            response_time=p50, response_time_p95=p95, response_time_p99=p99, error_rate=all_requests.error_rate,
            memory_usage=_highest(process.last.memory_usage for process in up), process_memory=_memory(up),
            cpu_usage=_highest(process.last.cpu_usage for process in up), processes=tuple(shown),
        ), as_of=min(now, max(process.at for process in up)))

    def _take(self, found: Sequence[StoredReport], now: int) -> None:
        refused, left_out = [], 0
        for stored in found:
            try:
                report = _decode(stored.properties)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                refused.append(str(error))
            else:
                self._add(report, min(stored.at, now))
                left_out += self._make_room()
        self._forget(now)
        self.skipped += len(refused)
        if refused:
            log.warning("system: process reports are passed over", reports=len(refused), first_error=refused[0])
        if left_out:
            log.warning("system: more processes report than are kept", kept=MOST, left_out=left_out)

    def _add(self, report: ProcessReport, at: int) -> None:
        key, slot = (report.process, report.service), at // self._slot_us
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = Process(report, at, slot)
        else:
            known.take(report, at, slot)
        if self._newest is None or at >= self._newest.at:
            self._newest = known

    def _make_room(self) -> int:
        if len(self._known) <= MOST:
            return 0
        del self._known[min(self._known, key=lambda key: self._known[key].at)]
        return 1

    def _forget(self, now: int) -> None:
        """What has left the window, and who is gone with it."""
        slots = self._slots(now)
        for process in self._known.values():
            process.forget(slots)
        self._known = {key: process for key, process in self._known.items()
                       if process.status(now) == "up" or process.counts(slots).requests}

    def _slots(self, now: int) -> range:
        """Those of the window that ends now, and the next one: ``now`` may be a little old."""
        last = now // self._slot_us
        return range(last - SLOTS + 1, last + 2)


def _highest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _memory(up: Iterable[Process]) -> int | None:
    """Of all processes together: one that reports for several services counts once."""
    total = 0
    for memory in {process.last.process: process.last.process_memory for process in up}.values():
        if memory is None:
            return None
        total += memory
    return total


def _silence(newest: Process, now: int) -> str:
    last = newest.last
    who = f"{last.service or 'the application'} on {last.host}, pid {last.pid}"
    what = "said goodbye" if last.closed else "last reported"
    return f"no process of the application reports any more: the last one ({who}) {what} {ago(now - newest.at)} ago"


def ago(age: int) -> str:
    """A span of microseconds in words, in one unit."""
    for unit, name in ((HOUR, "h"), (MINUTE, "min")):
        if age >= 2 * unit:
            return f"{age // unit} {name}"
    return f"{max(0, age) // SECOND} s"
