"""A run's rows as a table, as JSON, as a page, and the chief ones for the README."""

import re
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from row import Place, Row

PLOT = "images/growth.svg"
"""Beside the page."""
BEGIN, END = "<!-- speed -->", "<!-- /speed -->"
"""Between them the README has its table."""
SEVERAL = ("5 rounds or more, in several runs; a row says of how many events it tells, and of how many seconds where "
           "that matters.")
"""Of what was measured how much, where some rows were measured anew otherwise."""
UNMEASURED = "Not measured yet: `make bench` does it, and writes the table here."
CHIEF = (
    "ingest, batches of 1,000, *% duplicates: in the store",
    "ingest, batches of 100, *% duplicates: in the store",
    "ingest, batches of 1,000, at half that load: p99 of an answer",
    "live dashboard, * events stored, 100 clients: p95",
    "live dashboard, * events stored, 100 clients, * arriving: p95",
    "business, without cache, * events stored: p95",
    "freshness, track() *: p95",
    "track(), *",
    "a shadow of *, added to a viewer's read: async source",
    "a rollback's call, *",
    "server: from its start to ready",
    "server: idle, resident memory",
    "memory_limit = 512 MB, * peak resident memory",
    "installed size, *",
)
"""Names of the rows in the README: of several the one with the most events stored, or the first."""
STORED = re.compile(r"([\d,]+) events stored")

Json = None | bool | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True)
class Run:
    rows: tuple[Row, ...]
    absent: Mapping[str, str]
    """Benches that could not be run, and why."""
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    began: int
    """Seconds since the epoch."""
    seconds: int
    size: str
    """How much was measured."""


def table(rows: Sequence[Row]) -> str:
    """For a terminal: a line a row, and one a peer below it."""
    lines = [f"{'':72}{'median':>12}{'unit':>10}  {'goal':>10}  {'':8}"]
    for row in rows:
        lines.append(f"{row.name:72}{figure(row.median):>12}{row.unit:>10}  {_goal(row):>10}  {_verdict(row)}")
        for peer, figures in row.peers.items():
            if isinstance(figures, str):
                lines.append(f"    {peer}: {figures}")
            else:
                lines.append(f"    {peer:68}{figure(statistics.median(figures)):>12}{row.unit:>10}  "
                             f"ours is {_times(row, peer)}")
    return "\n".join(lines)


def plain(run: Run) -> Json:
    """The whole run, as JSON has it."""
    return {
        "began": datetime.fromtimestamp(run.began, UTC).isoformat(), "seconds": run.seconds,
        "size": run.size, "machine": dict(run.machine), "versions": dict(run.versions), "absent": dict(run.absent),
        "rows": [asdict(row) | {"median": row.median, "met": row.met,
                                "ratios": {peer: row.ratio(peer) for peer in row.peers}} for row in run.rows],
    }


def read(told: dict[str, Any]) -> Run:
    """What ``plain`` made."""
    names = [field.name for field in fields(Row)]
    rows = [Row(**{name: one[name] for name in names} | {"place": one["place"] and Place(**one["place"])})
            for one in told["rows"]]
    return Run(tuple(rows), told["absent"], told["machine"], told["versions"],
               int(datetime.fromisoformat(told["began"]).timestamp()), told["seconds"], told["size"])


def renewed(old: Run, new: Run, benches: Collection[str]) -> Run:
    """The old run with the rows of some benches measured anew, in their places; it took as long as both."""
    fresh = {row.name: row for row in new.rows}
    rows = [fresh.pop(row.name, row) for row in old.rows]
    for row in fresh.values():
        alike = [place for place, other in enumerate(rows, 1) if _beginning(other) == _beginning(row)]
        rows.insert(max(alike, default=len(rows)), row)
    absent = {name: why for name, why in old.absent.items() if name not in benches}
    return replace(new, rows=tuple(rows), absent={**absent, **new.absent}, seconds=old.seconds + new.seconds,
                   size=old.size if new.size == old.size else SEVERAL)


def _beginning(row: Row) -> str:
    """What rows have in common that tell the same of more or fewer events."""
    return re.split("[0-9]", row.name, maxsplit=1)[0]


def chief(rows: Sequence[Row]) -> list[Row]:
    """Those that the README shows, in its order; what was not measured is left out."""
    found = []
    for pattern in CHIEF:
        alike = [row for row in rows if fnmatchcase(row.name, pattern)]
        if alike:
            found.append(max(alike, key=_stored))
    return found


def _stored(row: Row) -> int:
    match = STORED.search(row.name)
    return int(match[1].replace(",", "")) if match else 0


