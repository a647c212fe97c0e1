"""``crossfade rollout history``: all rollouts, or every step of one with its evidence."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from crossfade.cli.client import Client
from crossfade.core.flag import snake
from crossfade.core.rollout import Move

from . import answer, status, view
from .answer import Step, Summary
from .words import moment, span


def all_of_them(limit: int, *, url: str | None, data: Path | None, as_json: bool) -> None:
    """A row a rollout, the newest first."""
    found, console = Client(url, data).get("/api/rollouts", limit=limit), Console()
    if as_json:
        console.print_json(data=found)
        return
    told = answer.rollouts(found)
    console.print(listed(told) if told else "There has been no rollout: crossfade rollout start.")


def one(number: str, *, verbose: bool, url: str | None, data: Path | None, as_json: bool) -> None:
    """What it did, step by step; ``verbose``: with the evidence, and how it stood in between."""
    client, console = Client(url, data), Console()
    found = status.get(client, number)
    told = answer.rollout(found)
    steps = status.steps(client, told.id) if verbose or as_json else status.moves(client, told.id)
    if as_json:
        console.print_json(data={"rollout": found, "steps": steps})
        return
    console.print(view.sentences(told))
    console.print(narrated(answer.steps(steps), verbose=verbose))


def listed(told: Iterable[Summary]) -> RenderableType:
    """A table of rollouts."""
    table = Table(Column("id", justify="right"), "plan", "status", "started", "took", "by", "why", box=None,
                  pad_edge=False)
    for each in told:
        why = each.why or each.paused or each.reason or ""
        table.add_row(str(each.id), Text(each.plan), _status(each), moment(each.started_at),
                      span((each.seen_at - each.started_at).total_seconds()), Text(each.started_by), Text(why))
    return table


def narrated(steps: Iterable[Step], *, verbose: bool) -> RenderableType:
    """Every step: when, who, what, and with ``verbose`` the flags and figures beside."""
    parts: list[RenderableType] = []
    for step in steps:
        who = "" if step.by_itself else f", {step.who}"
        parts.append(Text.assemble("\n", (moment(step.at), "dim"), "  ", (_word(step), _style(step)), who))
        inner = [Text(" ".join(step.said)), *(_evidence(step) if verbose else ())]
        parts.append(Padding(Group(*inner), (0, 0, 0, 2), expand=False))
    return Group(*parts)


def _evidence(step: Step) -> Iterable[RenderableType]:
    if step.changes:
        yield Text("flags: " + ", ".join(f"{snake(name)} = {str(value).lower()}"
                                         for name, value in step.changes.items()))
    if step.verdicts:
        yield view.verdicts((None, verdict) for verdict in step.verdicts)


def _status(each: Summary) -> Text:
    if each.paused is not None and not each.status.over:
        return Text("paused", "yellow")
    return Text(each.status.value, {"done": "green", "reverted": "red"}.get(each.status.value, "cyan"))


def _word(step: Step) -> str:
    """What was done; ``told`` where somebody said something that did not move it at once, or was refused."""
    if step.move is Move.HOLD:
        return "holds" if step.by_itself else "told"
    return step.move.value


def _style(step: Step) -> str:
    return {"revert": "bold red", "reverted": "bold red", "done": "bold green", "pause": "yellow"}.get(
        step.move.value, "bold")
