"""A proxy before the real server, on a raw socket, that does to a request what networks and servers do."""

import asyncio
import contextlib
import gzip
import json
import socket
import struct
import threading
from urllib.parse import urlsplit

from crossfade.web.errors import HTTPError

LATER = {"503": b"Retry-After: 0\r\n", "429": b"Retry-After: 1\r\n"}
BODIES = {"": HTTPError(500, "later", "no").body(), "text": b"no", "json": b'{"success":false}'}


class Proxy:
    """``mode``: "pass"; a status such as "500", answered without asking the server, with our errors' body, or with
    another one of ``BODIES`` ("400 text"); "hang": it reads and says nothing; "reset": it cuts the connection in the
    middle of the body; "late": the server takes the request, and the client never hears of it; "half": the same, and
    the client hears half of the answer; "drip": an answer without an end.
    """

    def __init__(self, url: str = "", mode: str = "pass", plan: dict[int, str] | None = None,
                 at: socket.socket | None = None) -> None:
        """``plan``: modes for single requests, counted from 0. ``at``: a socket that is bound, to be listened to."""
        self.mode = mode
        self.plan = plan or {}
        self.seen: list[dict[str, object]] = []
        """The bodies of all requests that were read."""
        self.heads: list[bytes] = []
        self.answers: list[int] = []
        """The statuses of all answers that were sent whole."""
        self._at = at
        self._upstream = urlsplit(url)
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _serve(self, started: threading.Event) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._main(started))

    async def _main(self, started: threading.Event) -> None:
        self._end = asyncio.Event()
        place = {"host": "127.0.0.1", "port": 0} if self._at is None else {"sock": self._at}
        server = await asyncio.start_server(self._connection, **place)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        await self._end.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._request(reader, writer):
                    pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether another request may follow on this connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        mode = self.plan.get(len(self.heads), self.mode)
        self.heads.append(head)
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if mode == "reset":
            await reader.readexactly(length // 2)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        body = await reader.readexactly(length)
        self.seen.append(json.loads(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body))
        if mode in {"pass", "late", "half"}:
            answer = await self._forward(head, body)
            if mode == "pass":
                self.answers.append(int(answer.split()[1]))
                writer.write(answer)
                return True
            if mode == "half":
                writer.write(answer[:-len(answer.partition(b"\r\n\r\n")[2]) // 2])
                return False
        if mode == "drip":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
            while await asyncio.sleep(0.02, True):
                writer.write(b" ")
                await writer.drain()
        if mode in {"late", "hang"}:
            await reader.read()  # until the client gives up
            return False
        status, _, form = mode.partition(" ")
        self.answers.append(int(status))
        success = {"204": b""}.get(status, b'{"success":true}')
        writer.write(_answer(status, success if status < "300" else BODIES[form]))
        return True

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        """What the server answers; without one, that it has the events."""
        if not self._upstream.netloc:
            return _answer("200", b'{"success":true}')
        reader, writer = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        try:
            writer.write(head + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return answer + await reader.readexactly(length)
        finally:
            writer.close()


def _answer(status: str, body: bytes) -> bytes:
    head = b"HTTP/1.1 %b Said\r\nContent-Type: application/json\r\n%b" % (status.encode(), LATER.get(status, b""))
    length = b"" if status == "204" else b"Content-Length: %d\r\n" % len(body)
    return head + length + b"\r\n" + body
