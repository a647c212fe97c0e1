"""The migration dashboard at ``/admin/migration-dashboard``: how far everything is, why, and what can be done."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary
from zlib import crc32

from litestar import get
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Template

from crossfade import __version__
from crossfade.app import App
from crossfade.checklist import rows as checklist_rows
from crossfade.core.checklist import SIGNABLE
from crossfade.core.clock import iso
from crossfade.core.criterion import Standing
from crossfade.core.dimension import Status
from crossfade.core.flag import share
from crossfade.core.planfile import Problem
from crossfade.core.recounted import Recounted
from crossfade.core.role import Role
from crossfade.preflight import Check
from crossfade.state.errors import StateError
from crossfade.store.port import StoreError

from . import alertview, auditview, flash, rolloutview, stacks
from .auth import app_of, found, may_read, shown
from .checklist import checklist_json
from .componentview import ComponentView, component_view
from .context import AppDependency, AppRequest, Connection
from .curve import DEFAULT_RANGE, RANGES
from .curves import beside, curve
from .errors import HTTPError, not_known
from .figures import known
from .live import Json
from .migrationview import PAGE, Row, Verdict, rows, verdict
from .pages import Asked, ranges
from .rollouts import find
from .sidebyside import side_by_side
from .writing import moment

PAST = 10
"""Rollouts that are listed."""
RECENT = 8
"""Rows of the audit log on the page."""
MOST_ALERTS = 100
SPARK_POINTS = 60
CHECKLIST = f"{PAGE}/checklist"
SHARED_S = 1.0
"""Seconds for which one look is news."""


@dataclass(frozen=True, slots=True)
class MigrationView:
    """The whole page at one moment."""

    at: str
    at_text: str
    verdict: Verdict
    trouble: str
    drill: str
    drill_at: str
    drill_text: str
    rows: tuple[Row, ...]
    rollout: rolloutview.RolloutView | None
    past: tuple[rolloutview.RolloutView, ...]
    alerts: tuple[alertview.AlertLine, ...]
    silences: tuple[alertview.SilenceLine, ...]
    advice: tuple[alertview.AdviceLine, ...]
    audit: tuple[auditview.AuditLine, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """What was filled in and not done, with the reason; or what a link fills in."""

    plan: str = ""
    reason: str = ""
    despite: str = ""
    problems: tuple[Problem, ...] = ()
    checks: tuple[Check, ...] = ()


NOTHING = Filled()
_looks: WeakKeyDictionary[App, dict[str, tuple[float, asyncio.Future[MigrationView]]]] = WeakKeyDictionary()


async def switched_on(connection: Connection, _: BaseRouteHandler) -> None:
    """Raises HTTPError 404 where the settings switch the page off."""
    if not app_of(connection).settings.enable_migration_dashboard:
        raise HTTPError(404, "switched_off", "the migration dashboard is switched off",
                        "the setting CROSSFADE_ENABLE_MIGRATION_DASHBOARD has it so")


@get(PAGE, guards=[may_read], include_in_schema=False)
async def migration_dashboard(request: AppRequest, app: AppDependency, range: FromQuery[str] = DEFAULT_RANGE,  # noqa: A002
                              reason: FromQuery[str] = "") -> Template:
    """The migration dashboard: verdict, rollback, components, rollout, alerts, advice, audit; each action a form."""
    return await page(request, app, filled=Filled(reason=reason[:300]), over=range)


@get(f"{PAGE}/news", guards=[may_read], include_in_schema=False)
async def migration_news(app: AppDependency, range: FromQuery[str] = DEFAULT_RANGE) -> dict[str, Json]:  # noqa: A002
    """The moment, and of each part of the migration dashboard a digest: another one is news."""
    seen = await _shared(app, range if range in RANGES else DEFAULT_RANGE)
    return {"at": seen.at, "parts": dict(digests(seen))}


@get(f"{PAGE}/rollback", guards=[may_read], include_in_schema=False)
async def rollback_page(request: AppRequest, app: AppDependency, component: FromQuery[str] = "",
                        reason: FromQuery[str] = "") -> Template:
    """Asks once before a component is rolled back, or all of them, and says what comes of it."""
    names = [known(app, component).name] if component else list(app.reader.components)
    return Template("migration_rollback.html", context={
        **about(request), "names": names, "component": component, "reason": reason[:300],
        "flags": [app.reader.components[name].flag for name in names
                  if app.reader.components[name].flag not in app.state.flags().retired]})


@get(f"{PAGE}/components/{{component:str}}", guards=[may_read], include_in_schema=False)
async def migration_component(request: AppRequest, app: AppDependency, component: FromPath[str],
                              range: FromQuery[str] = DEFAULT_RANGE) -> Template:  # noqa: A002
    """One component of the migration: its way, real against reference over time, mismatches, gates, flags."""
    part, asked = known(app, component), Asked(range if range in RANGES else DEFAULT_RANGE)
    now = app.clock.now()
    since = now + 1 - RANGES[asked.range]
    try:
        past, both, (view, wrong) = await asyncio.gather(
            curve(app, part, since, now + 1, most=SPARK_POINTS), beside(app, part, since, now + 1, most=SPARK_POINTS),
            asyncio.to_thread(_component, app, part.name, asked))
    except (StateError, StoreError) as error:
        raise not_known("it cannot be told now", error) from None
    path = f"{PAGE}/components/{component}"
    return Template("migration_component.html", context={
        **about(request), "view": view, "pictures": view.pictures(past), "both": side_by_side(part, both, wrong),
        "at": iso(now), "at_text": moment(iso(now)), "ranges": ranges(asked, path), "asked": asked})


@get(f"{PAGE}/rollouts/{{number:str}}", guards=[may_read], include_in_schema=False)
async def migration_rollout(request: AppRequest, app: AppDependency, number: FromPath[str]) -> Template:
    """One rollout with everything that it did, step by step."""
    rollout = await asyncio.to_thread(find, app, number)
    try:
        steps = await asyncio.to_thread(app.state.rollouts.steps, rollout.id)
    except StateError as error:
        raise not_known("it cannot be told now", error) from None
    return Template("migration_rollout.html", context={
        **about(request), "rollout": rolloutview.view(rollout),
        "steps": [rolloutview.step_view(step, rollout.plan.names) for step in reversed(steps)]})


@get(f"{PAGE}/audit", guards=[may_read], include_in_schema=False)
async def migration_audit(request: AppRequest, app: AppDependency) -> Template:
    """The audit log: who changed what, when and why. ``who``, ``action``, ``subject``, ``since``, ``until``."""
    wanted, written, trouble = auditview.asked_for(request.query_params)
    try:
        entries = await asyncio.to_thread(app.state.audit, auditview.ROWS + 1, auditview.before(request.query_params),
                                          matching=wanted)
    except StateError as error:
        raise not_known("it cannot be told now", error) from None
    return Template("migration_audit.html", context={
        **about(request), "view": auditview.audit_page(entries, written, trouble)})


@get(CHECKLIST, guards=[may_read], include_in_schema=False)
async def migration_checklist(request: AppRequest, app: AppDependency) -> Template:
    """The guide's ten success criteria, each with its evidence; what nothing can measure can be stated here."""
    return await checklist_page(request, app)


