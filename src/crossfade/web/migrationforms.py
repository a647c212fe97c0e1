"""What is done from the migration dashboard: plain forms, each of which leads back to it and says what happened."""

import asyncio
from collections.abc import Mapping

from litestar import Response, Router, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from crossfade.app import App
from crossfade.checklist import CriterionError, sign
from crossfade.core.alert import AlertError
from crossfade.core.clock import HOUR, SECOND, iso
from crossfade.core.plan import Plan
from crossfade.core.planfile import DEFAULT, parse
from crossfade.core.rollout import Action, Command
from crossfade.rollback import RolledBack
from crossfade.rollback import rollback as roll_back
from crossfade.state.errors import StateError
from crossfade.state.rollouts import RolloutError

from . import csrf, flash
from .auth import actor, may_change
from .context import AppDependency, AppRequest
from .figures import known
from .flash import Notice
from .migration import CHECKLIST, Filled, checklist_page, page, switched_on
from .migration import HANDLERS as PAGES
from .migrationview import PAGE
from .rollouts import NotReady, Start, begin
from .rolloutview import drilled
from .writing import SPACE, moment, number

MAX_BODY = 120_000
"""Bytes of a form: a plan, each character of which may take three."""
LONGEST = 500
"""Characters of a reason."""
Answer = Response[bytes] | Template


@post(f"{PAGE}/rollback", guards=[may_change], include_in_schema=False, request_max_body_size=MAX_BODY, status_code=303)
async def rollback_form(request: AppRequest, app: AppDependency) -> Answer:
    """Rolls back a component, or all of them, and says how long it took and who has not answered."""
    form = await csrf.fields(request)
    name = form.get("component", "")
    parts = [known(app, name)] if name else list(app.reader.components.values())
    try:
        done = await roll_back(app.state, app.followers, app.clock, [part.flag for part in parts], who=actor(request),
                               reason=_text(form, "reason") or "rollback from the migration dashboard")
    except StateError as error:
        return await _refused(request, app, 503, f"Nothing was rolled back: {error}.")
    return _back(request, rolled_back(done, name), "#rollback")


@post(f"{PAGE}/drill", guards=[may_change], include_in_schema=False, request_max_body_size=MAX_BODY, status_code=303)
async def drill_form(request: AppRequest, app: AppDependency) -> Answer:
    """Rehearses a rollback now, with a flag that no component has."""
    try:
        made = await app.drills.make(actor(request))
    except RolloutError as error:
        return await _refused(request, app, 409, f"No drill was made: {error}.")
    except StateError as error:
        return await _refused(request, app, 503, f"No drill was made: {error}.")
    told = f"The drill {'passed: ' if made.problem is None else ''}{drilled(made)}."
    return _back(request, Notice(told, "pass" if made.problem is None else "fail"), "#rollback")


@post(f"{PAGE}/rollouts", guards=[may_change], include_in_schema=False, request_max_body_size=MAX_BODY, status_code=303)
async def start_form(request: AppRequest, app: AppDependency) -> Answer:
    """Begins a rollout of the pasted plan, or of the built-in one; else shows line by line what is wrong with it."""
    form = await csrf.fields(request)
    text = form.get("plan", "").replace("\r\n", "\n")
    filled = Filled(text, _text(form, "reason"), _text(form, "despite"))
    plan = parse(text if text.strip() else DEFAULT, app.flag_names, app.reader.components)
    if not isinstance(plan, Plan):
        return await _refused(request, app, 400, "Nothing was started: the plan has to be mended.",
                              Filled(text, filled.reason, filled.despite, problems=plan))
    try:
        made, _ = await begin(app, plan, Start(reason=filled.reason or None, despite=filled.despite or None),
                              actor(request))
    except NotReady as refused:
        return await _refused(request, app, 409, "Nothing was started: the preflight found what has to be mended.",
                              Filled(text, filled.reason, filled.despite, checks=refused.checks))
    except RolloutError as error:
        return await _refused(request, app, 409, f"Nothing was started: {error}.", filled)
    except StateError as error:
        return await _refused(request, app, 503, f"Nothing was started: {error}.", filled)
    return _back(request, Notice(f"Rollout {made.id} ({made.plan.name}) has begun. {' '.join(made.said)}"), "#rollout")


@post(f"{PAGE}/rollouts/{{number:int}}/commands", guards=[may_change], include_in_schema=False,
      request_max_body_size=MAX_BODY, status_code=303)
async def tell_form(request: AppRequest, app: AppDependency, number: FromPath[int]) -> Answer:
    """Tells the rollout under way what the button says."""
    form = await csrf.fields(request)
    action, reason = form.get("action", ""), _text(form, "reason")
    if action not in list(Action):
        return await _refused(request, app, 400, "There is no such thing to tell a rollout.")
    try:
        live = await asyncio.to_thread(app.state.rollouts.live)
        if live is None or live.id != number:
            return await _refused(request, app, 409, f"Not done: rollout {number} is over.", Filled(reason=reason))
        made = await app.controller.command(Command(Action(action), actor(request), reason))
    except RolloutError as error:
        return await _refused(request, app, 409, f"Not done: {error}.", Filled(reason=reason))
    except StateError as error:
        return await _refused(request, app, 503, f"Not done: {error}.", Filled(reason=reason))
    return _back(request, Notice(" ".join(made.said), "open" if action in {"pause", "abort"} else "pass"), "#rollout")


