"""The guide's ten success criteria, each judged by what was measured.

Nothing is met without evidence: what was not measured, or not often enough, is unknown, with what to do about it. What
cannot be measured somebody may state, and it is then shown as stated, by whom and when. The thresholds are the guide's
own, whatever the settings say.
"""

from collections.abc import Iterable, Sequence

from .binomial import needed
from .check import moment
from .clock import HOUR
from .criterion import (
    Answered,
    Counted,
    Documented,
    Facts,
    Failed,
    Figures,
    Mocks,
    Rehearsed,
    Row,
    Standing,
    Switches,
    Tracked,
    Unknown,
)
from .dimension import Status
from .flag import Stage
from .gate import Verdict
from .names import listed
from .quality import Quality
from .threshold import GUIDE

SIGNABLE = ("documentation",)
"""Criteria that no measurement can tell, so that somebody may state them."""
FEW_CALLS = 20
"""Calls of a source below which its values' validity says little."""
FEW_ANSWERS = needed(0, 0, 0.95) or 1
"""Answers below which the largest may well lie below the 95th percentile."""

Judged = tuple[Standing, str, Figures]
NO_FIGURES: Figures = {}


def checklist(facts: Facts) -> tuple[Row, ...]:
    """The ten rows. Never raises."""
    statement = facts.documentation.statement if isinstance(facts.documentation, Documented) else None
    rows = (
        ("flags", "All feature flags deployed and configurable", _flags(facts.flags), "crossfade flags"),
        ("tracking", "Analytics tracking implemented and collecting data", _tracking(facts.tracking),
         "crossfade quality"),
        ("business", "Real business metrics queries returning valid data", _business(facts.business),
         "crossfade quality businessMetrics"),
        ("aggregation", "Historical data aggregation running daily", _aggregation(facts.aggregation),
         "crossfade aggregate"),
        ("quality", "Migration monitor showing > 95% data quality", _quality(facts.quality), "crossfade quality"),
        ("latency", "Response times P95 < 250ms with real data", _latency(facts.latency), "crossfade quality"),
        ("errors", "Error rate < 1% during migration", _errors(facts.errors), _since(facts.errors)),
        ("rollback", "Rollback tested and confirmed working", _rollback(facts.rollback), "crossfade rollout drill"),
        ("mocks", "All mock data generators deprecated", _mocks(facts.mocks), "crossfade retire"),
        ("documentation", "Documentation updated with new data flows", _documentation(facts.documentation),
         'crossfade checklist --sign documentation --reason "…"'),
    )
    return tuple(Row(number, name, criterion, *judged, command,
                     statement if name in SIGNABLE and judged[0] is Standing.MET else None)
                 for number, (name, criterion, judged, command) in enumerate(rows, 1))


def is_met(rows: Iterable[Row]) -> bool:
    """Whether all of them are."""
    return all(row.standing is Standing.MET for row in rows)


def _flags(found: Switches | Unknown) -> Judged:
    """Unmet if one is lacking or a process has not the newest; else met."""
    if isinstance(found, Unknown):
        return _unknown(found)
    figures = {"flags": found.flags, "lacking": len(found.lacking), "behind": len(found.behind)}
    if found.lacking or not found.flags:
        return Standing.UNMET, f"These flags are not there: {_listed(found.lacking) or 'all'}.", figures
    if found.behind:
        return Standing.UNMET, f"Not known to have the newest flags: {_listed(found.behind)}.", figures
    return Standing.MET, (f"All {found.flags:,} flags can be set, each in one transaction with its audit row, and no "
                          "connected process lacks the newest."), figures


def _tracking(found: Tracked | Unknown) -> Judged:
    """Unmet without events in the last day, or if events are missing; else met."""
    if isinstance(found, Unknown):
        return _unknown(found)
    figures = {"eventsLastDay": found.events, "sent": found.sent, "arrived": found.arrived, "waiting": found.waiting,
               "missing": found.missing}
    if found.missing > 0:
        return Standing.UNMET, f"{found.missing:,} of {found.sent:,} events that trackers sent are missing.", figures
    if found.events <= 0:
        return Standing.UNMET, "No event of the last 24 hours is stored.", figures
    account = (f"none of the {found.sent:,} that trackers took is missing ({found.waiting:,} on their way)"
               if found.sent > 0 else "no tracker numbers them, so that a loss would not be seen")
    return Standing.MET, f"Events of the last 24 hours that are stored: {found.events:,}; {account}.", figures


def _business(found: Verdict | Unknown) -> Judged:
    """As the gate on its validity has it, over enough calls."""
    if isinstance(found, Unknown):
        return _unknown(found)
    figures = {"validity": found.evidence.figure, "calls": found.evidence.n, "threshold": found.evidence.threshold}
    return _standing(found.status), found.sentence, figures


