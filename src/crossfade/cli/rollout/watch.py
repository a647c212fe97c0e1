"""``crossfade rollout watch``: the rollout as it goes, until it is over; a server that starts anew is waited for."""

import time
from collections.abc import Callable
from pathlib import Path

import typer

from crossfade.cli.client import Client
from crossfade.cli.errors import CommandError, Refused, Unreachable
from crossfade.core.rollout import Status

from . import answer, status
from .screen import Look, chosen

POLL_S = 1.0
"""Between two looks: a rollout decides once a second."""
TIMEOUT_S = 5.0
"""For which an answer is waited for."""
INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it: nothing is known of the end."""


def watch(number: str, *, url: str | None, data: Path | None, as_json: bool) -> None:
    """Exits with 1 when the rollout is reverted. Raises CommandError when it cannot be watched at all."""
    follower = Follower(Client(url, data, timeout=TIMEOUT_S), number)
    look = follower.look()
    try:
        with chosen(as_json=as_json) as screen:
            screen.show(look)
            while not look.told.status.over:
                time.sleep(POLL_S)
                look = follower.again(screen.away)
                screen.show(look)
    except KeyboardInterrupt:
        typer.echo(f"\nRollout {look.told.id} goes on without being watched: `crossfade rollout watch` looks at it "
                   "again, `crossfade rollout abort` ends it.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if look.told.status is Status.REVERTED:
        raise typer.Exit(1)


class Follower:
    """Asks for one rollout again and again, and for what it did meanwhile."""

    def __init__(self, client: Client, number: str) -> None:
        self._client = client
        self._number = number
        self._first: answer.Rollout | None = None
        self._moves: list[answer.Step] = []
        self._after = 0

    def look(self) -> Look:
        """As it stands now. Raises CommandError."""
        found = status.get(self._client, self._number)
        told = answer.rollout(found)
        if self._first is None:
            self._begin(told)
            return Look(told, found, tuple(self._moves), (), [])
        if (told.id, told.started_at) != (self._first.id, self._first.started_at):
            raise CommandError(f"what answers at {self._client.url} now has another rollout {told.id} than was watched")
        news = status.steps(self._client, told.id, after=self._after)
        steps = answer.steps(news)
        self._after = steps[-1].id if steps else self._after
        self._moves += steps
        return Look(told, found, tuple(self._moves), tuple(steps), news)

    def again(self, away: Callable[[str], None]) -> Look:
        """As it stands as soon as the server answers; until then ``away`` is told each time why it does not."""
        while True:
            try:
                return self.look()
            except Unreachable as error:
                away(str(error))
            except Refused as error:
                if error.status < 500:
                    raise
                away(str(error))
            time.sleep(POLL_S)
            self._client.relocate()

    def _begin(self, told: answer.Rollout) -> None:
        """What was before is known, and is no news."""
        self._first, self._number = told, str(told.id)
        self._moves = answer.steps(status.moves(self._client, told.id))
        last = self._moves[-1].id if self._moves else 0
        since = answer.steps(status.steps(self._client, told.id, after=last))
        self._after = since[-1].id if since else last

