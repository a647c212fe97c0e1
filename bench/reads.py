"""Reads of the live dashboard with many events stored, over 30 days, for one client and for a hundred.

One client asks for everything again and again; of the hundred each asks once a second, as a page does, over a
connection of its own, and its wait counts from when it was due. They are a process apart from the server. A tenth of
the reads comes first, to warm up, and is not timed. Beside it, with as many events of the same shape: figures that the
dashboard shows of business, asked of PostgreSQL with a covering index; and the guide's way, which fetches today's
events and counts them in Python. Both answer no HTTP, and are asked by one client.
"""

import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import ingest
import load
import postgresql
from row import Row, Size
from served import Served, served

CLIENTS = (1, 100)
EVERY_S = 1.0
DAYS = 29
FLAGS = ("useRealBusinessMetrics", "useRealSystemMetrics", "useRealInfrastructureMetrics", "useRealHistoricalData")
COVERED, COUNTED = "PostgreSQL, covering index", "the guide's way: fetch and count"
QUANTILES = {"p50": 49, "p95": 94, "p99": 98}
FILL = """INSERT INTO events SELECT md5(n::text), now() - random() * interval '{days} days', 'file_processed',
    'user-' || (random() * 5000)::int, '{{"path": "/a/b/c.txt", "size": 12345, "kind": "image", "ok": true}}'
    FROM generate_series(1, {count}) n"""
INDEX = "CREATE INDEX covering ON events (event, happened) INCLUDE (user_id); VACUUM ANALYZE events"
PEER = """
import json, sys, time, psycopg
port, way, reads = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
asked = {
    "covered": "SELECT count(*), count(DISTINCT user_id) FROM events WHERE event = %s AND "
               "happened >= date_trunc('day', now())",
    "counted": "SELECT message_id, happened, event, user_id, properties FROM events WHERE event = %s AND "
               "happened >= date_trunc('day', now())"}[way]
with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres", autocommit=True) as connection:
    took = []
    for number in range(reads + reads // 10 + 1):
        began = time.perf_counter()
        found = connection.execute(asked, ("file_processed",), prepare=True).fetchall()
        if way == "counted":
            len(found), len({row[3] for row in found})
        if number > reads // 10:
            took.append(time.perf_counter() - began)
print(json.dumps(took))
"""


@dataclass(frozen=True)
class Asked:
    """What the clients are told."""

    port: int
    clients: int
    reads: int


def rows(size: Size) -> Iterator[Row]:
    for stored in size.stored:
        rounds: dict[int, list[list[float]]] = {clients: [] for clients in CLIENTS}
        with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data") as server:
            fill(server, stored)
            for _ in range(size.rounds):
                for clients in CLIENTS:
                    rounds[clients].append(read(Asked(server.port, clients, size.reads)))
        peers = _peers(size, stored)
        for clients, found in rounds.items():
            for name, place in QUANTILES.items():
                beside = {peer: told if isinstance(told, str) else [_cut(one, place) for one in told]
                          for peer, told in peers.items()}
                many = f"{clients} clients" if clients > 1 else "one client"
                yield Row(f"live dashboard, {stored:,} events stored, {many}: {name}", "ms",
                          [_cut(one, place) for one in found], {} if clients > 1 else beside,
                          goal=5 if name == "p95" else None,
                          note="Ours is everything on the page, over HTTP; theirs two figures of it, one client.")


def _cut(seconds: list[float], place: int) -> float:
    return statistics.quantiles(seconds, n=100)[place] * 1e3


def fill(server: Served, count: int) -> None:
    with server.admin() as http:
        orders = {"way": "http", "port": server.port, "key": server.keys.write_key, "spread_s": DAYS * 86_400.0}
        step = 1_000_000  # a client holds its events before it sends them
        for number, start in enumerate(range(0, count, step)):
            ingest.bring(sys.executable, orders, ingest.Load(1_000, 0.0, min(step, count - start)), 7_000 + number)
            server.loaded(http)
        http.patch("/api/flags", json=dict.fromkeys(FLAGS, True)).raise_for_status()
        time.sleep(2)


def read(asked: Asked) -> list[float]:
    """Seconds, a read each, by a process of its own."""
    done = subprocess.run([sys.executable, __file__, json.dumps([asked.port, asked.clients, asked.reads])],
                          capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


async def _ask(asked: Asked) -> list[float]:
    took: list[float] = []
    request = (f"GET /api/dashboard/live?section=all HTTP/1.1\r\nHost: 127.0.0.1:{asked.port}\r\n\r\n").encode()

    async def client(count: int, warm: int, late: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", asked.port, limit=1 << 22)
        first = time.perf_counter() + late
        for number in range(count + warm):
            began = time.perf_counter()
            if asked.clients > 1:
                began = first + number * EVERY_S
                await asyncio.sleep(began - time.perf_counter())
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert b" 200 " in head[:20], head
            await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
            if number >= warm:
                took.append(time.perf_counter() - began)
        writer.close()

    share = max(2, asked.reads // asked.clients)
    draw = random.Random(asked.clients)  # noqa: S311  no secret
    await asyncio.gather(*(client(share, 1 + share // 10, draw.random() * EVERY_S) for _ in range(asked.clients)))
    return took


def _peers(size: Size, stored: int) -> dict[str, list[list[float]] | str]:
    why = size.no_peers if size.peers is None else postgresql.missing(size.postgresql)
    if why is not None:
        return dict.fromkeys((COVERED, COUNTED), why)
    with ExitStack() as ending:
        port = ending.enter_context(postgresql.cluster(size.postgresql))
        for statement in (load.TABLE.format(unique="PRIMARY KEY", json="JSONB"),
                          FILL.format(days=DAYS, count=stored), *INDEX.split("; ")):
            postgresql.execute(size.postgresql, port, statement)
        found: dict[str, list[list[float]] | str] = {}
        for name, way, reads in ((COVERED, "covered", size.reads), (COUNTED, "counted", max(5, size.reads // 100))):
            found[name] = [_peer(size, port, way, reads) for _ in range(size.rounds)]
        return found


def _peer(size: Size, port: int, way: str, reads: int) -> list[float]:
    done = subprocess.run([str(size.peers), "-c", PEER, str(port), way, str(reads)], capture_output=True, text=True,
                          check=True)
    found: list[float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_ask(Asked(*json.loads(sys.argv[1]))))))
