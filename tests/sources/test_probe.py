"""Probes against real servers on loopback, and what they must not tell."""

import asyncio
import logging
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import SECOND, ManualClock
from crossfade.core.payloads import Service
from crossfade.sources.probe import Probe, shown, target
from crossfade.sources.prober import Prober

START = 1_700_000_000 * SECOND
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    """A server on loopback; gives its host and port."""
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass  # the probe hung up, as it should
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def answering(head: str) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {head}\r\n\r\n".encode())
        await writer.drain()
        await reader.read()

    return serve


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    linger_0 = struct.pack("ii", 1, 0)  # closing sends a reset
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_0)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()


async def endless_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-more: " + b"x" * 4096 + b"\r\n")
        await writer.drain()


async def babbling(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def self_signed(folder: Path) -> ssl.SSLContext:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def probed(probe: Probe, timeout_s: float = 20) -> Service:
    """By a deadline that a busy machine keeps, too, unless the test is about it."""
    asking = Prober([probe], ManualClock(START), timeout_s=timeout_s, slow_ms=15_000)
    await asking.probe_all()
    return asking.services()[0]


def ask_server(serve: Serve, address: str = "http://{}/", timeout_s: float = 20) -> Service:
    async def scene() -> Service:
        async with serving(serve) as where:
            return await probed(target("it", address.format(where)), timeout_s=timeout_s)

    return asyncio.run(scene())


# Probes.

@pytest.mark.parametrize(("head", "found", "detail"), [
    ("200 OK", "up", "answers 200"),
    ("204 No Content", "up", "answers 204"),
    ("302 Found\r\nlocation: http://127.0.0.1:1/", "up", "answers 302"),
    ("401 Unauthorized", "degraded", "answers 401"),
    ("404 Not Found", "degraded", "answers 404"),
    ("500 Internal Server Error", "down", "answers 500"),
    ("503 Service Unavailable", "down", "answers 503"),
])
def test_an_http_answer_is_judged_by_its_status(head: str, found: str, detail: str) -> None:
    service = ask_server(answering(head))
    assert (service.status, service.detail) == (found, detail)
    assert (service.latency is None) == (found == "down")
    assert service.uptime == (0 if found == "down" else 100)


@pytest.mark.parametrize(("serve", "detail"), [
    (resetting, "resets the connection"),
    (babbling, "gives no valid HTTP answer"),
    (endless_headers, "gives no valid HTTP answer"),
])
def test_a_server_that_breaks_the_rules_is_down(serve: Serve, detail: str) -> None:
    service = ask_server(serve)
    assert (service.status, service.detail, service.latency) == ("down", detail, None)


def test_an_endless_body_is_not_read() -> None:
    service = ask_server(endless)
    assert (service.status, service.detail) == ("up", "answers 200")


def test_a_server_that_hangs_is_down_after_the_deadline() -> None:
    service = ask_server(silent, timeout_s=0.05)
    assert (service.status, service.detail) == ("down", "no answer in 0.05 s")


@pytest.mark.parametrize("scheme", ["http", "tcp"])
def test_a_closed_port_refuses(scheme: str) -> None:
    service = asyncio.run(probed(target("it", f"{scheme}://127.0.0.1:{free_port()}")))
    assert (service.status, service.detail) == ("down", "refuses the connection")


@pytest.mark.parametrize("scheme", ["http", "tcp"])
def test_a_name_that_does_not_resolve_says_so(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    service = asyncio.run(probed(target("it", f"{scheme}://nowhere.invalid:80")))
    assert (service.status, service.detail) == ("down", "its name does not resolve")


def test_plain_text_where_tls_was_meant_is_down() -> None:
    service = ask_server(babbling, "https://{}/")
    assert (service.status, service.detail) == ("down", "TLS fails")


def test_an_unknown_certificate_is_down(tmp_path: Path) -> None:
    context = self_signed(tmp_path)

    async def scene() -> Service:
        server = await asyncio.start_server(silent, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await probed(target("it", f"https://127.0.0.1:{port}/"))

    service = asyncio.run(scene())
    assert (service.status, service.detail) == ("down", "its certificate is not trusted")


def test_tcp_connects_and_hangs_up() -> None:
    async def scene() -> tuple[Service, bytes]:
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            heard.set_result(await reader.read())

        async with serving(serve) as where:
            service = await probed(target("it", f"tcp://{where}"))
            return service, await asyncio.wait_for(heard, 20)

    service, heard = asyncio.run(scene())
    assert (service.status, service.detail, heard) == ("up", "connects", b"")


@pytest.mark.parametrize("address", [
    "tcp://secret-host", "tcp://:80", "tcp://host:99999", "tcp://host:0", "http://", "https:///path",
    "http://host:port/", "ftp://host/", "host", "", "http://[::1/",
])
def test_an_address_that_is_none_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(ValueError, match="target 'it' is not") as refusal:
        target("it", address)
    assert "secret" not in str(refusal.value)
    assert refusal.value.__context__ is None


# Credentials.

def test_credentials_are_sent_but_never_shown_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    heard = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 500 Oops\r\nconnection: close\r\n\r\n")
        await writer.drain()

    caplog.set_level(logging.DEBUG)
    service = ask_server(serve, "http://ada:p%40ss-w0rd@{}/health?token=t0ken#part")
    request = heard[0].decode()
    assert request.startswith("GET /health?token=t0ken HTTP/1.1\r\n")
    assert "authorization: Basic YWRhOnBAc3MtdzByZA==" in request.replace("Authorization", "authorization")
    everything = service.detail + caplog.text
    assert "answers 500" in everything
    for secret in ("p%40ss-w0rd", "p@ss-w0rd", "t0ken", "YWRhOnBAc3MtdzByZA", "ada"):
        assert secret not in everything


@pytest.mark.parametrize("scheme", ["http", "https", "tcp"])
def test_a_failing_targets_credentials_are_not_shown(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service = asyncio.run(probed(target("it", f"{scheme}://ada:p4ssw0rd@127.0.0.1:{free_port()}/?token=t0ken")))
    assert service.status == "down"
    everything = service.detail + caplog.text
    assert "p4ssw0rd" not in everything
    assert "t0ken" not in everything


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40), st.text(max_size=400))
def test_what_is_shown_is_one_short_line_without_userinfo(password: str, rest: str) -> None:
    line = shown(f"cannot open postgresql://ada:{password}@db/crossfade {rest}")
    assert line.startswith("cannot open postgresql://…@")
    assert len(line) <= 200
    assert len(line.splitlines()) == 1
