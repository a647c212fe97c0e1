"""``crossfade rollout drill``: a rollback before it is needed, with real flags and every process, timed."""

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossfade.cli.client import Client
from crossfade.cli.errors import CommandError, Refused
from crossfade.core.flag import snake

from . import answer, view
from .words import moment


def drill(*, everything: bool, url: str | None, data: Path | None, as_json: bool) -> None:
    """Makes one. Exits with 1 when it does not pass."""
    client, console = Client(url, data), Console()
    try:
        made = client.post("/api/drills", {"all": everything})
    except Refused as error:
        raise CommandError(f"no drill was made: {error.message}") from None
    told = answer.drill(made)
    if as_json:
        console.print_json(data=made)
    else:
        console.print(Text(view.drill(told), "" if told.problem is None else "bold red"))
        if told.unanswered:
            console.print(Text(f"Without an answer: {', '.join(told.unanswered)}. See whether they still run."))
    if told.problem is not None:
        raise typer.Exit(1)


def past(*, url: str | None, data: Path | None, as_json: bool) -> None:
    """Those that were made, the newest first."""
    found, console = Client(url, data).get("/api/drills"), Console()
    if as_json:
        console.print_json(data=found)
        return
    told = answer.drills(found)
    if not told:
        console.print("There has been no drill: crossfade rollout drill.")
        return
    table = Table("when", "who", "flags", "processes", "took", "result", box=None, pad_edge=False)
    for one in told:
        old = " (the configuration has changed since)" if one.holds is False and one.problem is None else ""
        table.add_row(moment(one.at), Text(one.who), Text(", ".join(map(snake, one.flags))), f"{one.processes}",
                      f"{one.milliseconds:.1f} ms", Text(one.problem or f"passed{old}"))
    console.print(table)
