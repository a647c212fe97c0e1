"""The recount over HTTP: how far the auditor is, what does not agree, and a run on request."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import FromQuery, QueryParameter

from crossfade.auditor import Run
from crossfade.core.clock import iso, micros, read_iso
from crossfade.core.recounted import Recounted

from .auth import actor, may_change, may_read
from .context import AppDependency, AppRequest
from .errors import HTTPError
from .live import Json


@get("/api/monitoring/recount", guards=[may_read], sync_to_thread=True)
def recount(app: AppDependency, limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100) -> dict[str, Json]:
    """How far figures are compared with the events, the last run, and the windows that do not agree, newest first."""
    standing = app.auditor.standing()
    found = app.auditor.mismatches()
    return {
        "windows": standing.windows, "daysDone": standing.days_done, "daysDue": standing.days_due,
        "run": None if standing.run is None else run_json(standing.run),
        "mismatchCount": len(found), "mismatches": [mismatch_json(window) for window in found[:limit]],
    }


@post("/api/monitoring/recount", guards=[may_change], sync_to_thread=True, status_code=202)
def start_recount(
    request: AppRequest, app: AppDependency, since: FromQuery[str | None] = None, repair: FromQuery[bool] = False,
) -> dict[str, Json]:
    """Compares figures since a moment, or all, with the events; with ``repair``, counts anew what does not agree."""
    moment = None if since is None else read_iso(since)
    if since is not None and moment is None:
        raise HTTPError(400, "bad_request", f"since is no moment in ISO 8601: {since[:40]!r}")
    run = app.auditor.ask(0 if moment is None else micros(moment), repair=repair, who=actor(request))
    if run is None:
        raise HTTPError(409, "busy", "a recount is under way: wait for its end")
    return run_json(run)


def run_json(run: Run) -> dict[str, Json]:
    """As it is, with its moments in words."""
    ended = None if run.ended_at is None else iso(run.ended_at)
    fields: dict[str, Json] = msgspec.to_builtins(run)
    return fields | {"since": iso(run.since), "startedAt": iso(run.started_at), "endedAt": ended}


def mismatch_json(window: Recounted) -> dict[str, Json]:
    """A field of a window that does not agree."""
    fields: dict[str, Json] = msgspec.to_builtins(window)
    return fields | {
        "start": iso(window.start), "end": iso(window.end), "at": iso(window.at), "agrees": window.agrees,
    }
