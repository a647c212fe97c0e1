"""The report of a migration over HTTP: for programs as JSON, for people as a page that prints."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from litestar import Response, Router, get
from litestar.params import FromQuery, QueryParameter
from litestar.response import Template

from crossfade import __version__
from crossfade.app import App
from crossfade.core.chronicle import Curve, Deed, Passage
from crossfade.core.clock import SECOND, iso
from crossfade.core.duration import rough
from crossfade.core.migration import Migration
from crossfade.core.plan import Phase
from crossfade.core.planfile import write
from crossfade.report import Report, gather
from crossfade.state.errors import StateError
from crossfade.state.rollouts import Rollout

from .auditview import entry_json
from .auth import may_read
from .checklist import checklist_json
from .context import AppDependency
from .errors import not_known
from .linechart import HEIGHT, LEFT, RIGHT, WIDTH, chart, number
from .live import Json, alert_json, maybe_iso
from .quality import health_json, quality_json
from .rollouts import drill_json, find, flags_json, phase_json

STYLE = Path(__file__).parent / "static" / "report.css"

Number = Annotated[str | None, QueryParameter(name="rollout", description="A rollout's number, or latest.")]
Alone = Annotated[bool, QueryParameter(name="alone", description="With its style inside, to be kept as one file.")]


@get("/api/monitoring/migration-report", guards=[may_read])
async def migration_report(
    app: AppDependency, wanted: Number = None,
    format: FromQuery[Literal["json", "html"]] = "json",  # noqa: A002 - as the live dashboard has it
    alone: Alone = False,
) -> Response[dict[str, Json]] | Template:
    """The report of a rollout, the latest without a number: phases, gates over time, audit, incidents, checklist."""
    try:
        found = await asyncio.to_thread(_gathered, app, wanted, app.behind())
    except StateError as error:
        raise not_known("the report cannot be told now", error) from None
    document = await asyncio.to_thread(report_json, found, app)
    if format == "json":
        return Response(document)
    name = f"crossfade-migration-{'flags' if found.rollout is None else found.rollout.id}.html"
    return Template("report.html", context=await asyncio.to_thread(page, found, document, alone=alone), headers=(
        {"Content-Disposition": f'attachment; filename="{name}"'} if alone else {}))


def _gathered(app: App, wanted: str | None, behind: Sequence[str]) -> Report:
    return gather(app, app.state.rollouts.newest() if wanted is None else find(app, wanted), behind)


def report_json(report: Report, app: App) -> dict[str, Json]:
    """All of it."""
    components, flags, story = app.reader.components, app.state.flags(), report.story
    return {
        "at": iso(report.at), "version": __version__, "since": iso(report.since), "until": iso(report.until),
        "status": migration_json(report.migration),
        "rollout": None if report.rollout is None else rollout_json(report.rollout),
        "phases": [] if story is None or report.rollout is None else [
            passage_json(passage, phase)
            for passage, phase in zip(story.passages, report.rollout.plan.phases, strict=True)],
        "deeds": [] if story is None else [deed_json(deed) for deed in story.deeds],
        "deedsLeftOff": 0 if story is None else story.left_off,
        "drill": None if report.drill is None else drill_json(report.drill),
        "incidents": [alert_json(alert) for alert in report.incidents],
        "health": health_json(report.health), "trouble": report.trouble,
        "components": [quality_json(one, components[one.component], flags) for one in report.qualities
                       if one.component in components],
        "checklist": checklist_json(report.at, report.checklist),
        "audit": [entry_json(entry) for entry in report.audit],
    }


def migration_json(found: Migration) -> dict[str, Json]:
    """The guide's MigrationStatus."""
    return {
        "phase": found.phase, "progress": found.progress, "startedAt": maybe_iso(found.started_at),
        "estimatedCompletion": maybe_iso(found.estimated_completion), "blockers": list(found.blockers),
        "risks": list(found.risks),
    }


def rollout_json(rollout: Rollout) -> dict[str, Json]:
    state = rollout.state
    return {
        "id": rollout.id, "plan": rollout.plan.name, "status": state.status.value, "paused": state.paused,
        "why": state.why, "startedAt": iso(rollout.started_at), "startedBy": rollout.started_by,
        "reason": rollout.reason, "endedAt": iso(state.seen_at) if state.status.over else None,
        "said": list(rollout.said), "planText": write(rollout.plan),
    }


def passage_json(passage: Passage, phase: Phase) -> dict[str, Json]:
    """A phase of the plan, with how it went."""
    curves = {curve.gate.name: curve for curve in passage.curves}
    told = phase_json(phase, passage.ending.value, passage.verdicts)
    gates = told["gates"]
    return {
        **told, "holds": passage.holds, "beganAt": maybe_iso(passage.began_at), "endedAt": maybe_iso(passage.ended_at),
        "tookS": None if passage.began_at is None or passage.ended_at is None else (
            (passage.ended_at - passage.began_at) / SECOND),
        "steps": [{"at": iso(mark.at), "percent": mark.percent} for mark in passage.steps],
        "said": list(passage.said),
        "gates": [{**gate, "figures": points_json(curves[str(gate["name"])])}
                  for gate in (gates if isinstance(gates, list) else []) if isinstance(gate, dict)],
    }


def points_json(curve: Curve) -> list[Json]:
    return [{**msgspec.to_builtins(point), "at": iso(point.at)} for point in curve.points]


def deed_json(deed: Deed) -> dict[str, Json]:
    return {"at": iso(deed.at), "who": deed.who, "move": deed.move.value, "phase": deed.phase,
            "said": list(deed.said), "changes": flags_json(deed.changes)}


def page(report: Report, document: dict[str, Json], *, alone: bool) -> dict[str, object]:
    """What the template is handed: the same document, its curves drawn."""
    passages = () if report.story is None else report.story.passages
    return {
        "report": document, "charts": {(passage.name, curve.gate.name): chart(curve)
                                       for passage in passages for curve in passage.curves},
        "style": STYLE.read_text() if alone else None, "version": __version__, "when": when, "number": shown,
        "span": span, "width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT,
    }


def when(moment: str | None) -> str:
    """A moment of the document as people read it, in UTC."""
    return "–" if moment is None else moment[:19].replace("T", " ")


def shown(value: float | None, unit: str = "") -> str:
    """A figure with its unit, or a dash."""
    return "–" if value is None else number(value) + unit


def span(seconds: float | None) -> str:
    """How long, in the two largest units."""
    return "–" if seconds is None else rough(max(0, round(seconds)) * SECOND)


HANDLERS = (migration_report,)
routes = Router(path="/", route_handlers=list(HANDLERS))
