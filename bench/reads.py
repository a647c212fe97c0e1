"""Reads of the live dashboard with many events stored, over 30 days; and what each component costs without a cache.

The dashboard is asked for everything by one client and by a hundred (``ask.py``), while nothing else happens and while
20,000 events a second arrive (``arrive.py``). Then a server that keeps no reading for later, which is what
``reading_max_age_s = 0`` means, is asked for one component after the other. Beside it, with as many events of the same
shape: the same figures asked of PostgreSQL with a covering index; and the guide's way, which fetches the last day's
documents and counts them. They answer no HTTP. In each round all have their turn, ours on a copy of the filled store.
"""

import json
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import filled
import load
import postgresql
from arrive import arriving
from ask import QUANTILES, Asked, ask, quantile
from row import Row, Size
from served import Served, served

CLIENTS = (1, 100)
RATE = 20_000.0
SECTIONS = ("business", "system", "infrastructure", "history")
COVERED, COUNTED = "PostgreSQL, covering index", "the guide's way: fetch the day's events, and count"
PEER = Path(__file__).parent / "reads_peers.py"
INSERT = """INSERT INTO events
    SELECT 'filled-' || n, now() - ({count} - n) * interval '{step_us} microseconds', {kinds},
    'user-' || n % {users}, '{{"path": "/a/b/c.txt", "size": 12345, "kind": "image", "ok": true}}'
    FROM generate_series(0, {count} - 1) n"""
INDEX = ("CREATE INDEX covering ON events (event, happened) INCLUDE (user_id)", "VACUUM ANALYZE events")
LIVE_NOTE = ("One computation a second serves all who read within it: that is how it is shipped. One client asks again "
             "and again, each of a hundred once a second.")
UNCACHED_NOTE = ("Ours over HTTP, of a server that is told to keep no reading (reading_max_age_s = 0). PostgreSQL: its "
                 "own protocol, no key on the table, the index made after the filling, vacuumed; it is not asked for "
                 "scans; it counts the timeline's 30 days, where ours has closed days counted. The guide's way gets "
                 "the documents of the last 24 hours. What is not told from events has no peer.")
Found = dict[str, list[float]]
"""Milliseconds by what was measured, one a round."""


def rows(size: Size) -> Iterator[Row]:
    for stored in size.stored:
        found: Found = defaultdict(list)
        rates: list[float] = []
        with ExitStack() as ending:
            why = size.no_peers if size.peers is None else postgresql.missing(size.postgresql)
            port = None if why is not None else _filled_postgresql(size, stored, ending)
            for _ in range(size.rounds):
                _ours(size, stored, found, rates)
                if port is not None:
                    _theirs(size, port, found)
        yield from _live_rows(stored, found, rates)
        yield from _uncached_rows(stored, found, why)


def _ours(size: Size, stored: int, found: Found, rates: list[float]) -> None:
    seconds = size.seconds / 4
    with filled.copied(size, stored) as data, served(data) as server:
        for clients in CLIENTS:
            _note(found, f"idle {clients}", ask(Asked(server.port, seconds, clients)))
        for clients in CLIENTS:
            with arriving(server, RATE) as told:
                took = ask(Asked(server.port, seconds, clients))
            _note(found, f"arriving {clients}", took)
            rates.append(told.rate)
    with filled.copied(size, stored) as data, served(data, reading_max_age_s="0") as server:
        uncached(server, seconds, partial(_note, found))


def uncached(server: Served, seconds: float, note: Callable[[str, list[float]], None]) -> None:
    """Each component, asked of a server that keeps no reading."""
    for section in SECTIONS:
        note(section, ask(Asked(server.port, seconds, 1, section)))


def _note(found: Found, name: str, seconds: list[float]) -> None:
    for cut in QUANTILES:
        found[f"{name} {cut}"].append(quantile(seconds, cut))


def _live_rows(stored: int, found: Found, rates: list[float]) -> Iterator[Row]:
    for clients in CLIENTS:
        for state in ("idle", "arriving"):
            while_ = "" if state == "idle" else f", {RATE:,.0f} events/s arriving"
            for cut in QUANTILES:
                yield Row(f"live dashboard, {stored:,} events stored, {_many(clients)}{while_}: {cut}", "ms",
                          found[f"{state} {clients} {cut}"], goal=5 if cut == "p95" else None, note=LIVE_NOTE)
    yield Row(f"live dashboard, {stored:,} events stored: what arrived meanwhile", "events/s", rates, lower=False)


def _uncached_rows(stored: int, found: Found, why: str | None) -> Iterator[Row]:
    for section in SECTIONS:
        for cut in ("p50", "p95"):
            peers = {name: found[f"{way} {section} {cut}"] if why is None else why
                     for name, way in ((COVERED, "covered"), (COUNTED, "counted"))
                     if section in _ASKED[way]}
            yield Row(f"{section}, without cache, {stored:,} events stored: {cut}", "ms", found[f"{section} {cut}"],
                      peers, goal=10 if cut == "p95" else None, note=UNCACHED_NOTE)


_ASKED = {"covered": ("business", "history"), "counted": ("business",)}


def _many(clients: int) -> str:
    return f"{clients} clients" if clients > 1 else "one client"


def _filled_postgresql(size: Size, stored: int, ending: ExitStack) -> int:
    port = ending.enter_context(postgresql.cluster(size.postgresql))
    insert = INSERT.format(count=stored, step_us=filled.SPAN_S * 1e6 / stored, kinds=filled.KINDS, users=filled.USERS)
    for statement in (load.TABLE.format(unique="", json="JSONB"), insert, *INDEX):
        postgresql.execute(size.postgresql, port, statement)
    return port


def _theirs(size: Size, port: int, found: Found) -> None:
    for way, sections in _ASKED.items():
        for section in sections:
            done = subprocess.run(
                [str(size.peers), str(PEER), json.dumps([port, f"{way} {section}", size.seconds / 4])],
                capture_output=True, text=True, check=True)
            _note(found, f"{way} {section}", json.loads(done.stdout))
