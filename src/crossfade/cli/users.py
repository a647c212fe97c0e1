"""``crossfade users``: who may sign in to a running server, and as what."""

import sys
from pathlib import Path
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossfade.cli.client import Client, Json
from crossfade.cli.errors import CommandError
from crossfade.core.user import UserError, check_password


def show(*, url: str | None, data: Path | None, as_json: bool) -> None:
    found = Client(url, data).get("/api/users")
    console = Console()
    if as_json or not isinstance(found, list):
        console.print_json(data=found)
        return
    if not found:
        console.print("There is no user: crossfade users add NAME adds one, crossfade login signs you in as admin.")
        return
    table = Table("name", "role", "signs in by", "sessions", "last seen", "added", "by", box=None)
    for user in found:
        if isinstance(user, dict):
            table.add_row(Text(str(user["name"])), str(user["role"]), _way(user), str(user["sessions"]),
                          _moment(user["seenAt"]), _moment(user["madeAt"]), Text(str(user["madeBy"])))
    console.print(table)


def add(name: str, *, role: str, link: bool, stdin: bool, url: str | None, data: Path | None, as_json: bool) -> None:
    client = Client(url, data)
    password = None if link else read_password(stdin=stdin)
    made = client.post("/api/users", {"name": name, "role": role, "password": password})
    added = str(made["name"]) if isinstance(made, dict) else name
    if link:
        _tell_link(client, added, as_json)
    else:
        _tell(made, f"{added} may sign in as {role} at {client.url}/login.", as_json)


def change(name: str, what: dict[str, Json], told: str, *, url: str | None, data: Path | None, as_json: bool) -> None:
    _tell(Client(url, data).patch(_path(name), what), f"{name} {told}.", as_json)


def password(name: str, *, stdin: bool, url: str | None, data: Path | None, as_json: bool) -> None:
    wanted = read_password(stdin=stdin)
    change(name, {"password": wanted}, "has a new password, and is signed out everywhere", url=url, data=data,
           as_json=as_json)


def remove(name: str, *, url: str | None, data: Path | None, as_json: bool) -> None:
    _tell(Client(url, data).delete(_path(name)), f"{name} is removed, and signed out everywhere.", as_json)


def sign_out(name: str, *, url: str | None, data: Path | None, as_json: bool) -> None:
    made = Client(url, data).post(f"{_path(name)}/sign-out")
    ended = made["ended"] if isinstance(made, dict) else None
    _tell(made, f"{name} is signed out everywhere; sessions ended: {ended}.", as_json)


def link(name: str, *, url: str | None, data: Path | None, as_json: bool) -> None:
    _tell_link(Client(url, data), name, as_json)


def make_link(client: Client, name: str) -> dict[str, Json]:
    """What the server says of it, with the whole address."""
    made = client.post("/api/sign-in-links", {"user": name})
    if not isinstance(made, dict):
        raise CommandError("the server gave no link: is it of this version?")
    return made | {"url": client.url.rstrip("/") + str(made["path"])}


def read_password(*, stdin: bool) -> str:
    """One line of standard input, or asked for twice. Raises BadParameter for one that cannot be."""
    if stdin:
        wanted = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to ask for the password: give it with --password-stdin",
                                 param_hint="--password-stdin")
    else:
        wanted = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    try:
        return check_password(wanted)
    except UserError as error:
        raise typer.BadParameter(str(error), param_hint="the password") from None


def _tell_link(client: Client, name: str, as_json: bool) -> None:
    made = make_link(client, name)
    _tell(made, f"This link signs {made['user']} in, once, within 15 minutes:\n{made['url']}", as_json)


def _tell(made: Json, told: str, as_json: bool) -> None:
    if as_json:
        Console().print_json(data=made)
    else:
        typer.echo(told)


def _path(name: str) -> str:
    return f"/api/users/{quote(name, safe='')}"


def _way(user: dict[str, Json]) -> str:
    if user["disabled"]:
        return "disabled"
    return "password" if user["hasPassword"] else "link"


def _moment(told: Json) -> str:
    return "–" if told is None else str(told)[:16] + "Z"
