"""Events that arrive while something else is measured: at a steady rate, or as many as the server takes.

A process of its own sends batches of 1,000 over one connection until it is told to end, each made just before it is
sent, so that its times are of now, and says how many were acknowledged. A server that is full is given the time that it
asks for. It imports nothing of the product.
"""

import base64
import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from served import Served

BATCH = 1_000
KINDS = ("file_processed",) * 80 + ("duplicate_detected",) * 10 + ("auth_attempt",) * 5 + ("auth_success",) * 5
USERS = 5_000


@dataclass
class Told:
    """What came of it; known at the end."""

    sent: int = 0
    seconds: float = 0.0
    refused: int = 0
    """Batches, each of which was sent again."""

    @property
    def rate(self) -> float:
        """Events a second, acknowledged."""
        return self.sent / self.seconds


@contextmanager
def arriving(server: Served, rate: float = 0.0) -> Iterator[Told]:
    """``rate``: events a second; as many as can be by default."""
    child = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    told = Told()
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps([server.port, server.keys.write_key, rate]) + "\n")
        child.stdin.flush()
        assert child.stdout.readline() == "begun\n", "no events arrive"
        yield told
        child.stdin.write("end\n")
        child.stdin.flush()
        line = child.stdout.readline()
        assert line, "what brings events has failed"
        told.sent, told.seconds, told.refused = json.loads(line)
    finally:
        child.kill()
        child.communicate()


def main() -> None:
    port, key, rate = json.loads(sys.stdin.readline())
    authorization = base64.b64encode(f"{key}:".encode()).decode()
    head = ("POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Basic {authorization}\r\nContent-Length: ")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = connection.makefile("rb")
        began, batches, refused = time.monotonic(), 0, 0
        run = time.time_ns()
        while not select.select([sys.stdin], [], [], 0)[0]:
            body = _batch(run, batches * BATCH)
            while (wait := _send(connection, answers, f"{head}{len(body)}\r\n\r\n{body}".encode())) is not None:
                refused += 1
                time.sleep(wait)
            batches += 1
            if batches == 1:
                print("begun", flush=True)
            if rate:
                time.sleep(max(0.0, began + batches * BATCH / rate - time.monotonic()))
        print(json.dumps([batches * BATCH, time.monotonic() - began, refused]), flush=True)


def _batch(run: int, first: int) -> str:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return '{"batch":[' + ",".join([
        f'{{"type":"track","event":"{KINDS[number % 100]}","messageId":"{run:x}-{number}","timestamp":"{at}",'
        f'"userId":"user-{number % USERS}","properties":{{"path":"/a/b/c{number}.txt","size":{number},'
        f'"kind":"image","ok":true}}}}' for number in range(first, first + BATCH)]) + "]}"


def _send(connection: socket.socket, answers, body: bytes) -> float | None:
    """Seconds to wait before the next try; None once it is acknowledged."""
    connection.sendall(body)
    status, length, wait = answers.readline(), 0, 1.0
    while (line := answers.readline().strip().lower()):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
        if line.startswith(b"retry-after:"):
            wait = float(line.partition(b":")[2])
    told = answers.read(length)
    if b" 200 " in status:
        return None
    assert b" 503 " in status or b" 429 " in status, (status, told[:200])
    return wait


if __name__ == "__main__":
    main()
