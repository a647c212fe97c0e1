"""The tables that migrations make are the tables that the code means."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from crossfade.state import State, StateError, StateTooNew, indices  # noqa: F401  they belong to the tables
from crossfade.state.migrate import HEAD
from crossfade.state.tables import metadata


def schema(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def test_an_empty_file_gets_todays_tables(state: State, path: Path) -> None:
    state.ping()
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert context.get_current_revision() == HEAD
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()


def test_what_alembic_does_not_compare_is_the_same_too(
    state: State, path: Path, tmp_path: Path,  # noqa: ARG001  the state's tables are what is compared
) -> None:
    made = tmp_path / "made.db"
    engine = create_engine(f"sqlite:///{made}")
    metadata.create_all(engine)
    engine.dispose()
    migrated = {(name, _canonical(sql)) for name, sql in schema(path) if name != "alembic_version"}
    assert migrated == {(name, _canonical(sql)) for name, sql in schema(made)}


def _canonical(sql: str) -> tuple[str, ...]:
    """The clauses of a CREATE, whatever their order and spacing."""
    return tuple(sorted(" ".join(clause.split()) for clause in sql.replace('"', "").replace("\n)", "\n,").split(",")))


def test_the_newest_script_is_the_head() -> None:
    config = Config()
    config.set_main_option("script_location", "crossfade.state:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_opening_again_changes_nothing(state: State, path: Path) -> None:
    before = schema(path)
    state.seed_flags({"a": True}, at=1)
    with closing(State.open(path)) as again:
        assert again.flags()["a"]
    assert schema(path) == before


def test_a_newer_database_is_refused_and_left_alone(state: State, path: Path) -> None:
    state.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = schema(path)
    with pytest.raises(StateTooNew, match=r"newer Crossfade .*'9999'.*start that version or a later one"):
        State.open(path)
    assert schema(path) == before


def test_a_migration_that_fails_leaves_no_trace(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (strange TEXT)")
        before = schema(path)
        with pytest.raises(StateError, match=r"state\.db failed: table runs already exists"):
            State.open(path)
        assert schema(path) == before


def test_migrating_leaves_the_logging_alone(path: Path) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("sqlalchemy").level)
    State.open(path).close()
    assert (root.level, list(root.handlers), logging.getLogger("sqlalchemy").level) == before


def test_the_tables_can_be_made_on_postgresql_too() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    made = {table.name: str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables}
    assert "id BIGSERIAL NOT NULL" in made["audit"]
    assert "started_at BIGINT NOT NULL" in made["runs"]
