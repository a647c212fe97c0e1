"""The figures of the dashboard that come from events, asked of PostgreSQL: ``python bench/reads_peers.py``.

It runs with the peers' Python, which has psycopg, and imports nothing of the product. "Covered" has the database count,
with a covering index; "counted" is the guide's way: it fetches the documents of the last day and counts them here. Of
scans, which the guide keeps elsewhere, nothing is asked.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

LEAST = 2
"""Reads that are timed, however long they take."""
DAY = "happened >= now() - interval '24 hours'"
ACTIVE = "event = 'auth_success' AND happened >= now() - interval '1 hour'"
COUNTED = ("file_processed", "duplicate_detected", "cleanup_executed", "auth_attempt", "auth_success")
NAMES = ", ".join(f"'{name}'" for name in COUNTED)
BUSINESS = (f"SELECT event, count(*) FROM events WHERE event IN ({NAMES}) AND {DAY} GROUP BY event",
            f"SELECT count(DISTINCT user_id) FROM events WHERE {ACTIVE}")
MONTH = "happened >= date_trunc('day', now()) - interval '29 days'"
HISTORY = (f"SELECT date_trunc('day', happened), event, count(*) FROM events WHERE event IN ({NAMES}) AND {MONTH} "
           "GROUP BY 1, 2")
DOCUMENTS = "SELECT message_id, happened, event, user_id, properties FROM events WHERE "


def covered(ask: Callable[[str], list[Any]], statements: tuple[str, ...]) -> object:
    return [ask(statement) for statement in statements]


def counted(ask: Callable[[str], list[Any]], _: tuple[str, ...]) -> object:
    counts = [len(ask(f"{DOCUMENTS} event = '{name}' AND {DAY}")) for name in COUNTED]
    return counts, len({document[3] for document in ask(DOCUMENTS + ACTIVE)})


WAYS = {"covered business": (covered, BUSINESS), "covered history": (covered, (HISTORY,)),
        "counted business": (counted, ())}


def main() -> None:
    import psycopg  # noqa: PLC0415  the peers' Python has it

    port, way, seconds = json.loads(sys.argv[1])
    read, statements = WAYS[way]
    with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres", autocommit=True) as connection:

        def ask(statement: str) -> list[Any]:
            return connection.execute(statement, prepare=True).fetchall()

        read(ask, statements)
        took: list[float] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(took) < LEAST:
            began = time.perf_counter()
            read(ask, statements)
            took.append(time.perf_counter() - began)
    print(json.dumps(took))


if __name__ == "__main__":
    main()
