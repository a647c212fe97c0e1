"""Back to before, over HTTP: with the time that it took until every process had it."""

from typing import Annotated

import msgspec
from litestar import Router, post
from litestar.params import JSONBody

from crossfade.core.clock import iso
from crossfade.core.flag import camel
from crossfade.rollback import WAIT_S
from crossfade.rollback import rollback as roll_back
from crossfade.state.errors import StateError

from .auth import actor, may_change
from .context import AppDependency, AppRequest
from .errors import HTTPError, not_stored
from .live import Json


class Rollback(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be undone, and why."""

    components: list[str] | None = None
    """Those named; all of them without."""
    reason: str | None = None
    timeout: Annotated[float, msgspec.Meta(ge=0, le=30)] = WAIT_S
    """Seconds to wait for the processes that follow; 0 does not wait."""


@post("/api/rollback", guards=[may_change], status_code=200)
async def rollback(request: AppRequest, app: AppDependency, data: JSONBody[Rollback | None] = None) -> dict[str, Json]:
    """Takes components off their real sources and allows stand-ins, in one transaction; tells every process that
    follows, and waits up to ``timeout`` seconds (2) until all have acknowledged; names those that have not.
    """
    asked = data or Rollback()
    known = app.reader.components
    names = list(known) if asked.components is None else asked.components
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise HTTPError(400, "unknown_component", f"there is no component {(unknown or [''])[0][:80]!r}; there are: "
                        + ", ".join(known))
    retired = app.state.flags().retired
    try:
        done = await roll_back(
            app.state, app.followers, app.clock, [known[name].flag for name in names], who=actor(request),
            reason=asked.reason or "rollback", timeout=asked.timeout,
        )
    except StateError as error:
        raise not_stored("nothing was rolled back", error) from None
    return {
        "at": iso(done.at), "components": [name for name in names if known[name].flag not in retired],
        "retired": [name for name in names if known[name].flag in retired], "revision": done.revision,
        "changed": [{"flag": camel(one.flag), "old": one.old, "new": one.new} for one in done.changed],
        "transactionMilliseconds": done.transaction_ms, "milliseconds": done.milliseconds,
        "acknowledged": done.acknowledged, "unanswered": list(done.unanswered),
    }


HANDLERS = (rollback,)
routes = Router(path="/", route_handlers=list(HANDLERS))
