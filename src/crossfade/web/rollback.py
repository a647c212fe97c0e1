"""Back to before: components off their real sources in one transaction, with the time that it took."""

import asyncio
import time

import msgspec
from litestar import Router, post
from litestar.params import JSONBody

from crossfade.core.clock import iso
from crossfade.core.flag import camel, retreat
from crossfade.state.errors import StateError

from .auth import actor, may_change
from .context import AppDependency, AppRequest
from .errors import HTTPError
from .live import Json


class Rollback(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be undone, and why."""

    components: list[str] | None = None
    """Those named; all of them without."""
    reason: str | None = None


@post("/api/rollback", guards=[may_change], status_code=200)
async def rollback(request: AppRequest, app: AppDependency, data: JSONBody[Rollback | None] = None) -> dict[str, Json]:
    """Takes components off their real sources and allows stand-ins, in one transaction; the next read sees it."""
    asked = data or Rollback()
    known = app.reader.components
    names = list(known) if asked.components is None else asked.components
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise HTTPError(400, "unknown_component", f"there is no component {(unknown or [''])[0][:80]!r}; there are: "
                        + ", ".join(known))
    began = time.perf_counter()
    try:
        made = await asyncio.to_thread(
            app.state.change_flags, retreat(known[name].flag for name in names), who=actor(request),
            at=app.clock.now(), reason=asked.reason or "rollback",
        )
    except StateError as error:
        raise HTTPError(503, "not_stored", f"nothing was rolled back: {error}", headers={"Retry-After": "1"}) from None
    return {
        "at": iso(app.clock.now()), "components": list(names),
        "changed": [{"flag": camel(one.flag), "old": one.old, "new": one.new} for one in made],
        "milliseconds": round((time.perf_counter() - began) * 1_000, 3),
    }


HANDLERS = (rollback,)
routes = Router(path="/", route_handlers=list(HANDLERS))
