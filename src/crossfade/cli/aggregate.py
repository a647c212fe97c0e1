"""``crossfade aggregate``: closed days, counted now."""

from pathlib import Path

from rich.console import Console

from crossfade.cli.client import Client


def aggregate(*, url: str | None, data: Path | None, as_json: bool) -> None:
    answer = Client(url, data).post("/api/aggregate")
    console = Console()
    if as_json:
        console.print_json(data=answer)
        return
    counted = answer.get("counted") if isinstance(answer, dict) else None
    days = [str(row["day"]) for row in counted if isinstance(row, dict)] if isinstance(counted, list) else []
    if not days:
        console.print("Every closed day is counted.")
    else:
        console.print(f"Counted {len(days):,} days: {days[0]} to {days[-1]}." if len(days) > 1
                      else f"Counted {days[0]}.")
