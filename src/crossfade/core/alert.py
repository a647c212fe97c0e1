"""Alerts: what is wrong, for how long, and whether people are told.

Whoever watches hands in the conditions that hold now; `step` makes of them and of the alerts there are those that
there are next, and the notices to send.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from .clock import HOUR, MINUTE

MAX_NAME = 100
MAX_TEXT = 500
ANY = "*"


class AlertError(ValueError):
    """There is no such alert or silence, or it cannot be made. The message says why."""


class Severity(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """1 for the least."""
        return list(Severity).index(self) + 1


class Status(StrEnum):
    """Where an alert stands."""

    PENDING = "pending"
    """The condition holds, but not for long enough yet."""
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    """Open, and somebody said to know."""
    CLOSED = "closed"


class AlertKey(Struct, frozen=True, order=True):
    """What an alert is about. There is one live alert a key."""

    component: str
    check: str


class Evidence(Struct, frozen=True):
    """What the condition was seen by."""

    figure: float | None = None
    threshold: float | None = None
    n: int | None = None
    """How many observations the figure is made of."""
    example: str | None = None


class Condition(Struct, frozen=True):
    """Something that is wrong at this moment."""

    key: AlertKey
    severity: Severity
    cause: str
    """What is behind it, in words that stay the same. Conditions of a component with one cause are told together."""
    message: str
    evidence: Evidence = Evidence()


class Alert(Struct, frozen=True):
    """A condition's story. Moments are microseconds since the epoch."""

    key: AlertKey
    severity: Severity
    cause: str
    message: str
    evidence: Evidence
    status: Status
    since: int
    """When the condition began to hold, this time."""
    id: int = 0
    """0 until it is stored."""
    opened_at: int | None = None
    """When it became an alert, the first time."""
    absent_since: int | None = None
    """Since when the condition does not hold any more, while the alert is still open."""
    closed_at: int | None = None
    flaps: int = 0
    """How often the condition came back."""
    told: Severity | None = None
    """The worst that people were told of it since it opened."""
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    note: str | None = None
    """What they said about it."""

    @property
    def live(self) -> bool:
        """Open, whether acknowledged or not."""
        return self.status in {Status.OPEN, Status.ACKNOWLEDGED}

    @property
    def group(self) -> tuple[str, str]:
        """What is told together."""
        return self.key.component, self.cause


class Silence(Struct, frozen=True):
    """Nothing is told of the alerts that match, until it expires. They are recorded all the same."""

    component: str
    """A name, or a pattern with * and ?."""
    check: str
    until: int
    reason: str
    made_by: str
    made_at: int
    id: int = 0

    def covers(self, key: AlertKey, now: int) -> bool:
        return (now < self.until and fnmatchcase(key.component, self.component)
                and fnmatchcase(key.check, self.check))


class Pace(Struct, frozen=True):
    """How patient alerts are, in microseconds."""

    pending: int = MINUTE
    """For how long a condition must hold before it is an alert."""
    hold: int = 2 * MINUTE
    """For how long it must be gone before the alert closes. Doubled by each time that it came back."""
    longest_hold: int = 30 * MINUTE
    reopen_within: int = HOUR
    """A condition that returns so soon after the closing opens the same alert again."""

    def hold_of(self, alert: Alert) -> int:
        """The more often it came back, the longer it must be quiet: so a flapping one is told of ever less often."""
        return max(self.hold, min(self.hold << min(alert.flaps, 32), self.longest_hold))


class Change(StrEnum):
    """What happened to an alert."""

    BEGAN = "began"
    WITHDRAWN = "withdrawn"
    """The condition was gone before it was an alert."""
    OPENED = "opened"
    REOPENED = "reopened"
    RETURNED = "returned"
    """The condition is back before the alert closed."""
    RAISED = "raised"
    """It is worse than when it was acknowledged: that no longer counts."""
    CLOSED = "closed"


class Transition(Struct, frozen=True):
    """An alert as it is after a change."""

    alert: Alert
    change: Change


class Kind(StrEnum):
    """What a notice says of its alerts."""

    OPENED = "opened"
    RAISED = "raised"
    RESOLVED = "resolved"


class Notice(Struct, frozen=True):
    """What people are to be told at once: alerts of one component with one cause, the worst first."""

    kind: Kind
    component: str
    cause: str
    severity: Severity
    alerts: tuple[Alert, ...]
    at: int


