"""Events for the ingest benches, and who brings them: ``python bench/load.py``, its orders as JSON on standard input.

It runs with our Python for HTTP and with the peers' for PostgreSQL and DuckDB, so it imports nothing of the product.
Everything is made before the clock begins. It says "ready", waits for a line, sends the first batches, which warm up,
says "warm", waits for another line and sends the rest; then it tells when it began and ended with these, by the clock
that all processes share, and how long each batch took.
"""

import base64
import json
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice

EVENT = "file_processed"
TABLE = """CREATE TABLE IF NOT EXISTS events (message_id TEXT {unique}, happened TIMESTAMPTZ NOT NULL,
    event TEXT NOT NULL, user_id TEXT, properties {json} NOT NULL)"""
COLUMNS = "(message_id, happened, event, user_id, properties)"
Record = tuple[str, str, str, str, str]
"""message_id, timestamp, event, user, properties as JSON."""
Send = Callable[[object], None]


def events(seed: int, count: int, duplicates: float, spread_s: float = 0.0) -> Iterator[Record]:
    """``duplicates``: the share that repeats one of the 10,000 before it. ``spread_s``: how far back their times go."""
    draw = random.Random(seed)  # noqa: S311  no secret
    now, past = time.time(), []
    for number in range(count):
        if past and draw.random() < duplicates:
            yield past[draw.randrange(len(past))]
            continue
        at = datetime.fromtimestamp(now - draw.random() * spread_s, UTC).isoformat(timespec="milliseconds")
        properties = f'{{"path":"/a/b/c{number}.txt","size":{draw.randrange(1_000_000)},"kind":"image","ok":true}}'
        one = (f"{seed:08x}-{number:012x}", at, EVENT, f"user-{draw.randrange(5_000)}", properties)
        if duplicates:
            past = [*past[-9_999:], one] if len(past) > 20_000 else past
            past.append(one)
        yield one


def batches(orders: dict) -> Iterator[list[Record]]:
    made = events(orders["seed"], orders["events"], orders["duplicates"], orders.get("spread_s", 0.0))
    while batch := list(islice(made, orders["batch"])):
        yield batch


@contextmanager
def http(orders: dict) -> Iterator[tuple[list[object], Send]]:
    """Our server's ``POST /v1/batch``, over one connection."""
    key = base64.b64encode(f"{orders['key']}:".encode()).decode()
    head = ("POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Basic {key}\r\nContent-Length: ")
    bodies = []
    for batch in batches(orders):
        body = '{"batch":[' + ",".join(
            f'{{"type":"track","event":"{event}","messageId":"{message}","timestamp":"{at}","userId":"{user}",'
            f'"properties":{properties}}}' for message, at, event, user, properties in batch) + "]}"
        bodies.append(f"{head}{len(body)}\r\n\r\n{body}".encode())
    with socket.create_connection(("127.0.0.1", orders["port"])) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send(body: object) -> None:
            assert isinstance(body, bytes)
            while True:
                connection.sendall(body)
                head, told = answer(connection)
                if head.startswith(b"http/1.1 200 "):
                    return
                assert head.startswith((b"http/1.1 503 ", b"http/1.1 429 ")), (head, told[:200])
                time.sleep(float(header(head, b"retry-after") or 1))  # it is full: the wait is part of the figure

        yield list(bodies), send


