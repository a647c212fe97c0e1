"""``crossfade quality``: whether what the dashboard shows can be trusted, and why."""

from pathlib import Path

import typer
from msgspec import Struct, convert
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

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


class _Dimension(Struct, rename="camel"):
    name: str
    value: float | None
    threshold: float
    status: str
    sentence: str


class _Proof(Struct, rename="camel"):
    compared: int
    low: float


class _Quality(Struct, rename="camel"):
    component: str
    stage: str
    status: str
    quality: float | None
    sentence: str
    data_source: str
    dimensions: list[_Dimension]
    accuracy_proof: _Proof | None
    consistency_proof: _Proof | None
    latency_p95: float | None
    error_rate: float | None
    fallback_rate: float | None
    examples: list[dict[str, str | int]]


class _Health(Struct, rename="camel"):
    value: float | None
    sentence: str


class _All(Struct, rename="camel"):
    health: _Health
    components: list[_Quality]


class _Ledger(Struct, rename="camel"):
    completeness: float | None
    totals: _Numbers
    states: dict[str, int]
    trackers: list[_Tracker]


def show(component: str | None, *, window: str | None, url: str | None, data: Path | None, as_json: bool) -> None:
    """Prints it. Exits with 1 when a component fails."""
    client, console = Client(url, data), Console()
    query = {name: value for name, value in (("component", component), ("window", window)) if value is not None}
    answer = client.get("/api/monitoring/data-quality", **query)
    ledger = client.get("/api/monitoring/ledger", limit=ROWS)
    found = [convert(answer, _Quality)] if component is not None else convert(answer, _All).components
    if as_json:
        console.print_json(data={"quality": answer, "ledger": ledger})
    elif component is not None:
        tell_one(found[0], console)
    else:
        tell_all(convert(answer, _All), console)
        tell(read(ledger), console)
    if any(one.status == "fail" for one in found):
        raise typer.Exit(1)


def tell_all(answer: _All, console: Console) -> None:
    """A row a component, then why."""
    health = "unknown" if answer.health.value is None else f"{answer.health.value:.1f}"
    console.print(f"[bold]Health {health}[/]  {escape(answer.health.sentence)}\n")
    table = Table(Column("component", no_wrap=True), "stage", "shown", "quality", "verdict", "proved by", "P95",
                  "errors", "fallbacks", box=None)
    for one in answer.components:
        table.add_row(one.component, one.stage, one.data_source, _percent(one.quality), _verdict_of(one.status),
                      _proof(one), "–" if one.latency_p95 is None else f"{one.latency_p95:,.0f} ms",
                      _percent(one.error_rate), _percent(one.fallback_rate))
    console.print(table)
    for one in answer.components:
        console.print(f"{one.component}: {escape(one.sentence)}")
    console.print()


def tell_one(one: _Quality, console: Console) -> None:
    """All dimensions of one component, and examples of what is wrong."""
    console.print(f"[bold]{one.component}[/]  {one.stage}, {one.data_source}  {_verdict_of(one.status)}")
    console.print(escape(one.sentence))
    table = Table("dimension", "figure", "threshold", "verdict", "why", box=None)
    for dimension in one.dimensions:
        table.add_row(dimension.name, _percent(dimension.value), f"{dimension.threshold:g}",
                      _verdict_of(dimension.status), escape(dimension.sentence))
    console.print(table)
    for example in one.examples:
        console.print(f"{str(example['at'])[:19].replace('T', ' ')}  {escape(str(example['words']))}")


def _proof(one: _Quality) -> str:
    for proof, what in ((one.accuracy_proof, "recount"), (one.consistency_proof, "legacy")):
        if proof is not None:
            return f"{what}, n = {proof.compared:,}, ≥ {proof.low:.2f} %"
    return "–"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g} %"


def _verdict_of(status: str) -> str:
    return {"pass": "[green]pass[/]", "fail": "[red]fail[/]", "inconclusive": "[yellow]inconclusive[/]"}.get(
        status, escape(status))


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