class Transitions(Struct, frozen=True):
    """What came of a step."""

    alerts: tuple[Alert, ...]
    """Those to hand in at the next step: all that are not closed, and those closed a short while ago."""
    changes: tuple[Transition, ...]
    notices: tuple[Notice, ...]


def step(alerts: Iterable[Alert], conditions: Iterable[Condition], silences: Sequence[Silence], now: int,
         pace: Pace) -> Transitions:
    """The alerts after a look at the conditions that hold now.

    Of two conditions with one key the worse counts. Nothing is told of what a silence covers; what is still open
    when the silence expires is told then.
    """
    holding = _by_key(conditions)
    known = {alert.key: alert for alert in alerts if not _over(alert, now, pace)}
    changes, told, after = [], [], []
    for key in sorted(known.keys() | holding.keys()):
        alert, change = advance(known.get(key), holding.get(key), now, pace)
        if change is not None:
            changes.append(Transition(alert, change))
        if change is Change.CLOSED:
            told.append(alert)
            alert = replace(alert, told=None)
        if change is not Change.WITHDRAWN:
            after.append(alert)
    quiet = {alert.key for alert in after if any(silence.covers(alert.key, now) for silence in silences)}
    opened, after = _open_notices(after, quiet, now)
    return Transitions(tuple(after), tuple(changes), (*_resolved(told, after, quiet, now), *opened))


def advance(alert: Alert | None, condition: Condition | None, now: int, pace: Pace) -> tuple[Alert, Change | None]:
    """One alert's next state: the table of states.

    | it is        | the condition holds                          | the condition does not hold                     |
    | ------------ | -------------------------------------------- | ----------------------------------------------- |
    | not known    | it begins: pending                           | –                                               |
    | pending      | for long enough: open; else stays            | withdrawn; if it was open before, closed again  |
    | open         | stays; it came back if it was gone           | for long enough: closed; else stays             |
    | acknowledged | the same; worse than people know: open again | the same                                        |
    | closed       | pending again                                | stays                                           |
    """
    if alert is None:
        if condition is None:
            raise ValueError("neither an alert nor a condition")
        begun = Alert(condition.key, condition.severity, condition.cause, condition.message, condition.evidence,
                      Status.PENDING, now)
        return _pending(begun, now, pace, Change.BEGAN)
    if condition is None:
        return _without(alert, now, pace)
    seen = replace(alert, severity=condition.severity, cause=condition.cause, message=condition.message,
                   evidence=condition.evidence)
    match alert.status:
        case Status.PENDING:
            return _pending(seen, now, pace, None)
        case Status.CLOSED:
            return _pending(replace(seen, status=Status.PENDING, since=now), now, pace, Change.BEGAN)
        case _:
            return _still(seen, now)


def acknowledge(alert: Alert, *, who: str, at: int, note: str | None) -> Alert:
    """Somebody knows of it: nothing more is told unless it gets worse. Raises AlertError unless it is open."""
    if not alert.live:
        raise AlertError(f"alert {alert.id} is {alert.status}: only an open one can be acknowledged")
    worst = max(alert.severity, alert.told or alert.severity, key=lambda severity: severity.rank)
    return replace(alert, status=Status.ACKNOWLEDGED, told=worst, acknowledged_at=at, acknowledged_by=who, note=note)


def plain(text: str, limit: int) -> str:
    """The text in one line without anything that cannot be shown or stored, cut where it is too long."""
    shown = "".join(char if char.isprintable() else " " for char in text[:limit + 1])
    return shown if len(shown) <= limit else shown[:limit - 1] + "…"


def _pending(alert: Alert, now: int, pace: Pace, change: Change | None) -> tuple[Alert, Change | None]:
    since = min(alert.since, now)  # the clock may have been set back
    if now - since < pace.pending:
        return replace(alert, since=since), change
    again = alert.opened_at is not None
    opened = replace(alert, status=Status.OPEN, since=since, absent_since=None, closed_at=None,
                     opened_at=alert.opened_at if again else now, flaps=alert.flaps + again,
                     acknowledged_at=None, acknowledged_by=None, note=None)
    return opened, Change.REOPENED if again else Change.OPENED


