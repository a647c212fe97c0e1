"""``crossfade rollback``: back to before, at once."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from crossfade.cli.client import Client, Json
from crossfade.core.flag import snake


def rollback(components: Sequence[str], *, reason: str | None, url: str | None, data: Path | None,
             as_json: bool) -> None:
    body: dict[str, Json] = {"components": list(components) or None, "reason": reason}
    answer = Client(url, data).post("/api/rollback", body)
    console = Console()
    if as_json:
        console.print_json(data=answer)
    elif isinstance(answer, dict):
        changed = answer["changed"] if isinstance(answer["changed"], list) else []
        for one in changed:
            if isinstance(one, dict):
                console.print(f"  {snake(str(one['flag']))}: {one['old']} → {one['new']}".lower())
        for name in answer["retired"] if isinstance(answer["retired"], list) else []:
            console.print(f"{escape(str(name))}: retired: nothing to go back to.")
        what = ", ".join(map(str, answer["components"])) if isinstance(answer["components"], list) else ""
        if not what:
            return
        told = "was rolled back" if changed else "was off already: nothing changed"
        console.print(f"{escape(what)}: {told}, in {answer['milliseconds']} ms. The next read sees it.")
