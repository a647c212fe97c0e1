"""``crossfade audit``: every figure against the events, counted again; by the server, or without one."""

import getpass
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from crossfade.app import lone_auditor
from crossfade.cli.client import Client, Json, default_folder, is_served
from crossfade.cli.errors import CommandError
from crossfade.cli.serve import settings
from crossfade.core.clock import SystemClock, iso, micros, read_iso
from crossfade.datafolder import DataFolderError
from crossfade.logs import configure_logging
from crossfade.state.errors import StateError
from crossfade.store.port import StoreError
from crossfade.web.recount import mismatch_json, run_json

POLL = 0.3
"""Seconds between two looks at how far it is."""
SHOWN = 50
"""Mismatches in the table; --json has all that are kept."""
UNITS = {"d": 86_400, "h": 3_600, "m": 60}

Advance = Callable[[int, int], None]


def audit(*, since: str, repair: bool, url: str | None, data: Path | None, as_json: bool) -> None:
    """Exits with 1 when something does not agree. Raises CommandError when it cannot be told."""
    moment = since_moment(since, datetime.now(UTC))
    folder = data or default_folder()
    with _bar() as advance:
        if url is None and not is_served(folder) and (folder / "events.duckdb").exists():
            answer = _alone(folder, moment, advance, repair=repair)
        else:
            answer = _by_server(Client(url, data), moment, advance, repair=repair)
    _report(answer, as_json=as_json)
    run = answer["run"]
    if isinstance(run, dict) and run["disagreeing"]:
        raise SystemExit(1)


def since_moment(text: str, now: datetime) -> int:
    """``all``, an age such as ``7d``, ``12h`` or ``30m``, or ISO 8601; in microseconds. Raises BadParameter."""
    if text == "all":
        return 0
    age = re.fullmatch(r"([0-9]{1,6})([dhm])", text)
    moment = now - timedelta(seconds=int(age[1]) * UNITS[age[2]]) if age else read_iso(text)
    if moment is None or moment > now:
        raise typer.BadParameter(f"{text!r} is no age such as 7d, no moment of the past in ISO 8601, and not all",
                                 param_hint="--since")
    return max(0, micros(moment))


def _by_server(client: Client, since: int, advance: Advance, *, repair: bool) -> dict[str, Json]:
    asked = client.post("/api/monitoring/recount", since=iso(since), repair=str(repair).lower())
    number = asked["number"] if isinstance(asked, dict) else None
    while True:
        answer = client.get("/api/monitoring/recount", limit=1000)
        run = answer.get("run") if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or not isinstance(run, dict) or run.get("number") != number:
            raise CommandError("the server no longer knows of this recount: was it started anew? Run the command again")
        advance(int(str(run["events"])), int(str(run["total"])))
        if run["endedAt"] is not None:
            return _finished({"run": run, "mismatches": answer["mismatches"]})
        time.sleep(POLL)


def _alone(folder: Path, since: int, advance: Advance, *, repair: bool) -> dict[str, Json]:
    """Without a server: the folder is this command's own for as long as it takes."""
    configure_logging("critical")  # what is found is in the answer
    try:
        with lone_auditor(settings(None, None, folder, None), SystemClock()) as auditor:
            auditor.ask(since, repair=repair, who=f"{getpass.getuser()} (no server)")
            auditor.work_through(lambda run: advance(run.events, run.total))
            run = auditor.standing().run
            found = auditor.mismatches()
    except (DataFolderError, StoreError, StateError) as error:
        raise CommandError(str(error)) from None
    return _finished({
        "run": None if run is None else run_json(run), "mismatches": [mismatch_json(window) for window in found],
    })


def _finished(answer: dict[str, Json]) -> dict[str, Json]:
    run = answer["run"]
    if not isinstance(run, dict) or run["status"] != "done":
        raise CommandError(f"the recount stopped: {run['error'] if isinstance(run, dict) else 'nobody knows why'}")
    return answer


@contextmanager
def _bar() -> Iterator[Advance]:
    console = Console(stderr=True)
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                  console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("recounting events", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def _report(answer: dict[str, Json], *, as_json: bool) -> None:
    console = Console()
    if as_json:
        console.print_json(data=answer)
        return
    run, found = answer["run"], answer["mismatches"]
    if not isinstance(run, dict) or not isinstance(found, list):
        raise CommandError("the server gave an answer that is none")
    rows = [row for row in found if isinstance(row, dict) and str(row["end"]) > str(run["since"])]
    console.print(f"{run['events']:,} events counted again, {run['windows']:,} windows compared.", highlight=False)
    if run["repaired"]:
        console.print(f"{run['repaired']:,} figures repaired.", highlight=False)
    if run["waiting"]:
        console.print(f"{run['waiting']:,} days were changing and could not be compared as a whole.", highlight=False)
    if not run["disagreeing"]:
        console.print("Everything agrees.")
        return
    console.print(f"{run['disagreeing']:,} figures do not agree:", highlight=False)
    console.print(_table(rows[:SHOWN]))
    if len(rows) > SHOWN:
        console.print(f"… and {len(rows) - SHOWN:,} more", highlight=False)


def _table(rows: list[dict[str, Json]]) -> Table:
    table = Table("window", "component", "field", "shown", "counted", "witness")
    for row in rows:
        table.add_row(Text(f"{row['kind']} from {row['start']} to {row['end']}"), Text(str(row["component"])),
                      *(Text("none" if row[name] is None else str(row[name]))
                        for name in ("field", "reported", "recounted", "witness")))
    return table
