"""``crossfade login``: a link that signs in to the pages of a running server."""

import webbrowser
from pathlib import Path

import typer
from rich.console import Console

from crossfade.cli.client import Client
from crossfade.cli.users import make_link


def login(name: str, *, browser: bool, url: str | None, data: Path | None, as_json: bool) -> None:
    made = make_link(Client(url, data), name)
    if as_json:
        Console().print_json(data=made)
    else:
        typer.echo(f"This link signs you in as {made['user']}, once, within 15 minutes:\n{made['url']}")
    if browser and not webbrowser.open(str(made["url"])):
        typer.echo("There is no browser here that could open it.", err=True)
