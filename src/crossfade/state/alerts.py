"""Alerts as they are stored, and their history."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from crossfade.core.alert import (
    Alert,
    AlertError,
    AlertKey,
    Change,
    Evidence,
    Severity,
    Status,
    Transitions,
    acknowledge,
)

from . import audit
from .tables import alerts

Value = None | int | str


def watched(connection: Connection, since: int) -> tuple[Alert, ...]:
    """Alerts that are not closed, or were closed after the moment: of each key the last."""
    found = _find(connection, or_(alerts.c.status != Status.CLOSED, alerts.c.closed_at > since))
    return tuple({alert.key: alert for alert in reversed(found)}.values())


def live(connection: Connection) -> tuple[Alert, ...]:
    """The open ones, acknowledged or not, the newest first."""
    return _find(connection, alerts.c.status.in_([Status.OPEN, Status.ACKNOWLEDGED]))


def history(connection: Connection, *, limit: int, before_id: int | None) -> tuple[Alert, ...]:
    """All of them, the newest first."""
    return _find(connection, alerts.c.id > 0 if before_id is None else alerts.c.id < before_id, limit=limit)


def between(connection: Connection, since: int, until: int, limit: int) -> tuple[Alert, ...]:
    """Those that opened before the end of the span, and were not closed before it began: the newest first."""
    return _find(connection, and_(alerts.c.opened_at <= until, or_(alerts.c.closed_at.is_(None),
                                                                   alerts.c.closed_at > since)), limit=limit)


def put(connection: Connection, before: Iterable[Alert], made: Transitions) -> Transitions:
    """Store what a step changed; what comes back has the numbers of the new alerts."""
    known = {alert.id: alert for alert in before}
    ids: dict[AlertKey, int] = {}
    for alert in made.alerts:
        if not alert.id:
            statement = insert(alerts).values(_values(alert)).returning(alerts.c.id)
            ids[alert.key] = connection.execute(statement).scalar_one()
        elif known[alert.id] != alert:
            _store(connection, alert)
    for transition in made.changes:
        if transition.change is Change.WITHDRAWN:
            connection.execute(delete(alerts).where(alerts.c.id == transition.alert.id))
    return _numbered(made, ids)


def acknowledge_one(connection: Connection, number: int, *, who: str, at: int, note: str | None) -> Alert:
    """Note that somebody knows, with an audit row. Raises AlertError when there is no such open alert."""
    found = _find(connection, alerts.c.id == number, lock=True)
    if not found:
        raise AlertError(f"there is no alert {number}")
    made = acknowledge(found[0], who=who, at=at, note=note)
    _store(connection, made)
    audit.write(connection, at=at, who=who, action="alert.acknowledge", reason=note,
                subject=f"alert {number}: {made.key.component}/{made.key.check}",
                old=found[0].status, new=made.status)
    return made


def _find(connection: Connection, where: ColumnElement[bool], *, limit: int | None = None,
          lock: bool = False) -> tuple[Alert, ...]:
    query = select(alerts).where(where).order_by(alerts.c.id.desc()).limit(limit)
    rows = connection.execute(query.with_for_update() if lock else query)
    return tuple(
        Alert(
            AlertKey(row.component, row.check_name), Severity(row.severity), row.cause, row.message,
            msgspec.json.decode(row.evidence, type=Evidence), Status(row.status), row.since, row.id, row.opened_at,
            row.absent_since, row.closed_at, row.flaps, None if row.told is None else Severity(row.told),
            row.acknowledged_at, row.acknowledged_by, row.note,
        )
        for row in rows
    )


def _store(connection: Connection, alert: Alert) -> None:
    connection.execute(update(alerts).where(alerts.c.id == alert.id).values(_values(alert)))


def _values(alert: Alert) -> dict[str, Value]:
    return {
        "component": alert.key.component, "check_name": alert.key.check, "severity": alert.severity,
        "cause": alert.cause, "message": alert.message, "evidence": msgspec.json.encode(alert.evidence).decode(),
        "status": alert.status, "since": alert.since, "opened_at": alert.opened_at,
        "absent_since": alert.absent_since, "closed_at": alert.closed_at, "flaps": alert.flaps, "told": alert.told,
        "acknowledged_at": alert.acknowledged_at, "acknowledged_by": alert.acknowledged_by, "note": alert.note,
    }


def _numbered(made: Transitions, ids: Mapping[AlertKey, int]) -> Transitions:
    def number(alert: Alert) -> Alert:
        return alert if alert.id else replace(alert, id=ids.get(alert.key, 0))

    def all_of(found: Sequence[Alert]) -> tuple[Alert, ...]:
        return tuple(map(number, found))

    return Transitions(
        all_of(made.alerts),
        tuple(replace(change, alert=number(change.alert)) for change in made.changes),
        tuple(replace(notice, alerts=all_of(notice.alerts)) for notice in made.notices),
    )
