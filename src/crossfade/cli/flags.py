"""``crossfade flags``: what is switched how, by whom, and switching it."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from crossfade.cli.client import Client, Json
from crossfade.core.flag import PERCENT, FlagError, camel, canonical, own, parse, snake


def show(*, url: str | None, data: Path | None, as_json: bool) -> None:
    _print(Client(url, data).get("/api/flags"), as_json)


def change(assignments: Sequence[str], *, reason: str | None, url: str | None, data: Path | None,
           as_json: bool) -> None:
    client = Client(url, data)
    current = client.get("/api/flags")
    names = [snake(name) for name in (*_names(current), *_archived(client.get("/api/retire")))]
    try:
        changes = dict(_assignment(text, names) for text in assignments)
    except FlagError as error:
        raise typer.BadParameter(str(error)) from None
    query = {} if reason is None else {"reason": reason}
    _print(client.patch("/api/flags", changes, **query), as_json)


def log(limit: int, *, url: str | None, data: Path | None, as_json: bool) -> None:
    entries = Client(url, data).get("/api/audit", limit=limit, action="flag.")
    console = Console()
    if as_json:
        console.print_json(data=entries)
        return
    table = Table("when", "who", "did", "what", "from", "to", "why", box=None)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            told = {**entry, "action": str(entry["action"]).removeprefix("flag.")}
            table.add_row(*(str(told[key] or "") for key in ("at", "who", "action", "subject", "old", "new", "reason")))
    console.print(table)


def _assignment(text: str, names: Sequence[str]) -> tuple[str, Json]:
    """Raises FlagError when it is not the name of a flag, =, and a value that it may have."""
    name, equals, value = text.partition("=")
    if not equals:
        raise FlagError(f"{text!r} is not NAME=VALUE")
    flag = canonical(name, names)
    return camel(flag), parse(flag, value)


def _names(answer: Json) -> list[str]:
    return list(answer) if isinstance(answer, dict) else []


def _archived(answer: Json) -> list[str]:
    """The flags of retired components: that they cannot be set the server says better than "there is no flag"."""
    found = answer.get("components") if isinstance(answer, dict) else None
    parts = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return [name for one in parts if one["retiredAt"] for name in own(str(one["flag"]))]


def _print(flags: Json, as_json: bool) -> None:
    console = Console()
    if as_json:
        console.print_json(data=flags)
        return
    table = Table("flag", "value", box=None)
    for name, value in flags.items() if isinstance(flags, dict) else ():
        table.add_row(snake(name), _shown(snake(name), value))
    console.print(table)


def _shown(name: str, value: Json) -> str:
    if name.startswith(PERCENT):
        return f"{value} %"
    return "[green]on[/]" if value else "[dim]off[/]"
