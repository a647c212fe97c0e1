"""Brings a control database to the tables of this version."""

from sqlalchemy import Connection, inspect, text

from .errors import StateTooNew

HEAD = "0010"
"""The newest revision in ``migrations/versions``."""


def migrate(connection: Connection, name: str) -> None:
    """Apply what is missing, in the caller's transaction. Raises StateTooNew; `name` is for its message."""
    current = revision(connection)
    if current == HEAD:
        return  # Alembic costs a third of a second to load, and most starts have nothing to migrate.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "crossfade.state:migrations")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise StateTooNew(
            f"the control database {name} was written by a newer Crossfade (its revision {current!r} is not "
            "known here): start that version or a later one, or take another data folder")
    command.upgrade(config, "head")


def revision(connection: Connection) -> str | None:
    """The revision that the database is at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found
