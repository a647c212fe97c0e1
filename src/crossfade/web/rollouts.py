"""Rollouts: started, watched, told what to do; drills."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from crossfade.app import App
from crossfade.core.clock import SECOND, iso
from crossfade.core.flag import FlagValue, camel
from crossfade.core.gate import Gate, Verdict
from crossfade.core.plan import Phase, Plan
from crossfade.core.planfile import DEFAULT, parse, write
from crossfade.core.rollout import Action, Command
from crossfade.preflight import Check, failed
from crossfade.state.errors import StateError
from crossfade.state.rollouts import Drill, Rollout, RolloutError, Step

from .auth import actor, may_change, may_read
from .context import AppDependency, AppRequest
from .errors import HTTPError, not_stored
from .live import Json

MOST_STEPS = 1_000
Count = Annotated[int, QueryParameter(ge=1, le=1_000, description="How many, the newest first.")]
Steps = Annotated[int, QueryParameter(ge=1, le=MOST_STEPS, description="How many at the most.")]
Holds = Annotated[bool, QueryParameter(description="Also how it stood while it held, once a minute.")]


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be carried out."""

    plan: str | None = None
    """TOML; the built-in plan without."""
    at: str | None = None
    """The phase to begin with; the first without."""
    reason: str | None = None
    despite: str | None = None
    """Why it begins though the preflight found something; without it, it does not."""


class Drilled(msgspec.Struct, forbid_unknown_fields=True):
    """What is drilled."""

    all: bool = False
    """The components' own flags, where the setting ``drill_all_components`` allows it."""


class Told(msgspec.Struct, forbid_unknown_fields=True):
    """What the rollout is to do, and why."""

    action: Action
    reason: str = ""


@get("/api/rollouts", guards=[may_read], sync_to_thread=True)
def rollouts(app: AppDependency, limit: Count = 20) -> list[dict[str, Json]]:
    """All rollouts, the newest first: plan, who started each, where it stands and why."""
    return [summary(one) for one in app.state.rollouts.latest(limit)]


@post("/api/rollouts", guards=[may_change], status_code=201)
async def start(
    request: AppRequest, app: AppDependency, data: JSONBody[Start | None] = None,
) -> Response[dict[str, Json]]:
    """Begins a rollout of the plan, after a preflight and a drill; or says what is wrong with it, line by line."""
    asked = data or Start()
    plan = plan_of(app, asked.plan)
    try:
        made, checks = await begin(app, plan, asked, actor(request))
        drill = await asyncio.to_thread(app.drills.last)
    except NotReady as refused:
        error = HTTPError(409, "preflight", str(refused), "mend it, or start despite it, with a reason")
        return Response({**error.fields(), "checks": msgspec.to_builtins(refused.checks)}, status_code=409)
    except RolloutError as error:
        raise HTTPError(409, "no_rollout", str(error)) from None
    except StateError as error:
        raise not_stored("nothing was changed", error) from None
    return Response({**document(made, app), "preflight": msgspec.to_builtins(checks),
                     "drill": None if drill is None else drill_json(drill)})


@post("/api/drills", guards=[may_change], status_code=200)
async def drill(request: AppRequest, app: AppDependency, data: JSONBody[Drilled | None] = None) -> dict[str, Json]:
    """Rehearses a rollback with real flags and every process, and times it."""
    try:
        return drill_json(await app.drills.make(actor(request), everything=(data or Drilled()).all))
    except RolloutError as error:
        raise HTTPError(409, "no_drill", str(error)) from None
    except StateError as error:
        raise not_stored("nothing was changed", error) from None


@get("/api/drills", guards=[may_read], sync_to_thread=True)
def drills(app: AppDependency, limit: Count = 20) -> list[dict[str, Json]]:
    """The drills, the newest first; ``holds`` where it passed in the present configuration."""
    held = app.drills.last()
    return [{**drill_json(one), "holds": held is not None and one.id == held.id and one.problem is None}
            for one in app.state.rollouts.drills(limit)]


@get("/api/rollouts/{number:str}", guards=[may_read])
async def rollout(app: AppDependency, number: FromPath[str]) -> dict[str, Json]:
    """One rollout, by its number or as ``latest``: every phase, every gate with its verdict and evidence."""
    return document(await asyncio.to_thread(find, app, number), app)


@get("/api/rollouts/{number:str}/steps", guards=[may_read], sync_to_thread=True)
def steps(
    app: AppDependency, number: FromPath[str], after: FromQuery[int] = 0, limit: Steps = MOST_STEPS,
    holds: Holds = True,
) -> list[dict[str, Json]]:
    """What a rollout did and how it stood, in order, with the evidence; those behind the step ``after``."""
    found = find(app, number)
    told = app.state.rollouts.steps(found.id, after=after, limit=limit, holds=holds)
    return [step_json(step, found.plan) for step in told]


@post("/api/rollouts/{number:str}/commands", guards=[may_change], status_code=200)
async def tell(request: AppRequest, app: AppDependency, number: FromPath[str], data: JSONBody[Told]) -> dict[str, Json]:
    """Tells the rollout under way to ``pause``, ``resume``, ``approve``, ``abort`` or ``skip`` the rest of a soak."""
    command = Command(data.action, actor(request), data.reason.strip())
    found = await asyncio.to_thread(find, app, number)
    if found.state.status.over:
        raise HTTPError(409, "refused", f"rollout {found.id} is over: nothing can be told to it")
    try:
        return document(await app.controller.command(command), app)
    except RolloutError as error:
        raise HTTPError(409, "refused", str(error)) from None
    except StateError as error:
        raise not_stored("nothing was changed", error) from None


