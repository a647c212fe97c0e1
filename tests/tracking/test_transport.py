"""The transport, against a server on loopback that answers as servers and what stands before them do."""

import base64
import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from crossfade.tracking import post
from crossfade.tracking.post import GZIP_FROM
from crossfade.tracking.transport import LONGEST_PAUSE, PAUSE, Answer, Transport, TransportError
from crossfade.tracking.verdict import Refusal

EVENTS = [b'{"event":"e","messageId":"1"}', b'{"event":"f","messageId":"2"}']
Scene = Callable[[socket.socket], None]
"""What the server does with one connection's request."""


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def plain(self) -> bytes:
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body


@dataclass
class Server:
    """Plays one scene a request, each on a connection of its own; the last one again and again."""

    listening: socket.socket
    scenes: list[Scene] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection.makefile("rb") as reader:
            line = reader.readline().decode().strip()
            headers = {}
            while text := reader.readline().decode().strip():
                name, _, value = text.partition(": ")
                headers[name.lower()] = value
            body = reader.read(int(headers.get("content-length", "0")))
        if not line:
            return
        self.requests.append(Request(line, headers, body))
        scene = self.scenes.pop(0) if len(self.scenes) > 1 else self.scenes[0]
        scene(connection)


@pytest.fixture
def server() -> Iterator[Server]:
    listening = socket.create_server(("127.0.0.1", 0))
    made = Server(listening)
    thread = threading.Thread(target=made.run)
    thread.start()
    yield made
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def says(status: int, body: bytes | object = b"", **headers: str) -> Scene:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(text)}", "Connection: close",
             *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return sends("\r\n".join(lines).encode() + b"\r\n\r\n" + text)


def sends(raw: bytes) -> Scene:
    return lambda connection: connection.sendall(raw)


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hangs(connection: socket.socket) -> None:
    """Until the client has had enough."""
    connection.recv(1)


TAKEN = says(200, {"success": True, "accepted": 2, "rejected": []})


@dataclass
class Patient:
    """A transport whose pauses are noted, not slept."""

    transport: Transport
    pauses: list[float]

    def send(self) -> Answer:
        return self.transport.send(EVENTS)


@pytest.fixture
def patient(server: Server) -> Iterator[Patient]:
    pauses: list[float] = []
    with Transport(server.url, "key", patience=30, timeout=5, pause=pauses.append) as transport:
        yield Patient(transport, pauses)


def test_a_batch_arrives_as_it_was_given(server: Server, patient: Patient) -> None:
    server.scenes = [TAKEN]
    assert patient.send() == Answer(2, ())
    sent, = server.requests
    assert sent.line == "POST /v1/batch HTTP/1.1"
    assert json.loads(sent.plain) == {"batch": [json.loads(event) for event in EVENTS]}
    assert sent.headers["authorization"] == "Basic " + base64.b64encode(b"key:").decode()
    assert sent.headers["content-type"] == "application/json"
    assert "content-encoding" not in sent.headers
    assert patient.pauses == []


def test_a_large_batch_is_compressed(server: Server, patient: Patient) -> None:
    server.scenes = [TAKEN]
    events = [b'"%s"' % (b"x" * GZIP_FROM)]
    patient.transport.send(events, call="import")
    sent, = server.requests
    assert sent.line.startswith("POST /v1/import ")
    assert sent.headers["content-encoding"] == "gzip"
    assert len(sent.body) < 100
    assert json.loads(sent.plain) == {"batch": ["x" * GZIP_FROM]}


def test_rejections_come_back(server: Server, patient: Patient) -> None:
    told = {"index": 1, "reason": "too_old", "detail": "long ago", "messageId": "2"}
    rejection = Refusal("too_old", "long ago", 1)
    server.scenes = [says(200, {"success": True, "accepted": 1, "rejected": [told]}),
                     says(400, {"code": "too_old", "message": "m", "accepted": 0, "rejected": [told]})]
    assert patient.send() == Answer(1, (rejection,))
    assert patient.send() == Answer(0, (rejection,))


# Asking again