def _still(alert: Alert, now: int) -> tuple[Alert, Change | None]:
    change = None
    if alert.absent_since is not None:
        alert = replace(alert, absent_since=None, since=now, flaps=alert.flaps + 1)
        change = Change.RETURNED
    if alert.status is Status.ACKNOWLEDGED and alert.severity.rank > _rank(alert.told):
        alert = replace(alert, status=Status.OPEN, acknowledged_at=None, acknowledged_by=None, note=None)
        change = Change.RAISED
    return alert, change


def _without(alert: Alert, now: int, pace: Pace) -> tuple[Alert, Change | None]:
    if alert.status is Status.CLOSED:
        return alert, None
    if alert.status is Status.PENDING:
        if alert.opened_at is None:
            return alert, Change.WITHDRAWN
        return replace(alert, status=Status.CLOSED), None
    absent_since = now if alert.absent_since is None else min(alert.absent_since, now)
    if now - absent_since < pace.hold_of(alert):
        return replace(alert, absent_since=absent_since), None
    return replace(alert, status=Status.CLOSED, absent_since=None, closed_at=now), Change.CLOSED


def _over(alert: Alert, now: int, pace: Pace) -> bool:
    """Closed for so long that the next one is another alert."""
    return (alert.status is Status.CLOSED and alert.closed_at is not None
            and now - alert.closed_at >= pace.reopen_within)


def _open_notices(alerts: Sequence[Alert], quiet: set[AlertKey], now: int) -> tuple[list[Notice], list[Alert]]:
    """What people do not know yet. A group is told once, and again when it is worse than what was told of it."""
    notices = []
    known: set[AlertKey] = set()
    for (component, cause), members in _groups(alert for alert in alerts if alert.live).items():
        heard = [alert for alert in members if alert.key not in quiet]
        news = [alert for alert in heard if alert.severity.rank > _rank(alert.told)]
        known.update(alert.key for alert in news)
        before = max(_rank(alert.told) for alert in members)
        worst = max((alert.severity for alert in news), key=_rank, default=None)
        if worst is not None and worst.rank > before:
            notices.append(Notice(Kind.RAISED if before else Kind.OPENED, component, cause, worst,
                                  _worst_first(heard), now))
    return notices, [replace(alert, told=alert.severity) if alert.key in known else alert for alert in alerts]


def _resolved(closed: Iterable[Alert], after: Iterable[Alert], quiet: set[AlertKey], now: int) -> list[Notice]:
    """What is over: told when nothing is open any more of a group that people were told of."""
    going_on = {alert.group for alert in after if alert.live and alert.told is not None}
    heard = (alert for alert in closed if alert.told is not None and alert.key not in quiet)
    return [
        Notice(Kind.RESOLVED, component, cause, max((alert.severity for alert in members), key=_rank),
               _worst_first(members), now)
        for (component, cause), members in _groups(heard).items() if (component, cause) not in going_on
    ]


def _groups(alerts: Iterable[Alert]) -> Mapping[tuple[str, str], list[Alert]]:
    groups: dict[tuple[str, str], list[Alert]] = {}
    for alert in alerts:
        groups.setdefault(alert.group, []).append(alert)
    return groups


def _worst_first(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    return tuple(sorted(alerts, key=lambda alert: (-alert.severity.rank, alert.key)))


def _by_key(conditions: Iterable[Condition]) -> dict[AlertKey, Condition]:
    worst: dict[AlertKey, Condition] = {}
    for condition in map(_clean, conditions):
        other = worst.get(condition.key)
        if other is None or condition.severity.rank > other.severity.rank:
            worst[condition.key] = condition
    return worst


def _clean(condition: Condition) -> Condition:
    """The condition as it can be stored and shown, whatever its words came from."""
    key, evidence = condition.key, condition.evidence
    return Condition(
        AlertKey(plain(key.component, MAX_NAME), plain(key.check, MAX_NAME)), condition.severity,
        plain(condition.cause, MAX_TEXT), plain(condition.message, MAX_TEXT),
        Evidence(_finite(evidence.figure), _finite(evidence.threshold), evidence.n,
                 None if evidence.example is None else plain(evidence.example, MAX_TEXT)),
    )


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _rank(severity: Severity | None) -> int:
    return 0 if severity is None else severity.rank
