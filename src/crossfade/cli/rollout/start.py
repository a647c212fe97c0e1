"""``crossfade rollout start``: what will happen, a yes, the preflight with its drill, and off it goes."""

import sys
from pathlib import Path

import typer
from rich.console import Console, Group, RenderableType
from rich.text import Text

from crossfade.cli.client import Client, Json
from crossfade.cli.errors import CommandError, Refused
from crossfade.core.duration import rough
from crossfade.core.flag import USE_REAL, camel, snake
from crossfade.core.plan import Phase, Plan
from crossfade.core.planfile import DEFAULT, parse

from . import answer, view, watch
from . import plan as plans


def start(file: Path | None, *, at: str | None, reason: str | None, despite: str | None, follow: bool, yes: bool,
          url: str | None, data: Path | None, as_json: bool) -> None:
    """Exits with 1 when the plan is none, nobody said yes, or the preflight found something; see `watch` beside."""
    client, console = Client(url, data), Console()
    found = _plan(client, file)
    phases = _from(found, at)
    if not as_json:
        console.print(coming(found, phases))
    agree(f"Start {found.name}?", yes=yes)
    body: dict[str, Json] = {"plan": None if file is None else plans.text(file), "at": at, "reason": reason}
    if despite is not None:
        body["despite"] = despite
    made = _start(client, body, console, as_json=as_json)
    begun = answer.rollout(made)
    if as_json:
        console.print_json(data=made)
    else:
        _tell(begun, console)
    if follow:
        watch.watch(str(begun.id), url=url, data=data, as_json=as_json)


def coming(plan: Plan, phases: tuple[Phase, ...]) -> RenderableType:
    """What a rollout of these phases will do, and how long it will take."""
    soak, deadline = sum(phase.soak * phase.steps for phase in phases), sum(phase.deadline for phase in phases)
    waits = ", and however long it waits for approval" if any(phase.approval for phase in phases) else ""
    return Group(
        Text(f"{plan.name}: {len(phases)} {'phase' if len(phases) == 1 else 'phases'}, {rough(soak)} of soaking at the "
             f"least, {rough(deadline)} at the most{waits}.", "bold"),
        plans.told(plan, phases),
        Text("Each begins when the one before has proved itself. You can pause, resume and abort at any time."),
    )


def agree(question: str, *, yes: bool) -> None:
    """Asks, on a terminal. Raises Exit with 1 unless the answer is yes."""
    if not yes and sys.stdin.isatty() and not typer.confirm(question, err=True):
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(1)


def _plan(client: Client, file: Path | None) -> Plan:
    """With the flags and the components that the server has, which may be more than the built-in ones."""
    if file is None:
        built_in = parse(DEFAULT)
        assert isinstance(built_in, Plan)  # noqa: S101  a test proves it
        return built_in
    flags = client.get("/api/flags")
    names = [snake(name) for name in flags] if isinstance(flags, dict) else []
    return plans.sound(file, names, [camel(name.removeprefix(USE_REAL)) for name in names if name.startswith(USE_REAL)])


def _from(plan: Plan, at: str | None) -> tuple[Phase, ...]:
    """Those that will be carried out. Raises BadParameter when none has the name."""
    if at is None:
        return plan.phases
    if at not in plan.names:
        raise typer.BadParameter(f"the plan has no phase {at!r}; there are: {', '.join(plan.names)}", param_hint="--at")
    return plan.phases[plan.names.index(at):]


def _start(client: Client, body: Json, console: Console, *, as_json: bool) -> Json:
    try:
        with Console(stderr=True).status("looking whether all is ready …"):
            return client.post("/api/rollouts", body)
    except Refused as error:
        if error.code == "bad_plan":
            plans.complain("the server", error.message.splitlines())
            raise typer.Exit(1) from None
        if error.code != "preflight":
            raise CommandError(f"not started: {error.message}") from None
        if as_json:
            console.print_json(data=dict(error.answer))
        else:
            console.print(view.preflight(answer.checks(error.answer.get("checks", []))))
        raise CommandError("not started: the preflight failed. Mend that, or start despite it: --despite REASON"
                           ) from None


def _tell(begun: answer.Rollout, console: Console) -> None:
    if begun.preflight:
        console.print(view.preflight(begun.preflight))
    elif begun.drill is not None:
        console.print(Text(view.drill(begun.drill)))
    console.print(Text(" ".join(begun.said)))
    console.print(view.sentences(begun))
