"""What many stored events cost: a read, an append, a start, the disk and the memory, as the store grows.

The stores hold their events over the same 30 days, so that a larger one has more in every minute, too. In each round
every store has its turn, on a copy: it is started and asked, then so many events are brought to it over HTTP.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import filled
import ingest
from ask import Asked, ask, quantile
from reads import SECTIONS, uncached
from row import Place, Row, Size
from served import served

SETTLE_S = 2.0
NOTE = "The same 30 days in every store; see “growth” for the plot."


@dataclass(frozen=True)
class Thing:
    """What is measured of each store."""

    name: str
    unit: str
    panel: str
    line: str = ""
    lower: bool = True


UNCACHED = tuple(Thing(f"{section}, without cache: p95", "ms", "one component, without cache: p95, ms", section)
                 for section in SECTIONS)
CACHED = Thing("live dashboard, one client: p95", "ms", "live dashboard: p95, ms")
APPEND = Thing("events brought over HTTP until they are in the store", "events/s", "append: events/s",
               lower=False)
START = Thing("from the server's start to ready", "s", "start to ready: s")
DISK = Thing("event store on disk", "B/event", "disk: bytes an event")
IDLE = Thing("resident memory, asked by one client", "MB", "resident memory: MB", "asked")
LOADED = Thing("resident memory, after the append", "MB", "resident memory: MB", "after the append")
THINGS = (*UNCACHED, CACHED, APPEND, START, DISK, IDLE, LOADED)
Found = dict[tuple[Thing, int], list[float]]


def rows(size: Size) -> Iterator[Row]:
    found: Found = defaultdict(list)
    for number in range(size.rounds):
        for count in size.grown:
            _measure(size, count, number, partial(_note, found, count))
    for thing in THINGS:
        for count in size.grown:
            yield Row(f"growth, {count:,} events stored, {thing.name}", thing.unit, found[thing, count],
                      lower=thing.lower, note=NOTE, place=Place(thing.panel, thing.line, count))


def _note(found: Found, count: int, thing: Thing, figure: float) -> None:
    found[thing, count].append(figure)


def _measure(size: Size, count: int, number: int, note: partial[None]) -> None:
    seconds = size.seconds / 8
    with filled.copied(size, count) as data:
        stored = json.loads((data / filled.NOTE).read_text())["events"]
        note(DISK, (data / "events.duckdb").stat().st_size / stored)
        with served(data, reading_max_age_s="0") as server:
            costs = dict(zip(SECTIONS, UNCACHED, strict=True))
            uncached(server, seconds, lambda section, took: note(costs[section], quantile(took, "p95")))
        with served(data) as server, server.admin() as http:
            note(START, server.started_s)
            time.sleep(min(SETTLE_S, seconds))
            note(CACHED, quantile(ask(Asked(server.port, seconds)), "p95"))
            note(IDLE, server.resident_mb())
            orders = {"way": "http", "port": server.port, "key": server.keys.write_key}
            outcome = ingest.bring(sys.executable, orders, ingest.Load(1_000, 0.0, 2 * size.events),
                                   9_000 + number, loaded=lambda: server.loaded(http))
            note(APPEND, outcome.stored)
            note(LOADED, server.resident_mb())
