"""``crossfade rollout pause|resume|approve|abort|skip``: tells the rollout something, and says what comes of it."""

from pathlib import Path

from rich.console import Console
from rich.text import Text

from crossfade.cli.client import Client
from crossfade.cli.errors import CommandError, Refused
from crossfade.core.rollout import Action

from . import answer, view
from .start import agree

DONE = {Action.PAUSE: "paused", Action.RESUME: "resumed", Action.APPROVE: "approved", Action.ABORT: "aborted",
        Action.SKIP: "skipped"}


def steer(action: Action, *, reason: str | None, url: str | None, data: Path | None, as_json: bool,
          yes: bool = True) -> None:
    """Raises CommandError when the rollout may not be told so."""
    client, console = Client(url, data), Console()
    try:
        if action is Action.ABORT:
            _agree(client, yes=yes)
        made = client.post("/api/rollouts/latest/commands", {"action": action.value, "reason": reason or ""})
    except Refused as error:
        if error.status not in {404, 409}:
            raise
        raise CommandError(f"not {DONE[action]}: {error.message}") from None
    told = answer.rollout(made)
    if as_json:
        console.print_json(data=made)
        return
    if action is not Action.PAUSE:  # the sentences below say who paused it, and why
        console.print(Text(" ".join(told.said)))
    console.print(view.sentences(told))


def _agree(client: Client, *, yes: bool) -> None:
    """Asks whether everything is to go back. Raises Refused when there is no rollout, Exit when nobody said yes."""
    told = answer.rollout(client.get("/api/rollouts/latest"))
    if told.status.over:
        return  # the server says why nothing is to be aborted
    names = dict.fromkeys(name for phase in told.phases for name in phase.flags)
    agree(f"Abort rollout {told.id} ({told.plan})? All that the plan sets goes back: {', '.join(names)}.", yes=yes)
