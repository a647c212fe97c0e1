"""A server on loopback that pushes flags as the test has it: rightly, or as no server should."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

Scene = Callable[[socket.socket], None]
"""What the stream of one connection is."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(revision: int, **flags: object) -> bytes:
    return b"id: %d\nevent: flags\ndata: %s\n\n" % (
        revision, json.dumps({"revision": revision, "flags": flags}).encode())


def sends(*parts: bytes, then: Callable[[socket.socket], object] = lambda connection: connection.recv(1)) -> Scene:
    """The parts, one a write; then it waits until the client has had enough, or does something else."""
    def play(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
        then(connection)
    return play


def streams(*events: bytes, then: Callable[[socket.socket], object] = lambda connection: connection.recv(1)) -> Scene:
    """A stream as it should be, with these events at once."""
    return sends(HEAD + b"".join(map(chunk, events)), then=then)


def ends(_: socket.socket) -> None:
    """At once."""


class FlagServer:
    """Plays one scene a stream, the last one again and again; takes all that is posted."""

    def __init__(self, listening: socket.socket, scenes: tuple[Scene, ...]) -> None:
        self._listening = listening
        self._scenes = list(scenes)
        self._open: list[socket.socket] = []
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.posted: SimpleQueue[tuple[str, dict[str, object]]] = SimpleQueue()
        self.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
        self.once = False
        """Whether it closes each connection after a post, as servers do with idle ones."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def close(self) -> None:
        for connection in (self._listening, *self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def acknowledged(self, within: float = 20) -> int:
        """The revision of the next acknowledgement."""
        path, body = self.posted.get(timeout=within)
        assert path == "/api/flags/ack", path
        return body["revision"]

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as reader:
            while line := reader.readline().decode():
                headers = {}
                while text := reader.readline().decode().strip():
                    name, _, value = text.partition(": ")
                    headers[name.lower()] = value
                method, path, _ = line.split()
                if method == "GET":
                    self.requests.append(path)
                    self.headers.append(headers)
                    scene = self._scenes.pop(0) if len(self._scenes) > 1 else self._scenes[0]
                    scene(connection)
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                body = reader.read(int(headers["content-length"]))
                self.posted.put((path, json.loads(body)))
                connection.sendall(self.answer)
                if self.once:
                    connection.shutdown(socket.SHUT_RDWR)
                    return


@contextmanager
def playing(*scenes: Scene) -> Iterator[FlagServer]:
    server = FlagServer(socket.create_server(("127.0.0.1", 0)), scenes)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
