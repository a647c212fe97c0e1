"""A rollout as a page of the terminal: the sentences first, then phases, soak and gates."""

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from crossfade.core.dimension import Status as Figure
from crossfade.core.gate import Evidence, Verdict
from crossfade.core.rollout import Status

from .answer import Check, Drill, Gate, Phase, Rollout
from .story import Chapter
from .words import headline, moment, soak_left, span

STYLES = {Figure.PASS: "green", Figure.FAIL: "bold red", Figure.INCONCLUSIVE: "yellow", Figure.NO_DATA: "yellow"}
CHECK_STYLES = {"passed": "green", "failed": "bold red"}
BAR = 40
"""Columns."""

_STANDINGS = {
    "left out": ("–", "left out", "dim"), "passed": ("✓", "passed", "green"), "soaking": ("▶", "watched", "cyan"),
    "waiting": ("…", "waits", "yellow"), "paused": ("‖", "paused", "yellow"), "to come": ("·", "to come", "dim"),
    "reverting": ("↩", "goes back", "red"), "never begun": ("·", "never begun", "dim"),
}
_TAKEN_BACK = ("↩", "taken back", "red")
_NEVER = ("·", "never begun", "dim")


def page(told: Rollout, chapters: Mapping[str, Chapter]) -> RenderableType:
    """All that there is to see."""
    return Group(*_parts(told, chapters))


def sentences(told: Rollout) -> RenderableType:
    """What is read first."""
    words = headline(told)
    return Group(Text(words.now, "bold" if words.well else "bold red"), Text(words.need))


def _parts(told: Rollout, chapters: Mapping[str, Chapter]) -> Iterator[RenderableType]:
    yield sentences(told)
    yield Text()
    yield phases(told, chapters)
    phase = told.current
    if phase is not None:
        if told.status is Status.SOAKING:
            yield _soak(told, phase)
        yield from _gates(told, phase, chapters[phase.name])
    because = f", because: {told.reason}" if told.reason else ""
    yield Text(f"\nStarted {moment(told.started_at)} by {told.started_by}{because}.", "dim")


def phases(told: Rollout, chapters: Mapping[str, Chapter]) -> RenderableType:
    """A row a phase: how it stands, its step, when it began and how long it took."""
    table = Table("", "phase", "standing", "viewers", "soak", "began", "took", box=None, pad_edge=False)
    for phase in told.phases:
        chapter = chapters[phase.name]
        mark, standing, style = _standing(phase, chapter)
        ended = chapter.ended or (None if chapter.began is None else told.at)
        table.add_row(
            Text(mark, style), Text(phase.name, style), Text(standing, style), _ramp(told, phase),
            f"{span(phase.soak_s)}{' a step' if phase.ramp else ''}",
            "–" if chapter.began is None else moment(chapter.began),
            "–" if chapter.began is None or ended is None else span((ended - chapter.began).total_seconds()))
    return table


def _standing(phase: Phase, chapter: Chapter) -> tuple[str, str, str]:
    """Its mark, its words and its style."""
    if phase.standing == "reverted" and chapter.began is None:
        return _NEVER
    if chapter.taken_back and phase.standing in {"passed", "reverted"}:
        return _TAKEN_BACK
    if phase.standing == "reverted":
        return "✗", "stopped", "red"
    return _STANDINGS.get(phase.standing, ("?", phase.standing, ""))


def _ramp(told: Rollout, phase: Phase) -> Text:
    """The shares of viewers, the one in effect marked."""
    shown = Text()
    for index, percent in enumerate(phase.ramp):
        here = phase.name == told.phase and index == told.step and phase.standing not in {"waiting", "reverted"}
        shown.append(" → " if index else "").append(f"[{percent}]" if here else f"{percent}", "cyan" if here else "")
    return shown.append(" %" if phase.ramp else "all")


def _soak(told: Rollout, phase: Phase) -> RenderableType:
    left = soak_left(told)
    ends = f"{span(left)} left" if left else "soaked"
    row = Table.grid(padding=(0, 1))
    row.add_row("soak", ProgressBar(total=phase.soak_s, completed=min(told.soaked_s, phase.soak_s), width=BAR), ends)
    held = f"The deadline is in {span(phase.deadline_s - told.held_s)} of being watched." if not left else ""
    return Padding(Group(row, Text(held, "dim")) if held else row, (1, 0, 0, 0))


def _gates(told: Rollout, phase: Phase, chapter: Chapter) -> Iterator[RenderableType]:
    """A row a gate; of one that does not pass an example of what is wrong."""
    kept = {verdict.gate: verdict for verdict in chapter.verdicts} if told.status.over else {}
    rows = [(gate, gate.verdict or kept.get(gate.name)) for gate in phase.gates]
    yield Text()
    yield verdicts(rows, title=f"gate of {phase.name}")


def verdicts(rows: Iterable[tuple[Gate | None, Verdict | None]], *, title: str = "gate") -> RenderableType:
    """Figures beside their thresholds, with the evidence."""
    table = Table(Column(title, overflow="fold"), Column("figure", justify="right"), Column("n", justify="right"),
                  Column("proved", no_wrap=True), Column("wanted", no_wrap=True), Column("verdict", no_wrap=True),
                  box=None, pad_edge=False)
    examples: list[RenderableType] = []
    for gate, verdict in rows:
        name = Text(_name(gate, verdict))
        wanted = "–" if gate is None else gate.wanted + (" at the end" if gate.judged == "at_end" else "")
        if verdict is None:
            table.add_row(name, "–", "–", "–", wanted, Text("not judged", "dim"))
            continue
        found = verdict.evidence
        table.add_row(name, figure(found.figure), f"{found.n:,}", _proved(found),
                      wanted if gate is not None else _threshold(verdict), Text(verdict.status, STYLES[verdict.status]))
        if found.example is not None and verdict.status is not Figure.PASS:
            examples.append(Text(f"For example, {found.example}."))
    return Group(table, *examples)


def _name(gate: Gate | None, verdict: Verdict | None) -> str:
    if gate is not None:
        return f"{gate.component}: {gate.figure}" if gate.component else gate.figure
    return "" if verdict is None else verdict.gate.rpartition(":")[0].replace(":", ": ")


def _threshold(verdict: Verdict) -> str:
    side = "≥" if verdict.gate.endswith(":least") else "≤"
    return f"{side} {verdict.evidence.threshold:g}"


def figure(value: float | None) -> str:
    """As far as it says something."""
    return "unknown" if value is None else f"{value:.6g}"


def _proved(found: Evidence) -> str:
    if found.low is None or found.high is None:
        return "–"
    return figure(found.low) if found.low == found.high else f"{found.low:.4g} to {found.high:.4g}"


def preflight(checks: Iterable[Check]) -> RenderableType:
    """What was looked at before the start."""
    table = Table("preflight", "", "", box=None, pad_edge=False, show_header=False)
    for check in checks:
        table.add_row(Text(check.status, CHECK_STYLES.get(check.status, "yellow")), Text(check.name), Text(check.told))
    return table


def drill(told: Drill) -> str:
    """A rehearsed rollback in a sentence."""
    if told.problem is not None:
        return f"The drill of {moment(told.at)} by {told.who} failed: {told.problem.rstrip('.')}."
    many = f"all {told.processes} processes" if told.processes != 1 else "the one process that there is"
    return (f"The drill of {moment(told.at)} by {told.who} passed: {many} had the rollback after "
            f"{told.milliseconds:.1f} ms.")