async def checklist_page(request: AppRequest, app: App, *, notice: flash.Notice | None = None,
                         status: int = 200) -> Template:
    """The checklist as it stands; ``notice`` as for `page`."""
    told = checklist_json(app.clock.now(), await asyncio.to_thread(checklist_rows, app, app.behind()))
    return _noticed(request, "migration_checklist.html", notice, status, {
        **told, "signable": SIGNABLE, "moment": moment,
        "tones": {Standing.MET: "pass", Standing.UNMET: "fail", Standing.UNKNOWN: "open"}})


async def page(request: AppRequest, app: App, *, filled: Filled = NOTHING, notice: flash.Notice | None = None,
               status: int = 200, over: str = DEFAULT_RANGE) -> Template:
    """The page; ``notice`` says what did not work, else what the form before has done. Raises HTTPError."""
    view, asked = await looked(app, over), Asked(over if over in RANGES else DEFAULT_RANGE)
    return _noticed(request, "migration.html", notice, status, {
        "view": view, "digests": dict(digests(view)), "filled": filled, "ranges": ranges(asked, PAGE), "asked": asked})


def _noticed(request: AppRequest, name: str, notice: flash.Notice | None, status: int,
             context: Mapping[str, object]) -> Template:
    """A page that says what a form had to say: this one, or the one before, once."""
    kept = flash.heard(request)
    return Template(name, status_code=status, cookies=[flash.forgotten(request)] if kept else [],
                    context={**about(request), **context, "notice": notice or kept})


