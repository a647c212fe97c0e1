"""Alerts over HTTP: listed, acknowledged, silenced, and tested."""

from typing import Annotated, Literal

import msgspec
from litestar import Router, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from crossfade.alerts import Shown
from crossfade.core.alert import ANY, AlertError, Silence
from crossfade.core.clock import iso
from crossfade.state.deliveries import Delivery

from .auth import actor, may_change, may_read
from .context import AppDependency, AppRequest
from .errors import HTTPError
from .live import Json, alert_json, maybe_iso

# Litestar keeps the name of `state` for itself.
Which = Annotated[Literal["open", "all"], QueryParameter(name="state")]


class Acknowledgement(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody says who knows of an alert."""

    note: str | None = None


class NewSilence(msgspec.Struct, forbid_unknown_fields=True):
    """What to say nothing of, for how long, and why."""

    component: str
    seconds: float
    reason: str
    check: str = ANY


@get("/api/alerts", guards=[may_read], sync_to_thread=True)
def alerts(
    app: AppDependency, which: Which = "open",
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100, before: FromQuery[int | None] = None,
) -> list[dict[str, Json]]:
    """The open alerts, or all that there were, the newest first, each with its silence and its deliveries."""
    return [_shown(found) for found in
            app.alerts.shown(everything=which == "all", limit=limit, before_id=before)]


@post("/api/alerts/{number:int}/ack", guards=[may_change], sync_to_thread=True, status_code=200)
def acknowledge(
    request: AppRequest, app: AppDependency, number: FromPath[int], data: JSONBody[Acknowledgement | None] = None,
) -> dict[str, Json]:
    """Somebody knows of the alert: nothing more is told of it unless it gets worse."""
    try:
        return alert_json(app.alerts.acknowledge(
            number, who=actor(request), note=None if data is None else data.note))
    except AlertError as error:
        raise HTTPError(404, "no_open_alert", str(error)) from None


@get("/api/silences", guards=[may_read], sync_to_thread=True)
def silences(app: AppDependency) -> list[dict[str, Json]]:
    """The silences that have not expired."""
    return [_silence(silence) for silence in app.alerts.silences()]


@post("/api/silences", guards=[may_change], sync_to_thread=True)
def silence_alerts(request: AppRequest, app: AppDependency, data: JSONBody[NewSilence]) -> dict[str, Json]:
    """Tells nothing of the alerts that match, for so many seconds; says how many that are now."""
    try:
        made = app.alerts.silence(data.component, data.check, seconds=data.seconds, reason=data.reason,
                                  who=actor(request))
    except AlertError as error:
        raise HTTPError(400, "bad_silence", str(error)) from None
    covered = sum(made.covers(alert.key, made.made_at) for alert in app.alerts.live())
    return {**_silence(made), "openAlerts": covered}


@delete("/api/silences/{number:int}", guards=[may_change], sync_to_thread=True, status_code=200)
def end_silence(request: AppRequest, app: AppDependency, number: FromPath[int]) -> dict[str, Json]:
    """Ends a silence before its time; what is open of it is told then."""
    try:
        return _silence(app.alerts.unsilence(number, who=actor(request)))
    except AlertError as error:
        raise HTTPError(404, "no_silence", str(error)) from None


@post("/api/alert-targets/{name:str}/test", guards=[may_change], status_code=200)
async def test_target(app: AppDependency, name: FromPath[str]) -> dict[str, Json]:
    """Sends a test message to an alert target of the settings, at once."""
    if name not in app.notifier.targets:
        known = ", ".join(app.notifier.targets) or "none"
        raise HTTPError(404, "no_target", f"the settings name no such alert target; they name: {known}")
    error = await app.notifier.test(name)
    if error is not None:
        raise HTTPError(502, "not_delivered", f"the test message did not reach {name}: {error}")
    return {"target": name, "delivered": True}


def _shown(found: Shown) -> dict[str, Json]:
    return {
        **alert_json(found.alert),
        "silence": None if found.silence is None else _silence(found.silence),
        "deliveries": [_delivery(delivery) for delivery in found.deliveries],
    }


def _silence(silence: Silence) -> dict[str, Json]:
    return {"id": silence.id, "component": silence.component, "check": silence.check, "until": iso(silence.until),
            "reason": silence.reason, "by": silence.made_by, "at": iso(silence.made_at)}


def _delivery(delivery: Delivery) -> dict[str, Json]:
    waiting = delivery.status == "waiting"
    return {"target": delivery.target, "title": delivery.message.title, "status": delivery.status,
            "attempts": delivery.attempts, "lastError": delivery.last_error, "madeAt": iso(delivery.made_at),
            "nextTry": iso(delivery.next_try) if waiting else None, "doneAt": maybe_iso(delivery.done_at)}


HANDLERS = (alerts, acknowledge, silences, silence_alerts, end_silence, test_target)
routes = Router(path="/", route_handlers=list(HANDLERS))