def short(run: Run | None) -> str:
    """The README's table; of the peers the one that comes closest."""
    if run is None:
        return UNMEASURED
    lines = ["| | Crossfade | best peer, same run | times better | goal | |", "| --- | --- | --- | --- | --- | --- |"]
    for row in chief(run.rows):
        peer = min((one for one in row.peers if row.ratio(one) is not None), key=lambda one: row.ratio(one) or 0.0,
                   default=None)
        beside = ("—", "—") if peer is None else (f"{peer}: {figure(_median(row, peer))}", _times(row, peer))
        lines.append(f"| {row.name} | **{figure(row.median)} {row.unit}** | {' | '.join(beside)} | {_goal(row)} | "
                     f"{_verdict(row)} |")
    return "\n".join([*lines, "", f"{run.size} [All of it](docs/speed.md), with what differs and what was missed."])


def inserted(readme: str, run: Run | None) -> str:
    """The README with its table. Raises ValueError where it has no place for one."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{short(run)}\n{END}{after}"


def markdown(run: Run) -> str:
    """The page of a run."""
    return "\n".join(_markdown(run)) + "\n"


def _markdown(run: Run) -> Iterator[str]:
    day = datetime.fromtimestamp(run.began, UTC).date()
    yield from ("# Speed", "", "Made by `make bench` (`make bench-full` takes longer and stores more); do not edit it.",
                "")
    yield (f"Measured on {day}, for {run.seconds / 60:,.0f} minutes, on one machine, in rounds in which the "
           "contestants took turns: a figure is the median of the rounds, with the least and the most. “Ours is 3.0 ×” "
           "means three times better than that peer, whichever way is better.")
    yield ""
    yield f"- how much: {run.size}"
    yield from (f"- {name}: {value}" for name, value in run.machine.items())
    yield from ("", "| what | ours | peers, from the same run | goal | |", "| --- | --- | --- | --- | --- |")
    for row in run.rows:
        yield (f"| {row.name} | **{figure(row.median)} {row.unit}** ({_span(row.ours)}) | "
               f"{'<br>'.join(_beside(row)) or '—'} | {_goal(row)} | {_verdict(row)} |")
    yield from ("", "## Goals that were missed", "", *(_missed(run.rows) or ["None."]))
    if any(row.place is not None for row in run.rows):
        yield from ("", "## Growth", "", f"![What each costs as the store grows: the figures are in the table]({PLOT})")
    yield from ("", "## What differs", "")
    for note in dict.fromkeys(row.note for row in run.rows if row.note):
        named = [row.name for row in run.rows if row.note == note]
        yield f"- {named[0]}{' and the like' if len(named) > 1 else ''}: {note}"
    if run.absent:
        yield from ("", "## Not measured", "", *(f"- {name}: {why}" for name, why in run.absent.items()))
    yield from ("", "## Versions", "", ", ".join(f"{name} {value}" for name, value in run.versions.items()) + ".")


def _missed(rows: Sequence[Row]) -> list[str]:
    """What was missed, and by how much."""
    return [f"- {row.name}: {figure(row.median)} {row.unit} misses {'; and '.join(map(''.join, missed.items()))}."
            for row in rows if (missed := _shortfalls(row))]


def _shortfalls(row: Row) -> dict[str, str]:
    """The goals that were missed, each with by how much."""
    found = {}
    for peer in (peer for peer, held in row.held.items() if not held):
        if peer:
            found[f"{row.times[peer]:g} × {peer}"] = f", of which it is {figure(row.ratio(peer) or 0)} ×"
        elif row.goal is not None:
            found[_limit(row)] = f" {row.unit} by {abs(row.median - row.goal) / row.goal:.0%}"
    return found


def _beside(row: Row) -> Iterator[str]:
    for peer, figures in row.peers.items():
        if isinstance(figures, str):
            yield f"{peer}: {figures}"
        else:
            yield (f"{peer}: {figure(statistics.median(figures))} ({_span(figures)}), "
                   f"ours is {_times(row, peer)}")


def figure(value: float) -> str:
    """With three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def _span(figures: Sequence[float]) -> str:
    return f"{figure(min(figures))} to {figure(max(figures))}" if len(figures) > 1 else "once"


def _times(row: Row, peer: str) -> str:
    ratio = row.ratio(peer)
    return "not to be compared" if ratio is None else f"{figure(ratio)} ×"


def _goal(row: Row) -> str:
    wanted = [] if row.goal is None else [_limit(row)]
    return ", ".join([*wanted, *(f"{times:g} × {peer}" for peer, times in row.times.items())]) or "—"


def _limit(row: Row) -> str:
    return f"{'≤' if row.lower else '≥'} {row.goal:,g}"


def _median(row: Row, peer: str) -> float:
    figures = row.peers[peer]
    assert not isinstance(figures, str)
    return statistics.median(figures)


def _verdict(row: Row) -> str:
    """Whether the goals are met; of several, which are not."""
    if row.met is False and row.times:
        return f"NOT met: {'; '.join(_shortfalls(row))}"
    return {True: "met", False: "NOT met", None: ""}[row.met]
