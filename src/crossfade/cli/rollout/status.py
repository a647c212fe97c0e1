"""``crossfade rollout status``: what it does, why, and what is needed; readable at 3 a.m., and after months."""

from pathlib import Path

import typer
from rich.console import Console

from crossfade.cli.client import Client, Json
from crossfade.cli.errors import CommandError, Refused

from . import answer
from .story import chapters
from .view import page
from .words import headline

PAGE = 1_000
"""Steps that are asked for at a time: the most that a server gives."""


def status(number: str, *, url: str | None, data: Path | None, as_json: bool) -> None:
    """Of a number, or ``latest``. Exits with 1 unless the rollout goes on or is done."""
    client, console = Client(url, data), Console()
    found = get(client, number)
    told = answer.rollout(found)
    if as_json:
        console.print_json(data=found)
    else:
        console.print(page(told, chapters(told, answer.steps(moves(client, told.id)))))
    if not headline(told).well:
        raise typer.Exit(1)


def get(client: Client, number: str) -> Json:
    """A rollout, as the server tells it. Raises CommandError."""
    try:
        return client.get(f"/api/rollouts/{number}")
    except Refused as error:
        raise CommandError(error.message) if error.status == 404 else error from None


def moves(client: Client, number: int) -> list[Json]:
    """All that a rollout did, or was told."""
    return steps(client, number, holds="false")


def steps(client: Client, number: int, *, after: int = 0, **query: str) -> list[Json]:
    """All its steps behind one, page by page."""
    found: list[Json] = []
    while True:
        part = client.get(f"/api/rollouts/{number}/steps", after=after, limit=PAGE, **query)
        known = answer.steps(part)
        found += part if isinstance(part, list) else []
        if len(known) < PAGE:
            return found
        after = known[-1].id
