"""``crossfade quality``: whether what the dashboard shows can be trusted, and why."""

from pathlib import Path

from msgspec import Struct, convert
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crossfade.cli.client import Client, Json

ROWS = 20
"""Trackers that are listed."""


class _Numbers(Struct, rename="camel"):
    sent: int
    arrived: int
    stored: int
    deduplicated: int
    rejected: dict[str, int]
    dropped: dict[str, int]
    waiting: int
    missing: int


class _Tracker(_Numbers, rename="camel"):
    tracker: str
    process: str
    state: str
    last_seen: str
    gaps: list[tuple[int, int]]


class _Ledger(Struct, rename="camel"):
    completeness: float | None
    totals: _Numbers
    states: dict[str, int]
    trackers: list[_Tracker]


def show(*, url: str | None, data: Path | None, as_json: bool) -> None:
    answer = Client(url, data).get("/api/monitoring/ledger", limit=ROWS)
    console = Console()
    if as_json:
        console.print_json(data={"ledger": answer})
        return
    tell(read(answer), console)


def read(answer: Json) -> "_Ledger":
    return convert(answer, _Ledger)


def tell(ledger: "_Ledger", console: Console) -> None:
    console.print(f"[bold]Events[/]  {escape(_verdict(ledger))}")
    if not ledger.trackers:
        return
    table = Table("tracker", "state", "last seen", "sent", "stored", "again", "rejected", "dropped", "waiting",
                  "missing", box=None)
    for one in ledger.trackers:
        table.add_row(
            escape(one.process or one.tracker), _coloured(one.state), one.last_seen[:19].replace("T", " "),
            *(f"{number:,}" for number in (one.sent, one.stored, one.deduplicated)), _by_reason(one.rejected),
            _by_reason(one.dropped), f"{one.waiting:,}", f"[red]{one.missing:,}[/]" if one.missing else "0",
        )
    console.print(table)
    for one in ledger.trackers:
        if one.missing:
            console.print(f"missing of {one.tracker} ({escape(one.process)}), dropped ones included: "
                          + ", ".join(f"{first}" if first == last else f"{first}–{last}" for first, last in one.gaps))


def _verdict(ledger: _Ledger) -> str:
    totals, states = ledger.totals, ledger.states
    if not totals.sent:
        return "no tracker has sent any; events of other clients carry no numbers, so none can be missed"
    share = "" if ledger.completeness is None else f"{ledger.completeness:.3f} % complete: "
    told = (f"{share}{totals.arrived:,} of {totals.sent:,} are stored, {sum(totals.rejected.values()):,} rejected, "
            f"{totals.waiting:,} waiting, {totals.missing:,} missing")
    return f"{told}; trackers: {states['live']} live, {states['silent']} silent, {states['closed']} closed"


def _by_reason(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {escape(reason)}" for reason, count in counts.items() if count) or "0"


def _coloured(state: str) -> str:
    return {"silent": "[red]silent[/]", "live": "[green]live[/]"}.get(state, escape(state))
