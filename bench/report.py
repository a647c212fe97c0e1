"""A run's rows as a table, as JSON and as a page."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from row import Row

Json = None | bool | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True)
class Run:
    rows: tuple[Row, ...]
    absent: Mapping[str, str]
    """Benches that could not be run, and why."""
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    began: float
    """Seconds since the epoch."""
    seconds: float
    rounds: int


def table(rows: Sequence[Row]) -> str:
    """For a terminal: a line a row, and one a peer below it."""
    lines = [f"{'':64}{'median':>12}{'unit':>10}  {'goal':>10}  {'':8}"]
    for row in rows:
        lines.append(f"{row.name:64}{figure(row.median):>12}{row.unit:>10}  {_goal(row):>10}  {_verdict(row)}")
        for peer, figures in row.peers.items():
            if isinstance(figures, str):
                lines.append(f"    {peer}: {figures}")
            else:
                lines.append(f"    {peer:60}{figure(statistics.median(figures)):>12}{row.unit:>10}  "
                             f"ours is {_times(row, peer)}")
    return "\n".join(lines)


def plain(run: Run) -> Json:
    """The whole run, as JSON has it."""
    return {
        "began": datetime.fromtimestamp(run.began, UTC).isoformat(timespec="seconds"), "seconds": round(run.seconds),
        "rounds": run.rounds, "machine": dict(run.machine), "versions": dict(run.versions), "absent": dict(run.absent),
        "rows": [asdict(row) | {"median": row.median, "met": row.met,
                                "ratios": {peer: row.ratio(peer) for peer in row.peers}} for row in run.rows],
    }


def markdown(run: Run) -> str:
    """The page of a run."""
    return "\n".join(_markdown(run)) + "\n"


def _markdown(run: Run) -> Iterator[str]:
    day = datetime.fromtimestamp(run.began, UTC).date()
    yield from ("# Speed", "", "Made by `make bench` (`make bench-full` takes longer and stores more); do not edit it.",
                "")
    yield (f"Measured on {day} in {run.rounds} rounds, in which the contestants took turns on one machine: a figure is "
           "the median of the rounds, with the least and the most. “Ours is 3.0 ×” means three times better than that "
           "peer, whichever way is better.")
    yield ""
    yield from (f"- {name}: {value}" for name, value in run.machine.items())
    yield from ("", "| what | ours | peers, from the same run | goal | |", "| --- | --- | --- | --- | --- |")
    for row in run.rows:
        yield (f"| {row.name} | **{figure(row.median)} {row.unit}** ({_span(row.ours)}) | "
               f"{'<br>'.join(_beside(row)) or '—'} | {_goal(row)} | {_verdict(row)} |")
    yield from ("", "## What differs", "")
    for note in dict.fromkeys(row.note for row in run.rows if row.note):
        named = [row.name for row in run.rows if row.note == note]
        yield f"- {named[0]}{' and the like' if len(named) > 1 else ''}: {note}"
    if run.absent:
        yield from ("", "## Not measured", "", *(f"- {name}: {why}" for name, why in run.absent.items()))
    yield from ("", "## Versions", "", ", ".join(f"{name} {value}" for name, value in run.versions.items()) + ".")


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
    wanted = [] if row.goal is None else [f"{'≤' if row.lower else '≥'} {row.goal:,g}"]
    return ", ".join([*wanted, *(f"{times:g} × {peer}" for peer, times in row.times.items())]) or "—"


def _verdict(row: Row) -> str:
    return {True: "met", False: "NOT met", None: ""}[row.met]
