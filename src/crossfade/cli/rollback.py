"""``crossfade rollback``: back to before, at once, and who has it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from crossfade.cli.client import Client, Json
from crossfade.core.flag import snake


def rollback(components: Sequence[str], *, reason: str | None, timeout: float, url: str | None, data: Path | None,
             as_json: bool) -> None:
    """Raises typer.Exit with 1 when a process did not answer."""
    body: dict[str, Json] = {"components": list(components) or None, "reason": reason, "timeout": timeout}
    answer = Client(url, data).post("/api/rollback", body)
    console = Console()
    if as_json:
        console.print_json(data=answer)
    elif isinstance(answer, dict):
        for line in _lines(answer):
            console.print(line)
    if isinstance(answer, dict) and answer["unanswered"]:
        raise typer.Exit(1)


def _lines(answer: Mapping[str, Json]) -> Sequence[str]:
    """What happened, in plain words."""
    changed, unanswered = _list(answer["changed"]), _list(answer["unanswered"])
    what = escape(", ".join(map(str, _list(answer["components"]))))
    told = "rolled back" if changed else "was off already: nothing changed"
    count = answer["acknowledged"]
    processes = "1 process has" if count == 1 else f"{count} processes have"
    return (
        *(f"  {snake(str(one['flag']))}: {one['old']} → {one['new']}".lower()
          for one in changed if isinstance(one, dict)),
        f"{what}: {told}, in {answer['transactionMilliseconds']:.1f} ms.",
        f"{processes} it, the last after {answer['milliseconds']:.1f} ms.",
        *(f"{escape(str(name))}: retired: nothing to go back to." for name in _list(answer["retired"])),
        *(f"[bold red]Not known to have it:[/] {escape(str(name))}" for name in unanswered),
    )


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
