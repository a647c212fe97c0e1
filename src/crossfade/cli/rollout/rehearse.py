"""``crossfade rollout rehearse``: what would happen when, told before anything does."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import typer
from msgspec import Struct, convert
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from crossfade.app import lone_state, thresholds
from crossfade.cli.client import Client, Json, default_folder, is_served
from crossfade.cli.errors import CommandError
from crossfade.cli.rollout.plan import text as text_of
from crossfade.cli.serve import settings
from crossfade.core.clock import SystemClock
from crossfade.core.days import Days
from crossfade.core.fault import FaultError, Placed, place
from crossfade.core.flag import ALL, FlagValue, default
from crossfade.core.plan import Plan
from crossfade.core.planfile import DEFAULT, parse
from crossfade.core.threshold import Window
from crossfade.datafolder import DataFolderError
from crossfade.logs import configure_logging
from crossfade.observer import Observer
from crossfade.rehearsal import Recorded, Rehearsal, undisturbed
from crossfade.rehearsal.recorded import span
from crossfade.state.errors import StateError
from crossfade.state.rollouts import RolloutError
from crossfade.web.rehearsals import beginning, document, faults_json

LIST = "list"
_COLOURS = {"pass": "green", "fail": "red", "revert": "red", "reverted": "red", "done": "green", "fault": "magenta",
            "trouble": "magenta", "hold": "dim", "inconclusive": "yellow", "no data": "yellow", "pause": "yellow"}
_ENDS = {
    "completed": "[green]It would complete[/]", "reverted": "[red]It would be reverted[/]",
    "stuck": "[red]It would wait for ever[/]", "unfinished": "[yellow]It would not be over[/]",
}


class _Verdict(Struct):
    status: str
    sentence: str


class _Entry(Struct, rename="camel"):
    at: str
    after_s: float
    until_s: float
    phase: str | None
    move: str
    said: list[str]
    verdicts: list[_Verdict]


class _Rehearsed(Struct, rename="camel"):
    plan: str
    started_at: str
    ended_at: str
    ended: str
    why: str
    looks: int
    timeline: list[_Entry]
    notes: list[str]
    wanted: list[str]


def rehearse(file: Path | None, *, against: str | None, faults: Sequence[str], start: str | None, url: str | None,
             data: Path | None, as_json: bool) -> None:
    """Prints it. Exits with 1 unless the rollout would complete. Raises CommandError when it cannot be rehearsed."""
    console = Console()
    if LIST in faults:
        _list(console, as_json=as_json)
        return
    text = DEFAULT if file is None else text_of(file)
    folder = data or default_folder()
    by_server = url is not None or (against is not None and is_served(folder))
    if by_server:
        answer = Client(url, data).post("/api/rehearsals", {
            "plan": text, "against": against, "faults": list(faults), "start": start})
    else:
        answer = _alone(text, folder, against=against, faults=faults, start=start)
    found = convert(answer, _Rehearsed)
    if as_json:
        console.print_json(data=answer)
    else:
        _tell(found, console)
    if found.ended != "completed":
        raise typer.Exit(1)


def _alone(text: str, folder: Path, *, against: str | None, faults: Sequence[str],
           start: str | None) -> dict[str, Json]:
    """Without a server: from the flags of a first start, or those of the data folder."""
    configure_logging("critical")  # what happens is in the answer
    plan = parse(text)
    if not isinstance(plan, Plan):
        raise CommandError("; ".join(map(str, plan)) + " (a server's own components are known with --url)")
    try:
        placed = [place(one, plan) for one in faults]
        if against is not None:
            return _of_folder(plan, placed, folder, against=against, start=start)
        begin = beginning(start, None, SystemClock().now())
        flags: dict[str, FlagValue] = {name: default(name) for name in ALL}
        rehearsal = Rehearsal(plan, undisturbed, start=begin, flags=flags, faults=placed)
        return document(rehearsal.run(), undisturbed)
    except (DataFolderError, FaultError, OSError, RolloutError, StateError, ValueError) as error:
        raise CommandError(str(error)) from None


def _of_folder(plan: Plan, faults: Sequence[Placed], folder: Path, *, against: str,
               start: str | None) -> dict[str, Json]:
    if not (folder / "state.sqlite").exists():
        raise CommandError(f"nothing is recorded in {folder}, and no server has it: name one with --data or --url")
    chosen, clock = settings(None, None, folder, None), SystemClock()
    window = Window(*span(against, Days(chosen.time_zone), clock.now()))
    with lone_state(chosen) as state:
        flags = state.flags()
        measure = Recorded(state, Observer(clock, state), thresholds(chosen), window, samples=state.samples)
        rehearsal = Rehearsal(plan, measure, start=beginning(start, window, clock.now()), faults=faults,
                              flags={name: flags[name] for name in ALL}, until=window.until)
        return document(rehearsal.run(), measure)


def _list(console: Console, *, as_json: bool) -> None:
    if as_json:
        console.print_json(data=faults_json())
        return
    table = Table(Column("fault", no_wrap=True), "what goes wrong", box=None)
    for fault in faults_json():
        table.add_row(str(fault["name"]), str(fault["meaning"]))
    console.print(table)
    console.print("Each with @PHASE, by the phase's name or how it begins, or @+10min, or wherever it can strike.")


def _tell(found: _Rehearsed, console: Console) -> None:
    console.print(f"[bold]{escape(found.plan)}[/], begun {_moment(found.started_at)}\n")
    table = Table(*(Column(name, no_wrap=True) for name in ("after", "phase", "")), "what and why", box=None)
    for entry in found.timeline:
        table.add_row(_span(entry), Text(entry.phase or "–"), Text(entry.move, _COLOURS.get(entry.move, "bold")),
                      Text("\n").join(_said(entry, last=entry is found.timeline[-1])))
    console.print(table)
    for head, lines in (("To be known", found.notes), ("What must be true", found.wanted)):
        if lines:
            console.print(f"\n[bold]{head}[/]")
        for line in lines:
            console.print(f"  {line}", markup=False, highlight=False)
    console.print(f"\n{_ENDS.get(found.ended, escape(found.ended))}, {_moment(found.ended_at)}: {escape(found.why)}",
                  highlight=False)
    console.print(f"Rehearsed in {found.looks:,} looks; no flag was touched.", highlight=False, style="dim")


def _said(entry: _Entry, *, last: bool) -> Iterator[Text]:
    yield Text(" ".join(entry.said))
    if last or entry.move != "hold":
        for verdict in entry.verdicts:
            yield Text("· " + verdict.sentence, _COLOURS.get(verdict.status, ""))


def _span(entry: _Entry) -> str:
    begin = f"+{timedelta(seconds=round(entry.after_s))}"
    return begin if entry.until_s == entry.after_s else f"{begin} … +{timedelta(seconds=round(entry.until_s))}"


def _moment(text: str) -> str:
    return text[:16].replace("T", " ") + " UTC"
