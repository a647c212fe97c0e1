"""Ingest over HTTP: acknowledged on disk and deduplicated, beside PostgreSQL and DuckDB on the same disk.

Sixteen clients, each a process with one connection, send the same events in batches of 1,000 and of 100, of which
none, a twentieth or half are duplicates of an earlier one. The contestants take turns, each on an empty store every
time; a tenth as many events warm it up beforehand, which is not timed. PostgreSQL has fsync on and a unique key.
"""

import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import load
import postgresql
from row import Row, Size
from served import served

CLIENTS = 16
WARM = 0.1
LONG, ENOUGH = 10, 1_000_000
"""Ours takes more events than a peer, up to so many: it is quick, and what it does a few times a second has to show."""
COPY, INSERT, ARROW = "PostgreSQL, COPY", "PostgreSQL, INSERT … ON CONFLICT", "DuckDB, Arrow append"
TIMES = {COPY: 4.0, INSERT: 4.0, ARROW: 1.0}
GOALS = {1_000: 500_000.0, 100: 300_000.0}
"""With the loader keeping pace, so of what is in the store, which is the harder to reach."""
NOTE = ("Ours: over HTTP with JSON, deduplicated by source and messageId, rolled up; “in the store” is when all can "
        "be queried. PostgreSQL: its own protocol, one table with one unique key, no rollups, a transaction a "
        "batch, fsync on; with duplicates COPY goes by a temporary table; its rows can be queried once acknowledged. "
        "DuckDB: in its client's process, one connection, Arrow tables made beforehand, no key: it keeps duplicates.")


@dataclass(frozen=True)
class Load:
    batch: int
    duplicates: float
    events: int

    @property
    def name(self) -> str:
        return f"batches of {self.batch:,}, {self.duplicates:.0%} duplicates"


@dataclass(frozen=True)
class Outcome:
    acknowledged: float
    """Events a second."""
    stored: float
    """Events a second, until all can be queried."""
    p99_ms: float


def rows(size: Size) -> Iterator[Row]:
    with ExitStack() as ending:
        yield from _rows(size, *_contestants(size, ending))


def _rows(size: Size, contestants: dict[str, Callable[[Load, int], Outcome]],
          absent: dict[str, str]) -> Iterator[Row]:
    for batch, goal in GOALS.items():
        for duplicates in size.duplicates:
            load_ = Load(batch, duplicates, size.events)
            own_load = replace(load_, events=max(size.events, min(LONG * size.events, ENOUGH)))
            found: dict[str, list[Outcome]] = {name: [] for name in contestants}
            for number in range(size.rounds):
                for name, run in contestants.items():
                    found[name].append(run(own_load if name == "ours" else load_, number))
            own = found.pop("ours")
            peers = {name: [one.stored for one in outcomes] for name, outcomes in found.items()} | absent
            yield Row(f"ingest, {load_.name}: acknowledged", "events/s", [one.acknowledged for one in own], peers,
                      lower=False, note=NOTE)
            yield Row(f"ingest, {load_.name}: in the store", "events/s", [one.stored for one in own], peers,
                      goal=goal, times=TIMES, lower=False, note=NOTE)
            if duplicates == size.duplicates[0]:
                half = statistics.median(one.acknowledged for one in own) / 2
                late = [ours(own_load, number, rate=half).p99_ms for number in range(size.rounds)]
                yield Row(f"ingest, batches of {batch:,}, at half that load: p99 of an answer", "ms", late, goal=60,
                          note="An answer's time counts from when its batch was due.")


def _contestants(size: Size, ending: ExitStack) -> tuple[dict[str, Callable[[Load, int], Outcome]], dict[str, str]]:
    """Who is there, and who is not, and why."""
    present: dict[str, Callable[[Load, int], Outcome]] = {"ours": ours}
    absent: dict[str, str] = {}
    if size.peers is None:
        return present, dict.fromkeys((COPY, INSERT, ARROW), size.no_peers)
    python = str(size.peers)
    present[ARROW] = lambda load_, number: duckdb(python, load_, number)
    why = postgresql.missing(size.postgresql)
    port = 0 if why is not None else ending.enter_context(postgresql.cluster(size.postgresql))
    execute = partial(postgresql.execute, size.postgresql, port)
    for name, way in ((COPY, "copy"), (INSERT, "insert")):
        if why is None:
            present[name] = partial(pg, python, execute, {"way": way, "port": port})
        else:
            absent[name] = why
    return present, absent


def ours(load_: Load, seed: int, rate: float = 0.0) -> Outcome:
    """``rate``: events a second of all clients together; as many as can be by default."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data") as server, server.admin() as http:
        orders = {"way": "http", "port": server.port, "key": server.keys.write_key}
        if rate:
            orders["pace_s"] = load_.batch * CLIENTS / rate
        return bring(sys.executable, orders, load_, seed, warm=WARM, loaded=lambda: server.loaded(http))


def pg(python: str, execute: Callable[[str], None], orders: dict, load_: Load, seed: int) -> Outcome:
    for statement in ("DROP TABLE IF EXISTS events", load.TABLE.format(unique="PRIMARY KEY", json="JSONB"),
                      "CHECKPOINT"):
        execute(statement)
    return bring(python, orders, load_, seed, warm=WARM)


def duckdb(python: str, load_: Load, seed: int) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        orders = {"way": "arrow", "file": str(Path(folder) / "events.duckdb")}
        return bring(python, orders, load_, seed, clients=1, warm=WARM)


def bring(python: str, orders: dict, load_: Load, seed: int, *, clients: int = CLIENTS, warm: float = 0.0,
          loaded: Callable[[], float] | None = None) -> Outcome:
    """``warm``: how many more events are sent beforehand, as a share. ``loaded`` waits until all can be queried."""
    share = load_.events // clients
    warming = math.ceil(share * warm / load_.batch)
    with ExitStack() as ending:
        children = []
        for number in range(clients):
            child = subprocess.Popen([python, load.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            ending.callback(child.wait)
            ending.callback(child.kill)
            children.append(child)
            _tell(child, json.dumps(orders | {
                "batch": load_.batch, "duplicates": load_.duplicates, "warm": warming,
                "events": share + warming * load_.batch, "seed": seed * 100 + number}))
        for word in ("ready", "warm"):
            for child in children:
                assert child.stdout is not None
                assert child.stdout.readline() == f"{word}\n", f"a client is not {word}"
            if loaded is not None:
                loaded()
            for child in children:
                _tell(child, "go")
        told = [_told(child) for child in children]
    began, ended = min(one["began"] for one in told), max(one["ended"] for one in told)
    count = share * clients
    took: Sequence[float] = sorted(each for one in told for each in one["took"])
    stored = ended if loaded is None else loaded()
    return Outcome(count / (ended - began), count / (stored - began), took[int(len(took) * 0.99)] * 1e3)


def _tell(child: subprocess.Popen[str], line: str) -> None:
    assert child.stdin is not None
    child.stdin.write(line + "\n")
    child.stdin.flush()


def _told(child: subprocess.Popen[str]) -> dict:
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line, "a client failed"
    return json.loads(line)