def _aggregation(found: Counted | Unknown) -> Judged:
    """Unmet if a closed day lacks its count; met if yesterday has its own; else unknown."""
    if isinstance(found, Unknown):
        return _unknown(found)
    figures: Figures = {"yesterday": found.yesterday, "countedDays": found.days, "lackingDays": len(found.lacking)}
    if found.lacking:
        return Standing.UNMET, f"Closed days that are not counted: {_listed(found.lacking)}.", figures
    if found.counted_at is None:
        return Standing.UNKNOWN, (f"Nothing ran on {found.yesterday} that could have been counted: look again when a "
                                  "whole day is over."), figures
    return Standing.MET, (f"{found.yesterday} was counted at {_when(found.counted_at)}; {found.days:,} days of the "
                          "last month are counted, and none lacks."), figures


def _quality(found: Sequence[Quality] | Unknown) -> Judged:
    """Unmet if a component fails; unknown while one is not proved; met if each is."""
    if isinstance(found, Unknown) or not found:
        return _unknown(found if isinstance(found, Unknown) else Unknown("there is no component"))
    figures: Figures = {quality.component: quality.quality for quality in found}
    failing, open_ = (" ".join(f"{one.component}: {one.sentence}" for one in found if one.status is status)
                      for status in (Status.FAIL, Status.INCONCLUSIVE))
    unread = _listed([one.component for one in found if one.status is Status.NO_DATA])
    if failing:
        return Standing.UNMET, failing, figures
    if open_ or unread:
        unread = f"No real data was read of {unread}." if unread else ""
        return Standing.UNKNOWN, f"{open_} {unread}".strip(), figures
    low = [f"{one.component} {_percent(one.quality)}" for one in found if (one.quality or 0) <= GUIDE.quality]
    if low:
        return Standing.UNMET, f"Not above {GUIDE.quality:g} %: {_listed(low)}.", figures
    told = [f"{quality.component} {_percent(quality.quality)}" for quality in found]
    return Standing.MET, f"The worst dimension of each, proved with 95 % confidence: {', '.join(told)}.", figures


def _latency(found: Answered | Unknown) -> Judged:
    """As the gates on the sources' 95th percentile have it, and the server's own answers."""
    if isinstance(found, Unknown):
        return _unknown(found)
    figures: Figures = {
        **_figures(found.sources), "answersP95Ms": found.p95_ms, "answers": found.n}
    standing, told = _all_of(found.sources, "95th percentile of the real sources' calls in ms")
    if standing is not Standing.UNMET and found.p95_ms is not None and found.n >= FEW_ANSWERS:
        own = f"Of {found.n:,} answers of this server it is {found.p95_ms:.4g} ms."
        if found.p95_ms > GUIDE.p95_ms:
            return Standing.UNMET, f"{own} At most {GUIDE.p95_ms:g} ms are wanted.", figures
        return standing, f"{told} {own}", figures
    return standing, told, figures


def _errors(found: Failed | Unknown) -> Judged:
    """As the gates on the sources' error rates have it: by the exact upper bound."""
    if isinstance(found, Unknown):
        return _unknown(found)
    standing, told = _all_of(found.sources, "per cent of the real sources' calls that failed")
    return standing, f"Since {_when(found.window.since)}: {told}", _figures(found.sources)


def _rollback(found: Rehearsed | Unknown | None) -> Judged:
    """Unmet if there was none or the last did not work; unknown if it holds no longer; else met."""
    if isinstance(found, Unknown):
        return _unknown(found)
    if found is None:
        return Standing.UNMET, "No rollback has been rehearsed, and none was needed.", NO_FIGURES
    took = None if found.micros is None else found.micros / 1_000
    figures = {"at": _when(found.at), "milliseconds": took, "processes": found.processes}
    if found.problem is not None:
        return Standing.UNMET, (f"The last one, {found.what} at {_when(found.at)}, did not work: "
                                f"{found.problem.rstrip('.')}."), figures
    if not found.holds:
        return Standing.UNKNOWN, (f"{_capital(found.what)} at {_when(found.at)} worked, but the flags, components or "
                                  "settings have changed since."), figures
    time = "" if took is None else f" in {took:,.1f} ms"
    return Standing.MET, f"{_capital(found.what)} at {_when(found.at)} had the flags back{time}.", figures


