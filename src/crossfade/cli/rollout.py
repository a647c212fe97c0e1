"""``crossfade rollout plan``: the plan that is built in, or what is wrong with one of your own."""

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Column, Table

from crossfade.cli.errors import CommandError
from crossfade.core.duration import shown
from crossfade.core.plan import Plan
from crossfade.core.planfile import DEFAULT, parse


def plan(file: Path | None, *, as_json: bool) -> None:
    """Prints the built-in plan as TOML, or checks a file. Exits with 1 when the file is no plan."""
    if file is None and not as_json:
        typer.echo(DEFAULT, nl=False)
        return
    name = "the built-in plan" if file is None else str(file)
    found = parse(DEFAULT if file is None else _text(file))
    console = Console()
    if as_json:
        problems = [] if isinstance(found, Plan) else [{"line": one.line, "message": one.message} for one in found]
        phases = [phase.name for phase in found.phases] if isinstance(found, Plan) else []
        console.print_json(data={"plan": name, "phases": phases, "problems": problems})
    elif isinstance(found, Plan):
        _tell(found, console)
    else:
        for problem in found:
            typer.secho(f"{name}: {problem}", err=True, fg=typer.colors.RED)
    if not isinstance(found, Plan):
        raise typer.Exit(1)


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from None


def _tell(found: Plan, console: Console) -> None:
    table = Table(Column("phase", no_wrap=True), Column("sets", no_wrap=True), "soak", "deadline", "gates", box=None)
    for phase in found.phases:
        sets = "\n".join(f"{flag}={str(value).lower()}" for flag, value in phase.flags.items())
        table.add_row(phase.name, sets, shown(phase.soak), shown(phase.deadline), str(len(phase.gates)))
    console.print(table)