@pytest.mark.parametrize("scene", [
    says(503, b"{}", Retry_After="0"), says(429), says(500, b"oops"), says(502, b"<html>"), says(504), resets,
    sends(b""), sends(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"), sends(b"garbage\r\n\r\n"),
    sends(b"\x00\xff" * 100), sends(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
    sends(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
])
def test_a_passing_trouble_is_waited_out_and_the_same_batch_sent_again(
        server: Server, patient: Patient, scene: Scene) -> None:
    server.scenes = [scene, scene, scene, TAKEN]
    assert patient.send() == Answer(2)
    assert len({sent.body for sent in server.requests}) == 1
    assert len(server.requests) == 4
    assert patient.pauses == [PAUSE, 2 * PAUSE, 4 * PAUSE]


def test_the_server_says_when_to_come_again(server: Server, patient: Patient) -> None:
    server.scenes = [says(503, Retry_After="7"), says(429, Retry_After="0"), says(429, Retry_After="2"), TAKEN]
    patient.send()
    assert patient.pauses == [7, 2 * PAUSE, 2]


@pytest.mark.parametrize("wrong", ["nan", "inf", "-5", "soon", "", "Wed, 21 Oct 2026 07:28:00 GMT", "1e99", "²"])
def test_a_strange_retry_after_is_passed_over(server: Server, patient: Patient, wrong: str) -> None:
    server.scenes = [sends(f"HTTP/1.1 503 x\r\nContent-Length: 0\r\nRetry-After: {wrong}\r\nConnection: close\r\n\r\n"
                           .encode("latin-1")), TAKEN]
    patient.send()
    assert patient.pauses == [PAUSE]


@pytest.mark.parametrize(("scene", "says_why"), [
    (says(503, {"message": "the disk is behind"}), r"the server is busy \(503.*\), for \d+ s$"),
    (resets, "does not answer"),
    (sends(b""), "does not answer"),
    (says(503, Retry_After="31"), "busy"), (says(503, Retry_After="9" * 400), "busy"),
])
def test_patience_ends(server: Server, patient: Patient, scene: Scene, says_why: str) -> None:
    server.scenes = [scene]
    with pytest.raises(TransportError, match=says_why) as found:
        patient.send()
    assert server.url in str(found.value)
    assert sum(patient.pauses) <= 30
    assert max(patient.pauses, default=0) <= LONGEST_PAUSE


def test_an_absent_server_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pauses: list[float] = []
    with Transport(f"http://127.0.0.1:{port}", "key", patience=2, pause=pauses.append) as transport:
        with pytest.raises(TransportError, match="does not answer"):
            transport.send(EVENTS)
        assert pauses == [PAUSE, 2 * PAUSE, 4 * PAUSE]


def test_a_server_that_hangs_uses_up_the_patience(server: Server) -> None:
    server.scenes = [hangs]
    pauses: list[float] = []
    with Transport(server.url, "key", patience=1, timeout=0.3, pause=pauses.append) as transport:
        with pytest.raises(TransportError, match="does not answer"):
            transport.send(EVENTS)
        assert 1 <= len(server.requests) <= 2
        server.scenes = [hangs, TAKEN]
        assert transport.send(EVENTS) == Answer(2)


# What asking again would not change


@pytest.mark.parametrize(("scene", "says_why"), [
    (says(401, {"code": "unauthorized", "message": "m"}), "does not know the write key"),
    (says(400, {"code": "malformed", "message": "the body is not a batch"}), "answered 400: the body is not a batch"),
    (says(413, {"message": "send fewer"}), "answered 413: send fewer"),
    (says(404, b"<html>not here</html>"), "answered 404: <html>not here"),
    (says(403, b"\xff" * 5000), r"answered 403: \S{200}$"),
    (says(301, Location="http://elsewhere/"), "answered 301"),
    (says(200, b"<html>welcome"), "no Crossfade server"), (says(200, b""), "no Crossfade server"),
    (says(200, b"[]"), "no Crossfade server"), (says(200, {"accepted": "2"}), "no Crossfade server"),
    (says(200, b'{"accepted":2,"rejected":[{"detail":"\xff"}]}'), "no Crossfade server"), (says(204), "answered 204"),
])
def test_a_refusal_is_told_at_once(server: Server, patient: Patient, scene: Scene, says_why: str) -> None:
    server.scenes = [scene]
    with pytest.raises(TransportError, match=says_why) as found:
        patient.send()
    assert server.url in str(found.value)
    assert len(server.requests) == 1
    assert patient.pauses == []


def test_an_endless_answer_is_cut(server: Server, patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        try:
            while True:
                connection.sendall(bytes(1 << 16))
        except OSError:
            return

    monkeypatch.setattr(post, "MAX_ANSWER", 1 << 20)
    server.scenes = [endless]
    started = time.monotonic()
    with pytest.raises(TransportError, match="no end"):
        patient.send()
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("url", ["", "localhost:8787", "127.0.0.1", "ftp://x", "http://", "http://x:y", "/p", "http://.",
                                 "http://\x00", "http://a\nb", f"http://{'a' * 70}.x", "http://a..b"])
def test_what_is_no_address_is_told_before_anything_is_sent(url: str) -> None:
    with pytest.raises(TransportError, match="is not an address"):
        Transport(url, "key")


def test_after_any_failure_the_next_batch_gets_through(server: Server, patient: Patient) -> None:
    for scene in (says(401), says(200, b"garbage"), says(413)):
        server.scenes = [scene]
        with pytest.raises(TransportError):
            patient.send()
        server.scenes = [TAKEN]
        assert patient.send() == Answer(2)
