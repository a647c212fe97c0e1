"""The monitoring API: whether what is shown can be trusted, and why."""

from typing import Annotated

from litestar import Router, get
from litestar.params import QueryParameter

from . import ledger
from .auth import may_read
from .context import AppDependency
from .live import Json

Rows = Annotated[int, QueryParameter(ge=1, le=10_000, description="Trackers to list, those that need a look first.")]


@get("/api/monitoring/ledger", guards=[may_read], sync_to_thread=True)
def monitoring_ledger(app: AppDependency, limit: Rows = 100) -> dict[str, Json]:
    """The account of every event that trackers took: sent, stored, deduplicated, rejected, waiting, missing."""
    pending = app.journal.pending_events  # before the store is asked: nothing may be in neither
    return ledger.document(app.store.ledger(), app.store.status(), app.clock.now(), pending=pending,
                           listening_since=app.started_at, limit=limit)


HANDLERS = (monitoring_ledger,)
routes = Router(path="/", route_handlers=list(HANDLERS))
