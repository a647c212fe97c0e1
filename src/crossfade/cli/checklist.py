"""``crossfade checklist``: the guide's success criteria, each with its evidence."""

from pathlib import Path

import typer
from msgspec import Struct, convert
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from crossfade.cli.client import Client

MARKS = {"met": "[green]✔ met[/]", "unmet": "[red]✘ unmet[/]", "unknown": "[yellow]? unknown[/]"}


class _Stated(Struct):
    who: str
    at: str


class _Row(Struct):
    number: int
    name: str
    criterion: str
    standing: str
    sentence: str
    command: str
    stated: _Stated | None


class _Checklist(Struct):
    met: bool
    criteria: list[_Row]


def show(*, url: str | None, data: Path | None, as_json: bool) -> None:
    """Prints it. Exits with 1 unless all criteria are met."""
    answer = Client(url, data).get("/api/checklist")
    found, console = convert(answer, _Checklist), Console()
    if as_json:
        console.print_json(data=answer)
    else:
        tell(found, console)
    if not found.met:
        raise typer.Exit(1)


def sign(criterion: str, *, reason: str, url: str | None, data: Path | None, as_json: bool) -> None:
    """States a criterion. Raises CommandError for one that is measured."""
    answer = Client(url, data).post("/api/checklist/statements", {"criterion": criterion, "reason": reason})
    console = Console()
    if as_json:
        console.print_json(data=answer)
        return
    row = next(row for row in convert(answer, _Checklist).criteria if row.name == criterion)
    console.print(f"{MARKS.get(row.standing, row.standing)}  {row.criterion}: {escape(row.sentence)}")


def tell(found: _Checklist, console: Console) -> None:
    met = sum(row.standing == "met" for row in found.criteria)
    console.print(f"[bold]{met} of {len(found.criteria)} criteria are met[/]\n")
    table = Table(Column("", justify="right"), Column("standing", no_wrap=True), Column("criterion", ratio=2),
                  Column("evidence", ratio=5), box=None)
    for row in found.criteria:
        mark = MARKS.get(row.standing, escape(row.standing)) + (" (stated)" if row.stated else "")
        command = "" if row.standing == "met" else f"\n[dim]{escape(row.command)}[/]"
        table.add_row(str(row.number), mark, row.criterion, escape(row.sentence) + command)
    console.print(table)
