"""Run by Alembic. The connection, its transaction and the logging are the caller's."""

from alembic import context

from crossfade.state import indices  # noqa: F401
from crossfade.state.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by writing it anew.
)
with context.begin_transaction():
    context.run_migrations()
