"""What the migration dashboard shows of alerts, silences and advice. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from crossfade.alerts import Shown
from crossfade.core.advice import Recommendation
from crossfade.core.alert import ANY, Alert, Severity, Silence
from crossfade.core.clock import iso

from .migrationview import PAGE, link_of
from .writing import clip, moment, number

TONES: Mapping[Severity, str] = {Severity.INFO: "none", Severity.WARNING: "open", Severity.CRITICAL: "fail"}


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An open alert, and what it was seen by."""

    id: int
    component: str
    check: str
    severity: str
    tone: str
    message: str
    evidence: str
    since: str
    since_text: str
    acknowledged: str
    """By whom, and what they said; empty while nobody did."""
    silenced: str
    """Until when, by whom and why; empty if it is not."""


@dataclass(frozen=True, slots=True)
class SilenceLine:
    """What nothing is told of."""

    id: int
    what: str
    until: str
    until_text: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class AdviceLine:
    """One thing to do, with the form that does it filled in."""

    component: str
    text: str
    evidence: str
    action: str
    link: str


def alert_lines(found: Iterable[Shown]) -> tuple[AlertLine, ...]:
    """The gravest first."""
    ranked = sorted(found, key=lambda each: -each.alert.severity.rank)
    return tuple(_alert(each.alert, each.silence) for each in ranked)


def silence_lines(found: Iterable[Silence]) -> tuple[SilenceLine, ...]:
    return tuple(SilenceLine(each.id, _what(each), iso(each.until), moment(iso(each.until)), each.made_by, each.reason)
                 for each in found)


def advice_lines(found: Iterable[Recommendation], failing: Collection[str], *, under_way: bool,
                 ) -> tuple[AdviceLine, ...]:
    """``failing``: components whose quality fails while viewers see their real values: those can be rolled back.
    ``under_way``: whether there is a rollout to pause.
    """
    return tuple(_advice(each, failing, under_way=under_way) for each in found)


def _advice(told: Recommendation, failing: Collection[str], *, under_way: bool) -> AdviceLine:
    reason = f"{told.component} {told.check}: {_figures(told.figure, told.threshold, told.n)}"
    if told.component in failing:
        action = f"Roll back {told.component}"
        link = f"{PAGE}/rollback?" + urlencode({"component": told.component, "reason": reason})
    elif under_way and told.check != "accuracy":  # which comes with time
        action, link = "Pause the rollout", f"{PAGE}?" + urlencode({"reason": reason}) + "#rollout"
    else:
        action, link = f"Look at {told.component}", link_of(told.component)
    return AdviceLine(told.component, told.text, _figures(told.figure, told.threshold, told.n), action, link)


def _alert(alert: Alert, silence: Silence | None) -> AlertLine:
    at, seen = iso(alert.since), alert.evidence
    told = _figures(seen.figure, seen.threshold, seen.n)
    known = "" if alert.acknowledged_by is None else alert.acknowledged_by + (f": {alert.note}" if alert.note else "")
    quiet = "" if silence is None else f"until {moment(iso(silence.until))}, by {silence.made_by}: {silence.reason}"
    return AlertLine(alert.id, alert.key.component, alert.key.check, alert.severity.value, TONES[alert.severity],
                     clip(alert.message), told + (f" {clip(seen.example)}" if seen.example else ""), at, moment(at),
                     known, quiet)


def _figures(figure: float | None, threshold: float | None, n: int | None) -> str:
    if figure is None and threshold is None and n is None:
        return ""
    told = "unknown" if figure is None else number(figure)
    if threshold is not None:
        told += f", threshold {number(threshold)}"
    return told + (f", n = {n:,}" if n is not None else "")


def _what(silence: Silence) -> str:
    return silence.component if silence.check == ANY else f"{silence.component}, {silence.check}"