def _mocks(found: Mocks | Unknown) -> Judged:
    """Met if all are retired, or if none could be and none was served for a day; unmet if one can be served."""
    if isinstance(found, Unknown) or not found.components:
        return _unknown(found if isinstance(found, Unknown) else Unknown("there is no component"))
    left = [one for one in found.components if one.stage is not Stage.RETIRED]
    served, synthetic = sum(one.served for one in left), sum(one.synthetic for one in left)
    figures = {"retired": len(found.components) - len(left), "components": len(found.components), "served": served,
               "synthetic": synthetic}
    if not left:
        return Standing.MET, f"The mocks of all {len(found.components):,} components are retired.", figures
    shown = [f"{one.component} is {one.stage}" for one in left if one.stage is not Stage.REAL_ONLY]
    if shown:
        return Standing.UNMET, f"Mocks may still be shown: {_listed(shown)}.", figures
    if synthetic > 0:
        return Standing.UNMET, f"{synthetic:,} of {served:,} readings were made up, though all are real only.", figures
    window = found.window
    hours = 0 if window is None else max(0, (window.until - window.since) // HOUR)
    if window is None or hours < 24 or served <= 0:
        return Standing.UNKNOWN, (f"All components are real only, and none of {served:,} readings was made up, but "
                                  f"that is known of {hours:,} h, where a day is wanted. Or retire the mocks."), figures
    return Standing.MET, (f"All components are real only, and none of {served:,} readings since {_when(window.since)} "
                          f"was made up; not retired yet: {_listed([one.component for one in left])}."), figures


def _documentation(found: Documented | Unknown) -> Judged:
    """Unmet if a source says nothing of itself; met if somebody stated it; else unknown."""
    if isinstance(found, Unknown):
        return _unknown(found)
    figures = {"described": len(found.described), "undescribed": len(found.undescribed)}
    if found.undescribed:
        return Standing.UNMET, (f"The real source of {_listed(found.undescribed)} does not say in its code (its "
                                "docstring) what it is."), figures
    if found.statement is not None:
        who, reason = found.statement.who, found.statement.reason
        return Standing.MET, f"Stated by {who} at {_when(found.statement.at)}, not measured: {reason}", figures
    return Standing.UNKNOWN, (f"The real sources of {_listed(found.described)} say in their code what they are. "
                              "Whether your own pages tell of the new data flows nothing here can measure: read them, "
                              "and sign for it."), figures


def _all_of(verdicts: Sequence[Verdict], what: str) -> tuple[Standing, str]:
    """Of all verdicts together: unmet if one fails, in its own words; unknown while one is not proved."""
    failing = [one.sentence for one in verdicts if one.status is Status.FAIL]
    if failing:
        return Standing.UNMET, " ".join(failing)
    unmeasured = [_component(one) for one in verdicts if one.status is Status.NO_DATA]
    if unmeasured or not verdicts:
        return Standing.UNKNOWN, f"Nothing was measured of {_listed(unmeasured) or 'any component'}."
    told = f"{what}: {'; '.join(map(_figure, verdicts))}, where {verdicts[0].evidence.threshold:g} is allowed."
    few = sum(one.status is not Status.PASS for one in verdicts)
    return (Standing.UNKNOWN, f"{told} Not proved yet of {few:,}: it takes more calls.") if few else (
        Standing.MET, told)


def _figure(verdict: Verdict) -> str:
    found = verdict.evidence
    bound = f", up to {_number(found.high)}" if found.high is not None and found.high != found.figure else ""
    return f"{_component(verdict)} {_number(found.figure)}{bound} (n = {found.n:,})"


def _standing(status: Status) -> Standing:
    return {Status.PASS: Standing.MET, Status.FAIL: Standing.UNMET}.get(status, Standing.UNKNOWN)


def _component(verdict: Verdict) -> str:
    return verdict.gate.partition(":")[0]


def _figures(verdicts: Iterable[Verdict]) -> dict[str, float | int | str | None]:
    found: dict[str, float | int | str | None] = {}
    for one in verdicts:
        name = _component(one)
        found |= {name: one.evidence.figure, f"{name}.upTo": one.evidence.high, f"{name}.n": one.evidence.n}
    return found


def _since(found: Failed | Unknown) -> str:
    return "crossfade quality" if isinstance(found, Unknown) else (
        f"crossfade quality --window {moment(found.window.since)[:19]}Z")


def _unknown(found: Unknown) -> Judged:
    return Standing.UNKNOWN, f"Not known: {found.why.rstrip('.')}.", NO_FIGURES


def _when(at: int) -> str:
    return moment(at)[:16].replace("T", " ") + " UTC"


def _percent(value: float | None) -> str:
    return f"{_number(value)} %"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _listed(names: Sequence[str]) -> str:
    return listed(names, 8)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