@post(f"{PAGE}/alerts/{{number:int}}/ack", guards=[may_change], include_in_schema=False,
      request_max_body_size=MAX_BODY, status_code=303)
async def acknowledge_form(request: AppRequest, app: AppDependency, number: FromPath[int]) -> Answer:
    """Acknowledges an alert, with a note."""
    note = _text(await csrf.fields(request), "note") or None
    try:
        made = await asyncio.to_thread(app.alerts.acknowledge, number, who=actor(request), note=note)
    except AlertError as error:
        return await _refused(request, app, 404, f"Not done: {error}.")
    except StateError as error:
        return await _refused(request, app, 503, f"Not done: {error}.")
    return _back(request, Notice(f"Acknowledged {made.key.component}, {made.key.check}: nothing more is told of it "
                                 "unless it gets worse."), "#alerts")


@post(f"{PAGE}/silences", guards=[may_change], include_in_schema=False, request_max_body_size=MAX_BODY, status_code=303)
async def silence_form(request: AppRequest, app: AppDependency) -> Answer:
    """Silences what matches for some hours, with a reason."""
    form = await csrf.fields(request)
    hours = form.get("hours", "")
    seconds = int(hours) * HOUR / SECOND if hours.isascii() and hours.isdecimal() and len(hours) < 5 else 0.0
    try:
        made = await asyncio.to_thread(app.alerts.silence, form.get("component", ""), form.get("check", "") or "*",
                                       seconds=seconds, reason=_text(form, "reason"), who=actor(request))
    except AlertError as error:
        return await _refused(request, app, 400, f"Nothing was silenced: {error}.")
    except StateError as error:
        return await _refused(request, app, 503, f"Nothing was silenced: {error}.")
    return _back(request, Notice(f"{made.component}, {made.check} is silenced until {moment(iso(made.until))}: it is "
                                 "recorded, and nobody is told."), "#alerts")


@post(f"{PAGE}/silences/{{number:int}}/end", guards=[may_change], include_in_schema=False,
      request_max_body_size=MAX_BODY, status_code=303)
async def unsilence_form(request: AppRequest, app: AppDependency, number: FromPath[int]) -> Answer:
    """Ends a silence before its time."""
    try:
        made = await asyncio.to_thread(app.alerts.unsilence, number, who=actor(request))
    except AlertError as error:
        return await _refused(request, app, 404, f"Not done: {error}.")
    except StateError as error:
        return await _refused(request, app, 503, f"Not done: {error}.")
    return _back(request, Notice(f"{made.component}, {made.check} is told of again."), "#alerts")


@post(CHECKLIST, guards=[may_change], include_in_schema=False, request_max_body_size=MAX_BODY, status_code=303)
async def state_form(request: AppRequest, app: AppDependency) -> Answer:
    """States a criterion that nothing can measure."""
    form = await csrf.fields(request)
    name = _text(form, "criterion")
    try:
        await asyncio.to_thread(sign, app, name, who=actor(request), reason=_text(form, "reason"))
    except CriterionError as error:
        return await checklist_page(request, app, status=400, notice=Notice(f"Nothing was kept: {error}.", "fail"))
    except StateError as error:
        return await checklist_page(request, app, status=503, notice=Notice(f"Nothing was kept: {error}.", "fail"))
    return _back(request, Notice(f"Stated: {name}. It is kept in the audit log, and shown as stated."), "/checklist")


def rolled_back(done: RolledBack, component: str = "") -> Notice:
    """How a rollback went."""
    what = component or "everything"
    took = f"{number(done.milliseconds)}{SPACE}ms"
    head = f"Rolled back {what}" if done.changed else f"{what[:1].upper()}{what[1:]} was off already"
    if done.unanswered:
        return Notice(f"{head}: after {took} {done.acknowledged:,} processes have it. Not known to have it: "
                      f"{', '.join(done.unanswered)}.", "fail")
    everybody = f"all of {done.acknowledged:,} processes have" if done.acknowledged != 1 else "the 1 process has"
    return Notice(f"{head}: {took} until {everybody} it.")


def _text(form: Mapping[str, str], name: str) -> str:
    return " ".join(form.get(name, "").split())[:LONGEST]


def _back(request: AppRequest, notice: Notice, place: str) -> Response[bytes]:
    """To the dashboard: to a part of it, ``#rollout``, or to a page below it."""
    return Redirect(PAGE + place, status_code=303, cookies=[flash.told(request, notice)])


async def _refused(request: AppRequest, app: App, status: int, told: str, filled: Filled | None = None) -> Template:
    """The page again, with what was filled in, and why it was not done."""
    return await page(request, app, status=status, notice=Notice(told, "fail"), filled=filled or Filled())


FORMS = (rollback_form, drill_form, start_form, tell_form, acknowledge_form, silence_form, unsilence_form,
         state_form)
HANDLERS = (*PAGES, *FORMS)
"""With the pages: what shares an address shares a router."""
routes = Router(path="/", route_handlers=list(HANDLERS), guards=[switched_on])
