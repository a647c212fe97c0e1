"""How a rollout is shown while it is watched: as a page that is kept up to date, as lines, or as lines of JSON."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

import typer
from msgspec import Struct
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from crossfade.cli.client import Json
from crossfade.core.dimension import Status as Figure
from crossfade.core.gate import Verdict

from .answer import Rollout, Step
from .story import chapters
from .view import page, sentences
from .words import UNWATCHED_S, headline, moment, unwatched

QUIET = timedelta(seconds=50)
"""For so long nothing is said of a rollout that only holds."""
AGAIN = "The server answers again."


class Look(Struct, frozen=True):
    """A rollout at one moment."""

    told: Rollout
    found: Json
    """The same as the server said it."""
    moves: tuple[Step, ...]
    """All that it did so far."""
    news: tuple[Step, ...]
    """What it did since the look before."""
    found_news: list[Json]


class Screen(Protocol):
    """Where a rollout is shown."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None: ...

    def show(self, look: Look) -> None: ...

    def away(self, why: str) -> None:
        """The server does not answer; told again and again until it does."""


def chosen(*, as_json: bool) -> Screen:
    """The screen that standard output can be."""
    console = Console()
    if as_json:
        return JsonLines()
    return Page(console) if console.is_terminal else Lines(console)


class Page:
    """The whole state, anew at every look; what happened scrolls away above it."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)
        self._lines = Lines(self._live.console)
        self._last: Look | None = None

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, look: Look) -> None:
        if self._last is not None:
            self._lines.tell(look)
        self._lines.back()
        self._last = look
        self._live.update(page(look.told, chapters(look.told, look.moves)), refresh=True)

    def away(self, why: str) -> None:
        self._lines.away(why)
        if self._last is not None:
            told = self._last.told
            self._live.update(Group(
                Text(f"No answer since {moment(told.at)}; trying again. What follows was then.", "bold red"),
                page(told, chapters(told, self._last.moves))), refresh=True)


class Lines:
    """A line at each change: for logs, and for whoever pipes it somewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._away = False
        self._notice = ""
        self._told_at = datetime.min.replace(tzinfo=UTC)
        self._verdicts: dict[str, Figure] = {}
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        return None

    def show(self, look: Look) -> None:
        self.back()
        self.tell(look)
        if not self._begun or look.told.status.over:
            self._console.print(sentences(look.told))
        self._begun = True

    def tell(self, look: Look) -> None:
        """What is new."""
        for step in look.news:
            turned = self._turned(step.verdicts)
            if turned or not step.only_held or step.at - self._told_at > QUIET:
                self._line(moment(step.at), " ".join((*step.said, *turned)))
                self._told_at = step.at
        notice = _notice(look.told)
        if notice and notice != self._notice and not look.news:
            self._line(moment(look.told.at), notice)
        self._notice = notice

    def away(self, why: str) -> None:
        if not self._away:
            self._line(moment(datetime.now(UTC)), f"{why}. Trying again; the rollout does not need this command.")
        self._away = True

    def back(self) -> None:
        """The server answered."""
        if self._away:
            self._line(moment(datetime.now(UTC)), AGAIN)
        self._away = False

    def _turned(self, verdicts: Iterable[Verdict]) -> list[str]:
        """The sentences of gates that are judged otherwise than before; of those never judged, if they do not pass."""
        before = self._verdicts
        self._verdicts = {verdict.gate: verdict.status for verdict in verdicts}
        return [verdict.sentence for verdict in verdicts
                if before.get(verdict.gate, Figure.PASS) is not verdict.status]

    def _line(self, at: str, said: str) -> None:
        self._console.print(Text.assemble((at, "dim"), "  ", said), soft_wrap=True)


class JsonLines:
    """The rollout as the server tells it, with its new ``steps``, a line at each change."""

    def __init__(self) -> None:
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        return None

    def show(self, look: Look) -> None:
        if look.found_news or not self._begun or look.told.status.over:
            found = look.found if isinstance(look.found, dict) else {}
            typer.echo(json.dumps({**found, "steps": look.found_news}))
        self._begun = True

    def away(self, why: str) -> None:
        typer.echo(f"crossfade: {why}; trying again", err=True)


def _notice(told: Rollout) -> str:
    """What no step tells of: that the rollout stands still, or that a process lacks the flags."""
    stands_still = told.trouble is not None or unwatched(told) > UNWATCHED_S or told.waiting_for
    return headline(told).now if stands_still and not told.status.over else ""
