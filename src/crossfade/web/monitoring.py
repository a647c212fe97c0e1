"""The monitoring API: whether what is shown can be trusted, and why."""

import asyncio
from typing import Annotated

from litestar import Router, get
from litestar.params import FromQuery, QueryParameter

from crossfade.report import standing
from crossfade.state.errors import StateError
from crossfade.store.port import StoreError

from . import ledger, quality
from .auth import may_read
from .context import AppDependency
from .errors import HTTPError, not_known
from .live import Json, alert_json
from .report import migration_json

Rows = Annotated[int, QueryParameter(ge=1, le=10_000, description="Trackers to list, those that need a look first.")]
WindowText = Annotated[str | None, QueryParameter(name="window", description="15m, 24h, 7d, or a moment in ISO 8601 "
                                                  "since when. Without it: the setting's window, with accuracy as it "
                                                  "stands.")]


@get("/api/monitoring/ledger", guards=[may_read], sync_to_thread=True)
def monitoring_ledger(app: AppDependency, limit: Rows = 100) -> dict[str, Json]:
    """The account of every event that trackers took: sent, stored, deduplicated, rejected, waiting, missing."""
    pending = app.journal.pending_events  # before the store is asked: nothing may be in neither
    return ledger.document(app.store.ledger(), app.store.status(), app.clock.now(), pending=pending,
                           listening_since=app.started_at, limit=limit)


@get("/api/monitoring/data-quality", guards=[may_read])
async def data_quality(
    app: AppDependency, component: FromQuery[str | None] = None, window: WindowText = None,
) -> dict[str, Json]:
    """The quality of a component, or of all: each dimension with its figure and threshold, and the worst in words."""
    components, flags = app.reader.components, app.state.flags()
    wanted = list(components) if component is None else [component]
    if component is not None and component not in components:
        raise HTTPError(404, "unknown_component", f"there is no component {component[:80]!r}; there are: "
                        + ", ".join(components))
    span = quality.window_of(window, app.clock.now())
    try:
        found = [await asyncio.to_thread(app.monitor.quality, name, span) for name in wanted]
    except (StateError, StoreError) as error:
        raise not_known("quality cannot be told now", error) from None
    told: list[Json] = [quality.quality_json(one, components[one.component], flags) for one in found]
    if component is not None and isinstance(told[0], dict):
        return told[0]
    return {"health": quality.health_json(app.monitor.health()), "components": told}


@get("/api/monitoring/migration", guards=[may_read])
async def migration(app: AppDependency) -> dict[str, Json]:
    """The migration at a glance: status, health, every component, recommendations and alerts."""
    view, trouble, status = app.monitor.view, app.monitor.trouble, None
    try:
        behind = app.behind()
        status = migration_json(await asyncio.to_thread(lambda: standing(app, app.state.rollouts.newest(), behind)))
    except StateError as error:
        trouble = f"the rollout cannot be told now: {error}"
    return {"status": status, **quality.migration_json(
        view.at, app.monitor.health(), view.qualities, app.reader.components, app.state.flags(),
        recommendations=app.monitor.recommendations(), alerts=[alert_json(alert) for alert in app.alerts.live()],
        trouble=trouble,
    )}


HANDLERS = (monitoring_ledger, data_quality, migration)
routes = Router(path="/", route_handlers=list(HANDLERS))
