"""A notice as text: what people read in their mail or their chat."""

from collections.abc import Iterator

from msgspec import Struct

from .alert import MAX_TEXT, Alert, Evidence, Kind, Notice, Severity
from .clock import iso

MAX_SHOWN = 20
"""Alerts that one message lists."""


class Message(Struct, frozen=True):
    """What is sent. Plain text."""

    title: str
    body: str
    tone: str
    """``info``, ``warning``, ``failure`` or ``success``: by what channels choose a colour."""


TONES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}

TEST = Message("[test] Crossfade", "This is a test: alerts reach this target.", "info")


def message(notice: Notice) -> Message:
    """The message for a notice."""
    over = notice.kind is Kind.RESOLVED
    label = "resolved" if over else str(notice.severity)
    return Message(f"[{label}] {notice.component}: {notice.cause}"[:MAX_TEXT], "\n".join(_lines(notice)),
                   "success" if over else TONES[notice.severity])


def figures(evidence: Evidence) -> str:
    """The evidence in words; empty when there is none."""
    parts = [f"{name} {value:,.6g}" for name, value in (("figure", evidence.figure), ("threshold", evidence.threshold))
             if value is not None]
    if evidence.n is not None:
        parts.append(f"n {evidence.n:,}")
    if evidence.example is not None:
        parts.append(f"for example {evidence.example}")
    return ", ".join(parts)


def _lines(notice: Notice) -> Iterator[str]:
    for alert in notice.alerts[:MAX_SHOWN]:
        yield _line(alert, over=notice.kind is Kind.RESOLVED)
    if (more := len(notice.alerts) - MAX_SHOWN) > 0:
        yield f"and {more} more"
    yield f"At {iso(notice.at)}."


def _line(alert: Alert, *, over: bool) -> str:
    evidence = figures(alert.evidence)
    seen = f" ({evidence})" if evidence and not over else ""
    since = "" if alert.opened_at is None or not over else f" It opened at {iso(alert.opened_at)}."
    again = f" It came back {alert.flaps} times." if alert.flaps > 1 else " It came back." if alert.flaps else ""
    return f"{alert.key.check} ({alert.severity}, alert {alert.id}): {alert.message}{seen}{since}{again}"
