"""``crossfade retire``: the end of a component's mock, its undoing, and how far every component is."""

from collections.abc import Mapping
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from crossfade.cli.client import Client, Json
from crossfade.core.flag import snake


def show(*, url: str | None, data: Path | None, as_json: bool) -> None:
    answer = Client(url, data).get("/api/retire")
    console = Console()
    if as_json:
        console.print_json(data=answer)
        return
    table = Table(Column("component", no_wrap=True), "stage", "real only since", "may be retired", "retired",
                  "flags purged", "lacking", box=None)
    found = answer.get("components") if isinstance(answer, dict) else None
    for one in found if isinstance(found, list) else []:
        if isinstance(one, dict):
            table.add_row(*(Text(cell) for cell in _row(one)))
    console.print(table)


def retire(component: str, *, reason: str | None, despite: str | None, dry_run: bool, url: str | None,
           data: Path | None, as_json: bool) -> None:
    """Exits with 1 when a dry run says that the component would not be retired."""
    body: dict[str, Json] = {"component": component, "reason": reason, "despite": despite, "dryRun": dry_run}
    answer = Client(url, data).post("/api/retire", body)
    console = Console()
    if as_json:
        console.print_json(data=answer)
    elif isinstance(answer, dict):
        _tell_foreseen(answer, console) if dry_run else _tell_retired(answer, console)
    if dry_run and isinstance(answer, dict) and not answer["wouldRetire"]:
        raise typer.Exit(1)


def undo(component: str, *, reason: str | None, url: str | None, data: Path | None, as_json: bool) -> None:
    body: dict[str, Json] = {"component": component, "reason": reason}
    answer = Client(url, data).post("/api/retire/undo", body)
    console = Console()
    if as_json:
        console.print_json(data=answer)
    elif isinstance(answer, dict):
        _say(console, f"{component} is no longer retired. Its flags are back: {_flags(answer['restored'])}.")
        if not answer["hasMock"]:
            _say(console, "It has no mock in the code any more: put it back, and start the server again.")


def _tell_retired(answer: Mapping[str, Json], console: Console) -> None:
    _say(console, f"{answer['component']} is retired: its mock can no longer be read.")
    _say(console, f"Archived until {_second(answer['undoUntil'])}: {_flags(answer['archivedFlags'])}.")
    _say(console, f"Undo it until then with: crossfade retire --undo {answer['component']}")
    _say(console, "Find what is left of it in the code with: crossfade retire --check SRC "
                  f"--component {answer['component']}")


def _tell_foreseen(answer: Mapping[str, Json], console: Console) -> None:
    if answer["wouldRetire"]:
        _say(console, f"{answer['component']} would be retired: its mock could no longer be read, its flags would be "
                      f"archived for 30 days: {_flags(answer['wouldArchive'])}.")
    else:
        _say(console, f"{answer['refused']}.")
    _say(console, "Nothing was changed.")


def _row(one: Mapping[str, Json]) -> tuple[str, ...]:
    may, lacking = _second(one["mayRetireAt"]), one["lacking"]
    purged = f"on {_second(one['purgedAt'])}" if one["purgedAt"] else _second(one["undoUntil"])
    words = [str(word) for word in lacking] if isinstance(lacking, list) else []
    if may != "–" and not words:
        may = "now"
    name = f"{one['component']}" + ("" if one["declared"] else " (not declared any more)")
    return (name, str(one["stage"]), _second(one["realOnlySince"]), may, _second(one["retiredAt"]), purged,
            "; ".join(words))


def _flags(values: Json) -> str:
    found = values.items() if isinstance(values, dict) else ()
    return ", ".join(f"{snake(name)}={str(value).lower()}" for name, value in found) or "none"


def _second(moment: Json) -> str:
    """A moment in UTC, to the second."""
    return f"{moment[:10]} {moment[11:19]}" if isinstance(moment, str) else "–"


def _say(console: Console, sentence: str) -> None:
    console.print(Text(sentence), soft_wrap=True)