class NotReady(Exception):  # noqa: N818  it says what was found
    """The preflight found what keeps the rollout from starting."""

    def __init__(self, checks: tuple[Check, ...]) -> None:
        super().__init__("; ".join(f"{one.name}: {one.told}" for one in failed(checks)))
        self.checks = checks


async def begin(app: App, plan: Plan, asked: Start, who: str) -> tuple[Rollout, tuple[Check, ...]]:
    """Begins the plan after a preflight. Raises RolloutError, StateError, or NotReady unless told ``despite`` what."""
    despite = (asked.despite or "").strip()
    await asyncio.to_thread(_none_live, app)
    checks = await app.preflight.run(plan, asked.at, who)
    lacking = failed(checks)
    if lacking and not despite:
        raise NotReady(checks)
    reason = f"{asked.reason or ''} (despite the preflight: {despite})".strip() if lacking else asked.reason
    return await app.controller.start(plan, who=who, reason=reason, at=asked.at), checks


def _none_live(app: App) -> None:
    live = app.state.rollouts.live()
    if live is not None:
        raise RolloutError(f"rollout {live.id} ({live.plan.name}) is not over: abort it first")


def find(app: App, number: str) -> Rollout:
    """The rollout of this number, or the latest. Raises HTTPError."""
    try:
        if number == "latest":
            found = app.state.rollouts.newest()
        else:
            found = app.state.rollouts.get(int(number)) if number.isdecimal() and len(number) < 18 else None
    except StateError as error:
        raise not_stored("nothing was changed", error) from None
    if found is None:
        raise HTTPError(404, "unknown_rollout", "there is no such rollout" if number != "latest" else
                        "there has been no rollout: crossfade rollout start")
    return found


def summary(rollout: Rollout) -> dict[str, Json]:
    """A rollout in a line."""
    state, names = rollout.state, rollout.plan.names
    return {
        "id": rollout.id, "plan": rollout.plan.name, "status": state.status.value, "paused": state.paused,
        "why": state.why, "phase": names[state.phase] if state.phase < len(names) else None,
        "startedAt": iso(rollout.started_at), "startedBy": rollout.started_by, "reason": rollout.reason,
        "seenAt": iso(state.seen_at), "said": list(rollout.said),
    }


def drill_json(drill: Drill) -> dict[str, Json]:
    return {
        "id": drill.id, "at": iso(drill.at), "who": drill.who, "flags": [camel(name) for name in drill.flags],
        "milliseconds": drill.micros / 1_000, "processes": drill.processes, "unanswered": list(drill.unanswered),
        "problem": drill.problem,
    }


def document(rollout: Rollout, app: App) -> dict[str, Json]:
    """A rollout with its phases, and the gates of the one in effect as they are judged."""
    state = rollout.state
    return {
        **summary(rollout), "at": iso(app.clock.now()),
        "trouble": None if state.status.over else app.controller.trouble,
        "step": state.step, "soakedS": state.soaked / SECOND, "heldS": state.spent / SECOND,
        "approvedBy": state.approved_by, "skipped": state.skipped,
        "waitingFor": [] if state.status.over else list(app.behind()),
        "phases": [phase_json(phase, state.word_of(index), rollout.verdicts if index == state.phase else ())
                   for index, phase in enumerate(rollout.plan.phases)],
        "planText": write(rollout.plan),
    }


def phase_json(phase: Phase, standing: str, verdicts: Iterable[Verdict]) -> dict[str, Json]:
    judged = {verdict.gate: verdict for verdict in verdicts}
    return {
        "name": phase.name, "standing": standing, "set": flags_json(phase.flags), "ramp": list(phase.ramp),
        "soakS": phase.soak / SECOND, "deadlineS": phase.deadline / SECOND, "approval": phase.approval,
        "onFail": phase.on_fail.value, "needs": list(phase.needs), "freeze": [each.words for each in phase.freeze],
        "gates": [gate_json(gate, judged.get(gate.name)) for gate in phase.gates],
    }


def gate_json(gate: Gate, verdict: Verdict | None) -> dict[str, Json]:
    told: Json = None if verdict is None else msgspec.to_builtins(verdict)
    return {
        "name": gate.name, "figure": gate.figure, "component": gate.component or None, "least": gate.least,
        "most": gate.most, "judged": gate.judged.value, "noData": gate.no_data.value, "sample": gate.sample,
        "windowS": None if gate.window is None else gate.window / SECOND, "verdict": told,
    }


def step_json(step: Step, plan: Plan) -> dict[str, Json]:
    return {
        "id": step.id, "at": iso(step.at), "who": step.who, "move": step.move.value,
        "phase": plan.names[step.phase] if step.phase < len(plan.names) else None, "step": step.step,
        "said": list(step.said), "changes": flags_json(step.changes), "verdicts": msgspec.to_builtins(step.verdicts),
    }


def flags_json(values: Mapping[str, FlagValue]) -> dict[str, Json]:
    return {camel(name): value for name, value in values.items()}


def plan_of(app: App, text: str | None) -> Plan:
    """The plan that the text is, or the built-in one without. Raises HTTPError."""
    found = parse(DEFAULT if text is None else text, app.flag_names, app.reader.components)
    if isinstance(found, Plan):
        return found
    raise HTTPError(400, "bad_plan", "\n".join(map(str, found)), "crossfade rollout plan FILE tells them line by line")


HANDLERS = (rollouts, start, rollout, steps, tell, drill, drills)
routes = Router(path="/", route_handlers=list(HANDLERS))