def answer(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head, in lower case, and body. It mostly comes as one piece: the client shall cost the machine little."""
    got = b""
    while True:
        more = connection.recv(1 << 16)
        assert more, "the server has hung up"
        got += more
        head, end, body = got.partition(b"\r\n\r\n")
        head = head.lower()
        if end and len(body) == int(header(head, b"content-length")):
            return head, body


def header(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n" + name + b": ")[2].partition(b"\r\n")[0]


@contextmanager
def copy(orders: dict) -> Iterator[tuple[list[object], Send]]:
    """PostgreSQL's COPY, a transaction a batch. Where there may be duplicates, by a temporary table."""
    import psycopg  # noqa: PLC0415  the peers' Python has it

    with psycopg.connect(f"host=127.0.0.1 port={orders['port']} user=postgres", autocommit=True) as connection:
        cursor = connection.cursor()
        direct = not orders["duplicates"]
        if not direct:
            cursor.execute("CREATE TEMP TABLE staged (LIKE events) ON COMMIT DELETE ROWS")
        target = "events" if direct else "staged"

        def send(text: object) -> None:
            with connection.transaction():
                with cursor.copy(f"COPY {target} {COLUMNS} FROM STDIN") as copying:
                    copying.write(text)
                if not direct:
                    cursor.execute("INSERT INTO events SELECT * FROM staged ORDER BY message_id "
                                   "ON CONFLICT (message_id) DO NOTHING")

        # No field has a tab, a line's end or a backslash in it, which would have to be escaped.
        yield ["".join("\t".join(record) + "\n" for record in batch).encode() for batch in batches(orders)], send


@contextmanager
def insert(orders: dict) -> Iterator[tuple[list[object], Send]]:
    """PostgreSQL's INSERT of many rows with ON CONFLICT DO NOTHING, a transaction a batch."""
    import psycopg  # noqa: PLC0415

    with psycopg.connect(f"host=127.0.0.1 port={orders['port']} user=postgres", autocommit=True) as connection:
        cursor = psycopg.ClientCursor(connection)

        def statement(batch: list[Record]) -> str:
            rows = ",".join(["(%s,%s,%s,%s,%s)"] * len(batch))
            values = [value for record in sorted(batch) for value in record]  # in one order, or two would deadlock
            return cursor.mogrify(f"INSERT INTO events {COLUMNS} VALUES {rows} ON CONFLICT (message_id) DO NOTHING",
                                  values)

        yield [statement(batch) for batch in batches(orders)], cursor.execute


@contextmanager
def arrow(orders: dict) -> Iterator[tuple[list[object], Send]]:
    """DuckDB's append of an Arrow table, a transaction a batch; it looks for no duplicates."""
    import arro3.core  # noqa: PLC0415
    import duckdb  # noqa: PLC0415

    connection = duckdb.connect(orders["file"])
    connection.execute(TABLE.format(unique="", json="TEXT"))
    names = ("message_id", "happened", "event", "user_id", "properties")
    tables = []
    for batch in batches(orders):
        columns = [arro3.core.Array([record[place] for record in batch], arro3.core.DataType.utf8())
                   for place in range(len(names))]
        tables.append(arro3.core.Table.from_arrays(columns, names=list(names)))

    def send(table: object) -> None:
        connection.register("incoming", table)
        connection.execute(f"INSERT INTO events {COLUMNS} SELECT * FROM incoming")

    try:
        yield list(tables), send
    finally:
        connection.close()


WAYS = {"http": http, "copy": copy, "insert": insert, "arrow": arrow}


def _await_turn(word: str) -> None:
    print(word, flush=True)
    sys.stdin.readline()


def main() -> None:
    orders = json.loads(sys.stdin.readline())
    with WAYS[orders["way"]](orders) as (bodies, send):
        _await_turn("ready")
        for body in bodies[:orders["warm"]]:
            send(body)
        _await_turn("warm")
        began, took, pace = time.monotonic(), [], orders.get("pace_s", 0.0)
        phase = random.Random(orders["seed"]).random()  # noqa: S311  so that clients of one pace do not march in step
        for number, body in enumerate(bodies[orders["warm"]:]):
            due = began + (number + phase) * pace
            time.sleep(max(0.0, due - time.monotonic()))
            start = time.monotonic()
            send(body)
            took.append(time.monotonic() - (due if pace else start))  # who is late has waited, too
        print(json.dumps({"began": began, "ended": time.monotonic(), "took": took}))


if __name__ == "__main__":
    main()
