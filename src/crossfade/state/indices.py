"""Indices with a condition; import it where tables are made or compared.

They are apart from their tables because a condition in PostgreSQL's words loads all of its dialect, 2 MB and 25 ms,
which a server on SQLite never needs.
"""

from sqlalchemy import Index, text

from .tables import alerts, rollouts

Index("uq_alerts_live", alerts.c.component, alerts.c.check_name, unique=True,
      sqlite_where=text("status <> 'closed'"), postgresql_where=text("status <> 'closed'"))
Index("uq_rollouts_live", rollouts.c.over, unique=True,
      sqlite_where=text("over = 0"), postgresql_where=text("NOT over"))