def about(request: AppRequest) -> dict[str, object]:
    """What every page of it needs of who looks."""
    identity = found(request)
    may_act = identity is not None and identity.role.may(Role.OPERATOR)
    why_not = "" if may_act or identity is None else f"{identity.name} is {identity.role}: to act takes an operator."
    return {"version": __version__, "home": PAGE, "may_act": may_act, "why_not": why_not, **shown(request)}


async def looked(app: App, over: str = DEFAULT_RANGE) -> MigrationView:
    """Everything that is shown. Raises HTTPError 503 when it cannot be read."""
    try:
        return await asyncio.to_thread(_look, app, RANGES.get(over, RANGES[DEFAULT_RANGE]), app.behind())
    except (StateError, StoreError) as error:
        raise not_known("it cannot be told now", error) from None


async def _shared(app: App, over: str) -> MigrationView:
    """One look a second serves everybody who has the page open."""
    looks, now = _looks.setdefault(app, {}), asyncio.get_running_loop().time()
    if over not in looks or now - looks[over][0] >= SHARED_S:
        looks[over] = now, asyncio.ensure_future(looked(app, over))
    return await asyncio.shield(looks[over][1])


def digests(view: MigrationView) -> dict[str, str]:
    """Of each part of the page."""
    drill = view.drill, view.drill_at
    parts: dict[str, object] = {
        "verdict": (view.verdict, view.trouble), "rollback": drill, "components": view.rows,
        "rollout": (view.rollout, view.past, drill), "alerts": (view.alerts, view.silences), "advice": view.advice,
        "audit": view.audit,
    }
    return {name: f"{crc32(repr(part).encode('utf-8', 'surrogatepass')):08x}" for name, part in parts.items()}


def _look(app: App, span: int, behind: tuple[str, ...]) -> MigrationView:
    now, flags, monitor = app.clock.now(), app.state.flags(), app.monitor
    seen, components = monitor.view, app.reader.components
    # The bars' edges are those of whole minutes, so that nothing is news but what is.
    until = -(-(now + 1) // (span // stacks.BARS)) * (span // stacks.BARS)
    sources = {name: stacks.stack(app.observer.series(name, until - span, until), stacks.SOURCES, stacks.served,
                                  (until - span, until)) for name in components}
    latest = app.state.rollouts.latest(PAST)
    newest = latest[0] if latest else None
    drill = app.drills.last()
    failing = {quality.component for quality in seen.qualities if quality.status is Status.FAIL
               and share(flags, components[quality.component].flag)}
    under_way = newest is not None and not newest.state.status.over and newest.state.paused is None
    at, drill_at = iso(now), "" if drill is None else iso(drill.at)
    return MigrationView(
        at, moment(at), verdict(seen.qualities, monitor.wanted(), rolloutview.aside(newest)), monitor.trouble or "",
        rolloutview.drill_words(drill), drill_at, moment(drill_at) if drill_at else "",
        rows(seen.qualities, components, flags, app.state.flag_rows(), thresholds=monitor.thresholds, sources=sources),
        None if newest is None else rolloutview.view(newest, behind=behind, trouble=app.controller.trouble),
        tuple(rolloutview.view(each) for each in latest[1:]),
        alertview.alert_lines(app.alerts.shown(limit=MOST_ALERTS)), alertview.silence_lines(app.alerts.silences()),
        alertview.advice_lines(monitor.recommendations(), failing, under_way=under_way),
        auditview.audit_lines(app.state.audit(RECENT)),
    )


def _component(app: App, name: str, asked: Asked) -> tuple[ComponentView, list[Recounted]]:
    now, flags, component = app.clock.now(), app.state.flags(), app.reader.components[name]
    since, until = now + 1 - RANGES[asked.range], now + 1
    series = app.observer.series(name, since, until)
    quality = app.monitor.quality(name)
    sources = stacks.stack(series, stacks.SOURCES, stacks.served, (since, until))
    row = rows((quality,), {name: component}, flags, app.state.flag_rows(), thresholds=app.monitor.thresholds,
               sources={name: sources})[0]
    wrong = [each for each in app.state.mismatches() if each.component == name]
    agreement = stacks.stack(series, stacks.COMPARED, stacks.compared, (since, until))
    return component_view(component, row, quality, agreement, wrong, app.state.rollouts.newest()), wrong


HANDLERS = (migration_dashboard, migration_news, rollback_page, migration_component, migration_rollout, migration_audit,
            migration_checklist)

