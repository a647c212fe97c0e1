"""``crossfade alerts``: what is wrong, who knows, what is silenced, and whether it was delivered."""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossfade.cli.client import Client, Json

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
_DURATION = re.compile(r"(?:\d+[smhd])+")
_PART = re.compile(r"(\d+)([smhd])")


def show(*, everything: bool, limit: int, url: str | None, data: Path | None, as_json: bool) -> None:
    found = Client(url, data).get("/api/alerts", state="all" if everything else "open", limit=limit)
    console = Console()
    if as_json:
        console.print_json(data=found)
        return
    alerts = _objects(found)
    if not alerts:
        console.print("There has been no alert." if everything else "No alert is open.")
        return
    table = Table("id", "severity", "status", "what", "message", "since", "delivery", box=None)
    for alert in alerts:
        severity = str(alert["severity"])
        table.add_row(
            str(alert["id"]), Text(severity, STYLES.get(severity, "")), _status(alert),
            Text(f"{alert['component']}/{alert['check']}"), Text(_message(alert)),
            str(alert["openedAt"] or alert["since"])[:19] + "Z", Text(_deliveries(alert)))
    console.print(table)


def acknowledge(number: int, *, note: str | None, url: str | None, data: Path | None, as_json: bool) -> None:
    made = Client(url, data).post(f"/api/alerts/{number}/ack", {"note": note})
    console = Console()
    if as_json:
        console.print_json(data=made)
    else:
        console.print(f"Alert {number} is acknowledged: nothing more is told of it unless it gets worse.")


def silence(component: str, check: str, *, duration: str, reason: str, url: str | None, data: Path | None,
            as_json: bool) -> None:
    made = Client(url, data).post("/api/silences", {
        "component": component, "check": check, "seconds": seconds(duration), "reason": reason})
    console = Console()
    if as_json or not isinstance(made, dict):
        console.print_json(data=made)
    else:
        console.print(Text(f"Silence {made['id']} covers {made['component']}/{made['check']} until {made['until']}; "
                           f"open alerts that it covers: {made['openAlerts']}."))


def silences(*, url: str | None, data: Path | None, as_json: bool) -> None:
    found = Client(url, data).get("/api/silences")
    console = Console()
    if as_json:
        console.print_json(data=found)
        return
    rows = _objects(found)
    if not rows:
        console.print("Nothing is silenced.")
        return
    table = Table("id", "what", "until", "who", "why", box=None)
    for row in rows:
        table.add_row(str(row["id"]), Text(f"{row['component']}/{row['check']}"), str(row["until"])[:19] + "Z",
                      Text(str(row["by"])), Text(str(row["reason"])))
    console.print(table)


def unsilence(number: int, *, url: str | None, data: Path | None, as_json: bool) -> None:
    made = Client(url, data).delete(f"/api/silences/{number}")
    console = Console()
    if as_json:
        console.print_json(data=made)
    else:
        console.print(f"Silence {number} is ended.")


def test(target: str, *, url: str | None, data: Path | None, as_json: bool) -> None:
    made = Client(url, data).post(f"/api/alert-targets/{quote(target, safe='')}/test")
    console = Console()
    if as_json:
        console.print_json(data=made)
    else:
        console.print(Text(f"The test message reached {target}."))


def seconds(duration: str) -> int:
    """``90s``, ``30m``, ``2h``, ``1d`` or several in a row, as in ``1h30m``. Raises BadParameter for anything else."""
    if not _DURATION.fullmatch(duration):
        raise typer.BadParameter(f"{duration!r} is no duration such as 30m, 2h or 1d", param_hint="--for")
    return sum(int(count) * SECONDS[unit] for count, unit in _PART.findall(duration))


def _objects(found: Json) -> list[dict[str, Json]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _status(alert: dict[str, Json]) -> str:
    silenced = alert.get("silence")
    if isinstance(silenced, dict):
        return f"{alert['status']}, silenced until {str(silenced['until'])[:16]}Z"
    if alert.get("acknowledgedBy"):
        return f"acknowledged by {alert['acknowledgedBy']}"
    return f"{alert['status']}, ending" if alert.get("absentSince") else str(alert["status"])


def _message(alert: dict[str, Json]) -> str:
    flaps = alert.get("flaps")
    return f"{alert['message']} (came back {flaps} ×)" if flaps else str(alert["message"])


def _deliveries(alert: dict[str, Json]) -> str:
    """Of each target the last message's fate."""
    return ", ".join(map(_fate, _last_of_each(_objects(alert.get("deliveries"))))) or "–"


def _last_of_each(deliveries: Iterable[dict[str, Json]]) -> Iterable[dict[str, Json]]:
    return {str(delivery["target"]): delivery for delivery in deliveries}.values()


def _fate(delivery: dict[str, Json]) -> str:
    why = f" ({delivery['lastError']}; tried {delivery['attempts']} ×)" if delivery.get("lastError") else ""
    return f"{delivery['target']}: {delivery['status']}{why}"
