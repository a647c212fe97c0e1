"""One process of the application: its last report, and its requests over the window."""

from crossfade.core.clock import SECOND, iso, micros
from crossfade.core.counts import Counts, merged
from crossfade.core.payloads import ProcessMetrics
from crossfade.core.report import ProcessReport

LIVES = 3
"""Of its own intervals: a process that is silent for longer is no longer up."""


class Process:
    """Counts its requests in slots of the window, so that any number of reports needs as little memory."""

    def __init__(self, report: ProcessReport, at: int, slot: int) -> None:
        self.last = report
        self.at = at
        """When it last reported; never later than that arrived."""
        self._slots: dict[int, Counts] = {}
        self.take(report, at, slot)

    def take(self, report: ProcessReport, at: int, slot: int) -> None:
        """Its next report, which belongs to a numbered slot."""
        self.last, self.at = report, at
        if report.requests:
            counts = Counts(report.buckets, report.errors)
            self._slots[slot] = merged((self._slots[slot], counts)) if slot in self._slots else counts

    def forget(self, slots: range) -> None:
        """Only these slots are still of interest."""
        self._slots = {slot: counts for slot, counts in self._slots.items() if slot in slots}

    def counts(self, slots: range) -> Counts:
        """Its requests in these slots."""
        return merged(counts for slot, counts in self._slots.items() if slot in slots)

    def status(self, now: int) -> str:
        """``up``, ``ended`` or ``down``. A report of the future proves nothing: a clock was set back."""
        if self.last.closed:
            return "ended"
        return "up" if abs(now - self.at) <= LIVES * self.last.every * SECOND else "down"

    def uptime(self, now: int) -> float:
        """Seconds since its start, to now while it is up, to its last report when it is not."""
        told = max(0, micros(self.last.until) - micros(self.last.started_at))
        since = max(0, now - self.at) if self.status(now) == "up" else 0
        return (told + since) / SECOND

    def metrics(self, now: int, counts: Counts) -> ProcessMetrics:
        """As the dashboard shows it, with its requests of the window."""
        p50, p95, p99 = map(digits, counts.quantiles_ms(0.5, 0.95, 0.99))
        last = self.last
        return ProcessMetrics(
            id=last.process, service=last.service, host=last.host, pid=last.pid, status=self.status(now),
            requests=counts.requests, response_time=p50, response_time_p95=p95, response_time_p99=p99,
            error_rate=counts.error_rate, uptime=self.uptime(now), memory=last.process_memory, cpu=last.process_cpu,
            as_of=iso(self.at),
        )


def digits(milliseconds: float | None) -> float | None:
    """To the microsecond: the quantiles are within two per cent, so further digits would only look exact."""
    return None if milliseconds is None else round(milliseconds, 3)
