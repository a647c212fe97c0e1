"""The guide's success criteria over HTTP: judged, and signed for where nothing can be measured."""

import asyncio
from collections.abc import Iterable

import msgspec
from litestar import Router, get, post
from litestar.params import JSONBody

from crossfade.checklist import CriterionError, rows, sign
from crossfade.core.checklist import is_met
from crossfade.core.clock import iso
from crossfade.core.criterion import Row
from crossfade.state.errors import StateError

from .auth import actor, may_change, may_read
from .context import AppDependency, AppRequest
from .errors import HTTPError, not_stored
from .live import Json


class Signed(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody states, and on what ground."""

    criterion: str
    reason: str


@get("/api/checklist", guards=[may_read])
async def checklist(app: AppDependency) -> dict[str, Json]:
    """The guide's ten success criteria: each met, unmet or unknown, with its evidence and the command that shows it."""
    return checklist_json(app.clock.now(), await asyncio.to_thread(rows, app, app.behind()))


@post("/api/checklist/statements", guards=[may_change], status_code=201)
async def state_criterion(request: AppRequest, app: AppDependency, data: JSONBody[Signed]) -> dict[str, Json]:
    """States a criterion that nothing can measure, ``documentation``; kept in the audit log, and shown as stated."""
    try:
        await asyncio.to_thread(sign, app, data.criterion, who=actor(request), reason=data.reason)
    except CriterionError as error:
        raise HTTPError(400, "not_signable", str(error)) from None
    except StateError as error:
        raise not_stored("nothing was kept", error) from None
    return checklist_json(app.clock.now(), await asyncio.to_thread(rows, app, app.behind()))


def checklist_json(at: int, found: Iterable[Row]) -> dict[str, Json]:
    """All rows, and whether every one is met."""
    told = list(found)
    return {"at": iso(at), "met": is_met(told), "criteria": [row_json(row) for row in told]}


def row_json(row: Row) -> dict[str, Json]:
    stated = row.stated
    return {
        **msgspec.to_builtins(row),
        "stated": None if stated is None else {"who": stated.who, "at": iso(stated.at), "reason": stated.reason},
    }


HANDLERS = (checklist, state_criterion)
routes = Router(path="/", route_handlers=list(HANDLERS))
