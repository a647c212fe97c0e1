"""The end of a component's mock over HTTP: what is lacking, the retirement, and its undoing."""

import asyncio

import msgspec
from litestar import Router, get, post
from litestar.params import JSONBody

from crossfade.core.flag import camel
from crossfade.core.retirement import Prospect, Retirement, RetirementError, refusal, to_second
from crossfade.retirements import Standing
from crossfade.state.errors import StateError

from .auth import actor, may_change, may_read
from .context import AppDependency, AppRequest
from .errors import HTTPError, not_stored
from .live import Json, maybe_iso

LONGEST_REASON = 500


class Retire(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Whose mock is to go, and why."""

    component: str
    reason: str | None = None
    despite: str | None = None
    """Why the time need not be over for which it should have been real only."""
    dry_run: bool = False


class Undo(msgspec.Struct, forbid_unknown_fields=True):
    """Which retirement is to be undone, and why."""

    component: str
    reason: str | None = None


@get("/api/retire", guards=[may_read])
async def retirements(app: AppDependency) -> dict[str, Json]:
    """Every component: its stage, since when it is real only, when it may be retired, or when it was."""
    try:
        found = await asyncio.to_thread(app.retirements.standing)
    except StateError as error:
        raise not_stored("nothing was changed", error) from None
    return {"components": [standing_json(one, app.retirements.wait) for one in found]}


@post("/api/retire", guards=[may_change], status_code=200)
async def retire(request: AppRequest, app: AppDependency, data: JSONBody[Retire]) -> dict[str, Json]:
    """Retires a component's mock and archives its flags; with `dryRun` says what would happen. 409 if it may not be."""
    reason, despite = _text("reason", data.reason), _text("despite", data.despite)
    try:
        if data.dry_run:
            return _foreseen(await asyncio.to_thread(app.retirements.foresee, data.component), despite, app)
        made = await app.retirements.retire(data.component, who=actor(request), reason=reason, despite=despite)
        app.followers.publish(app.state.flags())
    except RetirementError as error:
        raise _refused(data.component, app, error) from None
    except StateError as error:
        raise not_stored("nothing was changed", error) from None
    return {"component": made.component, "stage": "retired", **retirement_json(made)}


@post("/api/retire/undo", guards=[may_change], status_code=200)
async def undo_retirement(request: AppRequest, app: AppDependency, data: JSONBody[Undo]) -> dict[str, Json]:
    """Brings a retired component's flags and mock back, as they were, within 30 days."""
    try:
        undone = await app.retirements.undo(data.component, who=actor(request),
                                            reason=_text("reason", data.reason))
        app.followers.publish(app.state.flags())
    except RetirementError as error:
        raise _refused(data.component, app, error) from None
    except StateError as error:
        raise not_stored("nothing was changed", error) from None
    return {"component": undone.component, "restored": {camel(flag.name): flag.value for flag in undone.flags},
            "hasMock": app.reader.components[undone.component].mock is not None}


def standing_json(standing: Standing, wait: int) -> dict[str, Json]:
    """A component, whether it is retired or not; ``wait`` in microseconds."""
    ahead = standing.prospect
    told: dict[str, Json] = {
        "component": standing.component, "flag": standing.flag, "stage": standing.stage.value,
        "declared": standing.declared,
        "lacking": [] if ahead is None else [lack.words for lack in ahead.lacks],
    }
    if standing.retirement is not None:
        return {**told, "mayRetireAt": None, **retirement_json(standing.retirement)}
    since = None if ahead is None else ahead.since
    return {**told, "realOnlySince": maybe_iso(since),
            "mayRetireAt": None if since is None else to_second(since + wait), "retiredAt": None, "retiredBy": None,
            "reason": None, "undoUntil": None, "purgedAt": None, "archivedFlags": {}}


def retirement_json(found: Retirement) -> dict[str, Json]:
    """A retirement; flags are there while they are kept."""
    return {
        "realOnlySince": maybe_iso(found.since), "retiredAt": maybe_iso(found.at), "retiredBy": found.who,
        "reason": found.reason, "undoUntil": maybe_iso(found.until), "purgedAt": maybe_iso(found.purged_at),
        "archivedFlags": {camel(flag.name): flag.value for flag in found.flags},
    }


def _foreseen(standing: Standing, despite: str | None, app: AppDependency) -> dict[str, Json]:
    ahead = standing.prospect
    if ahead is None:
        raise RetirementError(f"{standing.component} was retired already")
    refused = refusal(standing.component, ahead.lacks, despite=despite)
    return {**standing_json(standing, app.retirements.wait), "dryRun": True, "wouldRetire": refused is None,
            "refused": refused, "wouldArchive": _flags(ahead)}


def _flags(ahead: Prospect) -> dict[str, Json]:
    return {camel(flag.name): flag.value for flag in ahead.flags}


def _text(name: str, given: str | None) -> str | None:
    """Raises HTTPError for a text that says nothing, or too much."""
    if given is None:
        return None
    if not given.strip() or len(given) > LONGEST_REASON:
        raise HTTPError(400, "bad_reason", f"{name} is a sentence of at most {LONGEST_REASON} characters")
    return given.strip()


def _refused(component: str, app: AppDependency, error: RetirementError) -> HTTPError:
    if component not in app.reader.components:
        return HTTPError(400, "unknown_component", str(error))
    return HTTPError(409, "refused", str(error))


HANDLERS = (retirements, retire, undo_retirement)
routes = Router(path="/", route_handlers=list(HANDLERS))
