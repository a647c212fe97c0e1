"""``crossfade rollout plan``: the plan that is built in, or what is wrong with one of your own."""

from collections.abc import Iterable
from pathlib import Path

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from crossfade.cli.errors import CommandError
from crossfade.core.duration import rough
from crossfade.core.flag import ALL
from crossfade.core.gate import Gate, When
from crossfade.core.plan import OnFail, Phase, Plan
from crossfade.core.planfile import COMPONENTS, DEFAULT, parse


def plan(file: Path | None, *, as_json: bool) -> None:
    """Prints the built-in plan as TOML, or checks a file. Exits with 1 when the file is no plan."""
    if file is None and not as_json:
        typer.echo(DEFAULT, nl=False)
        return
    name = "the built-in plan" if file is None else str(file)
    found = parse(DEFAULT if file is None else text(file))
    console = Console()
    if as_json:
        problems = [] if isinstance(found, Plan) else [{"line": one.line, "message": one.message} for one in found]
        phases = [phase.name for phase in found.phases] if isinstance(found, Plan) else []
        console.print_json(data={"plan": name, "phases": phases, "problems": problems})
    elif isinstance(found, Plan):
        console.print(told(found, found.phases))
    else:
        complain(name, map(str, found))
    if not isinstance(found, Plan):
        raise typer.Exit(1)


def sound(file: Path, flags: Iterable[str] = ALL, components: Iterable[str] = COMPONENTS) -> Plan:
    """The plan in a file. Raises Exit with 1 when it is none, and says line by line why; or CommandError."""
    found = parse(text(file), flags, components)
    if isinstance(found, Plan):
        return found
    complain(str(file), map(str, found))
    raise typer.Exit(1)


def complain(name: str, problems: Iterable[str]) -> None:
    """Says each problem in a line of its own."""
    for problem in problems:
        typer.secho(f"{name}: {problem}", err=True, fg=typer.colors.RED)


def text(file: Path) -> str:
    """Raises CommandError when it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from None


def told(plan: Plan, phases: Iterable[Phase]) -> RenderableType:
    """A row a phase: what it sets, what it must prove, and how long that takes."""
    table = Table("phase", Column("what it does", overflow="fold"), Column("soak", no_wrap=True),
                  Column("at the most", no_wrap=True), box=None, pad_edge=False)
    for phase in phases:
        table.add_row(Text(phase.name), Text("\n".join(_does(phase))),
                      rough(phase.soak) + (" a step" if phase.ramp else ""), rough(phase.deadline))
    frozen = [Text(f"Nothing is stepped forward {freeze.words}.") for freeze in plan.freeze]
    return Group(table, *frozen)


def _does(phase: Phase) -> Iterable[str]:
    if phase.approval:
        yield "waits for approval"
    for flag, value in phase.flags.items():
        yield f"sets {flag}={str(value).lower()}"
    if phase.ramp:
        yield f"for {', '.join(map(str, phase.ramp))} % of the viewers"
    for gate in phase.gates:
        yield f"must prove {_gate(gate)}"
    if phase.on_fail is OnFail.REVERT_ALL:
        yield "takes everything back if it fails"
    for freeze in phase.freeze:
        yield f"is not stepped forward {freeze.words}"


def _gate(gate: Gate) -> str:
    wanted = f"≥ {gate.least:g}" if gate.least is not None else f"≤ {gate.most:g}"
    of = f"{gate.component}: " if gate.component else ""
    return f"{of}{gate.figure} {wanted}{' at the end' if gate.judged is When.AT_END else ''}"
