"""The ledger's document, and what the command makes of it."""

import io

import pytest
from rich.console import Console

from crossfade.cli import quality
from crossfade.core.clock import HOUR, SECOND
from crossfade.core.ledger import Account, Entry, stand
from crossfade.store.port import Ledger, StoreStatus
from crossfade.web.ledger import document

NOW = 1_790_000_000 * SECOND
STATUS = StoreStatus(9, 100, 4, 1, 0)


def entry(last: int, *, told: int, arrived: int, seen: int = NOW, gap: bool = False, closed: bool = False) -> Entry:
    account = Account(f"01976f4e-0000-7000-8000-{last:012d}", told, 0, {}, {"sampled": 2}, closed=closed,
                      process=f"host {last} app.py")
    spans = ((1, 1), (3, arrived)) if gap else ((1, arrived),)
    return Entry(account, 1, NOW - HOUR, seen, arrived, arrived - gap, spans)


LIVE = entry(1, told=12, arrived=10)
SILENT = entry(2, told=9, arrived=7, seen=NOW - HOUR)
GAP = entry(3, told=5, arrived=5, gap=True, closed=True, seen=NOW - 2 * HOUR)
CLOSED = entry(4, told=3, arrived=3, closed=True)


def told(*entries: Entry, limit: int = 100, listening_since: int = 0) -> dict[str, object]:
    ledger = Ledger(entries, 2, stand(CLOSED), {"too_deep": 3})
    return document(ledger, STATUS, NOW, pending=6, listening_since=listening_since, limit=limit)


def test_totals_are_of_all_trackers_the_settled_ones_too() -> None:
    found = told(LIVE, SILENT, GAP, CLOSED)
    assert found["totals"] == {
        "sent": 32, "arrived": 27, "stored": 27, "deduplicated": 1, "rejected": {}, "dropped": {"sampled": 10},
        "waiting": 4, "missing": 1,
    }
    assert found["completeness"] == pytest.approx(100 * 27 / 28)
    assert found["states"] == {"silent": 1, "live": 1, "closed": 2, "settled": 2}
    assert found["store"] == {"stored": 100, "deduplicated": 4, "quarantined": 1, "pending": 6,
                              "rejectedOfOthers": {"too_deep": 3}}


def test_those_that_need_a_look_come_first() -> None:
    def rows(limit: int) -> list[str]:
        return [row["process"] for row in told(CLOSED, LIVE, SILENT, GAP, limit=limit)["trackers"]]

    assert rows(3) == ["host 3 app.py", "host 2 app.py", "host 4 app.py"]
    assert len(rows(100)) == 4


def test_nobody_is_silent_before_anybody_could_have_been_heard() -> None:
    assert told(SILENT, listening_since=NOW - SECOND)["states"]["silent"] == 0


def test_the_command_reads_it_aloud() -> None:
    console = Console(file=io.StringIO(), width=160, no_color=True)
    quality.tell(quality.read(told(LIVE, SILENT, GAP)), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "27 of 32" not in text
    assert "24 of 29 are stored, 0 rejected, 4 waiting, 1 missing; trackers: 1 live, 1 silent, 1 closed" in text
    assert "missing of 01976f4e-0000-7000-8000-000000000003 (host 3 app.py), dropped ones included: 2" in text
    console = Console(file=io.StringIO(), width=160, no_color=True)
    quality.tell(quality.read(document(Ledger((), 0, stand(Entry(Account("", 0, 0, {}, {}), 1, 0, 0)), {}), STATUS, NOW,
                                       pending=0, listening_since=0, limit=1)), console)
    assert "no tracker has sent any" in console.file.getvalue()  # type: ignore[attr-defined]
