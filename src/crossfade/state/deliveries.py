"""The outbox: each message to each target, until it is delivered or given up, and what became of it."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, insert, select, update

from crossfade.core.alert import Notice
from crossfade.core.clock import DAY
from crossfade.core.notice import Message, message

from .tables import deliveries

DeliveryStatus = Literal["waiting", "delivered", "failed", "withheld"]


class Delivery(Struct, frozen=True):
    """One message to one target. Moments are microseconds since the epoch."""

    id: int
    alert_id: int
    """The worst of the alerts that it tells of."""
    component: str
    cause: str
    target: str
    message: Message
    made_at: int
    status: DeliveryStatus
    attempts: int
    next_try: int
    last_error: str | None
    done_at: int | None


def enqueue(connection: Connection, notices: Iterable[Notice], targets: Iterable[str]) -> None:
    """A delivery for each notice and target, due at once."""
    names = tuple(targets)
    rows = []
    for notice in notices:
        text = message(notice)
        rows += [{
            "alert_id": notice.alerts[0].id, "component": notice.component, "cause": notice.cause, "target": target,
            "title": text.title, "body": text.body, "tone": text.tone, "made_at": notice.at, "status": "waiting",
            "attempts": 0, "next_try": notice.at,
        } for target in names]
    if rows:
        connection.execute(insert(deliveries), rows)


def take(connection: Connection, target: str, *, now: int, lease: int, cap: int) -> Delivery | None:
    """The target's next delivery that is due, which nobody else gets before the lease is over; None without any.

    Messages about one thing stay in their order: a later one waits for an earlier one. What is beyond the cap of a
    day is withheld, and passed over.
    """
    found = _due(connection, target, now)
    while found is not None and _delivered(connection, target, now - DAY) >= cap:
        finish(connection, found.id, status="withheld", at=now, error=f"more than {cap} messages in a day")
        found = _due(connection, target, now)
    if found is None:
        return None
    taken = replace(found, attempts=found.attempts + 1, next_try=now + lease)
    _set(connection, taken.id, attempts=taken.attempts, next_try=taken.next_try)
    return taken


def finish(connection: Connection, number: int, *, status: DeliveryStatus, at: int, error: str | None) -> None:
    """It is delivered, or it will not be."""
    _set(connection, number, status=status, done_at=at, last_error=error)


def retry(connection: Connection, number: int, *, at: int, error: str) -> None:
    """It was not delivered, and is due again at the moment."""
    _set(connection, number, next_try=at, last_error=error)


def next_try(connection: Connection, target: str) -> int | None:
    """When the target's first waiting delivery is due; None without any."""
    query = select(func.min(deliveries.c.next_try)).where(_waiting(target))
    return connection.execute(query).scalar()


def give_up_unknown(connection: Connection, targets: Iterable[str], *, at: int) -> int:
    """Fail what waits for targets that there are no more. How many that were."""
    return connection.execute(
        update(deliveries)
        .where(deliveries.c.status == "waiting", deliveries.c.target.not_in(list(targets)))
        .values(status="failed", done_at=at, last_error="the settings no longer name this target")).rowcount


def about(connection: Connection, components: Iterable[str], since: int) -> tuple[Delivery, ...]:
    """Those of the components made since the moment, in their order."""
    query = select(deliveries).where(
        deliveries.c.component.in_(sorted(set(components))), deliveries.c.made_at >= since).order_by(deliveries.c.id)
    return tuple(map(_delivery, connection.execute(query)))


def _due(connection: Connection, target: str, now: int) -> Delivery | None:
    query = select(deliveries).where(_waiting(target), deliveries.c.next_try <= now).order_by(deliveries.c.id)
    row = connection.execute(query.limit(1).with_for_update(skip_locked=True)).first()
    return None if row is None else _delivery(row)


def _waiting(target: str) -> ColumnElement[bool]:
    """Waits for nothing but its time: no earlier message about the same thing waits too."""
    earlier = deliveries.alias("earlier")
    held_up = exists().where(
        earlier.c.target == deliveries.c.target, earlier.c.status == "waiting",
        earlier.c.component == deliveries.c.component, earlier.c.cause == deliveries.c.cause,
        earlier.c.id < deliveries.c.id)
    return and_(deliveries.c.target == target, deliveries.c.status == "waiting", ~held_up)


def _delivered(connection: Connection, target: str, since: int) -> int:
    return connection.execute(select(func.count()).select_from(deliveries).where(
        deliveries.c.target == target, deliveries.c.status == "delivered",
        deliveries.c.done_at > since)).scalar_one()


def _set(connection: Connection, number: int, **values: int | str | None) -> None:
    connection.execute(update(deliveries).where(deliveries.c.id == number).values(values))


def _delivery(row: Row[*tuple[object, ...]]) -> Delivery:
    return Delivery(
        row.id, row.alert_id, row.component, row.cause, row.target, Message(row.title, row.body, row.tone),
        row.made_at, row.status, row.attempts, row.next_try, row.last_error, row.done_at)
