"""Retired components, and their flags in the archive: moved there and back in the transaction of their audit rows."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, Table, TypedColumns, delete, insert, select, update

from crossfade.core.flag import PERCENT, Flags, own
from crossfade.core.retirement import (
    ArchivedFlag,
    Prospect,
    RetiredError,
    Retirement,
    RetirementError,
    due,
    lacking,
    obstacle,
    of_flag,
    real_only_since,
    refusal,
    shown,
    to_second,
    why,
)

from . import audit
from .tables import archived_flags, flags, retirements


def retired(connection: Connection) -> tuple[frozenset[str], int]:
    """The ``use_real_…`` flags of all retired components, and the revision of the last that was."""
    rows = connection.execute(select(retirements.c.flag, retirements.c.revision)).all()
    return frozenset(row.flag for row in rows), max((row.revision for row in rows), default=0)


def all_of(connection: Connection) -> tuple[Retirement, ...]:
    """Every retirement, by component, with its flags while they are kept."""
    kept = _rows(connection, archived_flags)
    found = connection.execute(select(retirements).order_by(retirements.c.component))
    return tuple(Retirement(row.component, row.flag, row.at, row.who, row.reason, row.since, row.purged_at,
                            _of(row.flag, kept)) for row in found)


def refuse_retired(connection: Connection, names: Iterable[str], *, at: int) -> None:
    """Raise RetiredError when one of the flags is a retired component's."""
    archived = {name: found for found in all_of(connection) for name in own(found.flag)}
    for name in names:
        if name in archived:
            raise RetiredError(of_flag(name, archived[name], at))


def foresee(connection: Connection, current: Flags, flag: str, *, at: int, wait: int) -> Prospect:
    """What would become of the component with this flag if it were retired at the moment."""
    rows = _rows(connection, flags)
    since = real_only_since(current, {name: row.changed_at for name, row in rows.items()}, flag)
    return Prospect(flag, since, lacking(current, flag, since, at, wait), _of(flag, rows))


def retire(
    connection: Connection, current: Flags, component: str, flag: str, *, who: str, at: int, wait: int,
    reason: str | None, despite: str | None,
) -> Retirement:
    """Archive the component's flags. Raises RetirementError, with all that is lacking, when it may not be retired.

    ``wait``: microseconds for which it must have been real only; ``despite``: why they need not be over.
    """
    before = next((found for found in all_of(connection) if found.flag == flag), None)
    if before is not None:
        raise RetirementError(f"{component} was retired already, on {to_second(before.at)}")
    ahead = foresee(connection, current, flag, at=at, wait=wait)
    refused = refusal(component, ahead.lacks, despite=despite)
    if refused is not None or ahead.since is None:
        raise RetirementError(refused or f"{component} cannot be retired: it is not real only")
    told = why(ahead, reason, despite)
    made = Retirement(component, flag, at, who, told, ahead.since, None, ahead.flags)
    _move(connection, made, flags, archived_flags, use_real=flag)
    for kept in made.flags:
        audit.write(connection, at=at, who=who, action="flag.archive", subject=kept.name, old=kept.text, reason=told)
    revision = audit.write(connection, at=at, who=who, action="retire", subject=component,
                           old=f"real only since {to_second(made.since)}", new="retired", reason=told)
    connection.execute(insert(retirements).values(
        flag=flag, component=component, at=at, who=who, reason=told, since=made.since, revision=revision))
    return made


def undo(connection: Connection, component: str, *, who: str, at: int, reason: str | None) -> Retirement:
    """Bring the component's flags back as they were. Raises RetirementError when there is nothing to bring back."""
    found = next((one for one in all_of(connection) if one.component == component), None)
    if found is None:
        raise RetirementError(f"{component} is not retired")
    refused = obstacle(found, at)
    if refused is not None:
        raise RetirementError(refused)
    connection.execute(delete(retirements).where(retirements.c.flag == found.flag))
    audit.write(connection, at=at, who=who, action="retire.undo", subject=component,
                old=f"retired since {to_second(found.at)}", new="real only", reason=reason)
    _move(connection, found, archived_flags, flags)
    for kept in found.flags:
        revision = audit.write(connection, at=at, who=who, action="flag.restore", subject=kept.name, new=kept.text,
                               reason=reason)
        connection.execute(update(flags).where(flags.c.name == kept.name).values(revision=revision))
    return found


def purge(connection: Connection, *, at: int, who: str) -> tuple[Retirement, ...]:
    """Delete the flags that need not be kept any longer, with an audit row a component. Those retirements."""
    over = due(all_of(connection), at)
    for found in over:
        connection.execute(delete(archived_flags).where(archived_flags.c.use_real == found.flag))
        connection.execute(update(retirements).where(retirements.c.flag == found.flag).values(purged_at=at))
        audit.write(connection, at=at, who=who, action="retire.purge", subject=found.component,
                    old=shown(found.flags), reason=f"retired on {to_second(found.at)}")
    return over


def _move(connection: Connection, found: Retirement, source: Table[TypedColumns], target: Table[TypedColumns],
          **more: str) -> None:
    for kept in found.flags:
        connection.execute(insert(target).values(
            name=kept.name, value=int(kept.value), changed_at=kept.changed_at, changed_by=kept.changed_by, **more))
        connection.execute(delete(source).where(source.c.name == kept.name))


def _rows(connection: Connection, table: Table[TypedColumns]) -> dict[str, ArchivedFlag]:
    """The flags in a table, by name."""
    columns = table.c
    query = select(columns.name, columns.value, columns.changed_at, columns.changed_by)
    return {
        name: ArchivedFlag(name, value if name.startswith(PERCENT) else bool(value), at, who)
        for name, value, at, who in connection.execute(query)
    }


def _of(use_real: str, rows: Mapping[str, ArchivedFlag]) -> tuple[ArchivedFlag, ...]:
    return tuple(rows[name] for name in own(use_real) if name in rows)
