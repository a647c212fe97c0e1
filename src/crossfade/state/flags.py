"""The flags as they are stored, and the audit row that every change of one leaves."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct
from sqlalchemy import Connection, select, update

from crossfade.core.flag import PERCENT, FlagError, Flags, FlagValue, check, default, own

from . import audit, retirements
from .database import insert
from .tables import flags


class FlagChange(Struct, frozen=True):
    """A flag that really changed."""

    flag: str
    old: FlagValue
    new: FlagValue


class FlagRow(Struct, frozen=True, rename="camel"):
    """A flag, and who changed it last."""

    name: str
    value: FlagValue
    changed_at: int
    changed_by: str


def rows(connection: Connection) -> tuple[FlagRow, ...]:
    """All flags, by name."""
    query = select(flags.c.name, flags.c.value, flags.c.changed_at, flags.c.changed_by).order_by(flags.c.name)
    return tuple(FlagRow(name, _meant(name, value), at, who) for name, value, at, who in connection.execute(query))


def snapshot(connection: Connection) -> Flags:
    """The flags at this moment, which nobody can change any more."""
    values, revision = _stored(connection)
    gone, since = retirements.retired(connection)
    return Flags(MappingProxyType(values), max(revision, since), gone)


def seed(connection: Connection, values: Mapping[str, FlagValue], *, at: int, who: str) -> bool:
    """Store the first flags, unless there are any. Whether it did."""
    if connection.execute(select(flags.c.name).limit(1)).first() is not None:
        return False
    return bool(_add(connection, values, at=at, who=who, action="flag.seed"))


def ensure(connection: Connection, names: Iterable[str], *, at: int, who: str) -> tuple[str, ...]:
    """Add the flags that are not there yet, at their defaults; not those of retired components. Those added."""
    _stored(connection, for_update=True)  # so that revisions are given in the order in which they become visible
    archived = {name for flag in retirements.retired(connection)[0] for name in own(flag)}
    defaults = {name: default(name) for name in names if name not in archived}
    return _add(connection, defaults, at=at, who=who, action="flag.add")


def change(
    connection: Connection, changes: Mapping[str, FlagValue], *, who: str, at: int, reason: str | None,
) -> tuple[FlagChange, ...]:
    """Set flags, each with an audit row. Raises FlagError for one that there is not, or not any more."""
    retirements.refuse_retired(connection, changes, at=at)
    stored, _ = _stored(connection, for_update=True)
    made = _differences(stored, changes)
    for entry in made:
        revision = audit.write(connection, at=at, who=who, action="flag.change", subject=entry.flag,
                               old=_text(entry.old), new=_text(entry.new), reason=reason)
        connection.execute(
            update(flags).where(flags.c.name == entry.flag)
            .values(value=int(entry.new), changed_at=at, changed_by=who, revision=revision))
    return made


def _stored(connection: Connection, *, for_update: bool = False) -> tuple[dict[str, FlagValue], int]:
    """The values by name, and the revision that they are at."""
    query = select(flags.c.name, flags.c.value, flags.c.revision).order_by(flags.c.name)
    found = connection.execute(query.with_for_update() if for_update else query).all()
    return {row.name: _meant(row.name, row.value) for row in found}, max((row.revision for row in found), default=0)


def _meant(name: str, stored: int) -> FlagValue:
    return stored if name.startswith(PERCENT) else bool(stored)


def _differences(stored: Mapping[str, FlagValue], wanted: Mapping[str, FlagValue]) -> tuple[FlagChange, ...]:
    unknown = sorted(wanted.keys() - stored.keys())
    if unknown:
        raise FlagError(f"there is no flag {unknown[0]!r}; there are: {', '.join(sorted(stored))}")
    return tuple(
        FlagChange(name, stored[name], check(name, value)) for name, value in wanted.items() if stored[name] != value)


def _add(
    connection: Connection, values: Mapping[str, FlagValue], *, at: int, who: str, action: str,
) -> tuple[str, ...]:
    added = []
    for name, value in values.items():
        # Another server may add the same flag at this moment: the first one's stays.
        statement = insert(connection, flags).values(name=name, value=int(value), changed_at=at, changed_by=who)
        if connection.execute(statement.on_conflict_do_nothing()).rowcount:
            revision = audit.write(connection, at=at, who=who, action=action, subject=name, new=_text(value))
            connection.execute(update(flags).where(flags.c.name == name).values(revision=revision))
            added.append(name)
    return tuple(added)


def _text(value: FlagValue) -> str:
    return str(value).lower()
