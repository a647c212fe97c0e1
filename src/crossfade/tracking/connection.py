"""HTTP to one server, upon one socket, where every wait ends by a moment that is set beforehand.

The standard library's client is bounded by the pause between two packets alone: a server that sends a byte now and then
would hold it for ever. httpx, which sends the batches, takes a millisecond for what takes a tenth of it here.
"""

import codecs
import io
import socket
import time
from contextlib import suppress
from http.client import BadStatusLine, HTTPConnection, HTTPException, HTTPResponse, RemoteDisconnected
from urllib.parse import SplitResult, urlsplit

MAX_HEAD = 64 << 10
"""Bytes of an answer's head."""


class Connection:
    """To one server with one key. For one thread and one process, but for ``cut``."""

    def __init__(self, url: str, key: str) -> None:
        """``key``: the write key or the admin token; empty without one. Raises ValueError for an address that is none,
        or a key that cannot be sent.
        """
        parts = _split(url)
        if not (key.isascii() and key.isprintable()):
            raise ValueError("the key cannot be sent as it is: use only visible ASCII characters")
        self._secure = parts.scheme == "https"
        self._host, self._port = str(parts.hostname), parts.port or (443 if self._secure else 80)
        self._base = parts.path.rstrip("/")
        self._named = parts.netloc
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        codecs.lookup("idna")  # as connecting will: a child that is forked in an import's midst never gets the rest
        self._channel: _Channel | None = None
        self._http: HTTPConnection | None = None
        self._deadline = 0.0

    @property
    def address(self) -> str:
        """Whom it talks to, without secrets."""
        return f"{'https' if self._secure else 'http'}://{self._host}:{self._port}{self._base}"

    def within(self, seconds: float) -> None:
        """All that is asked and read from now on ends within this time, with a TimeoutError where it must."""
        self._deadline = time.monotonic() + seconds
        if self._channel is not None:
            self._channel.deadline = self._deadline

    def get(self, target: str, accept: str) -> HTTPResponse:
        """Asks anew, and gives the answer once its head is there. Raises OSError or HTTPException."""
        http = HTTPConnection(self._host, self._port)
        http.auto_open = 0
        http.sock = self._connect()  # as much of a socket as it needs
        self._http = http
        http.request("GET", self._base + target, headers=self._headers | {"Accept": accept})
        return http.getresponse()

    def tell(self, target: str, body: bytes) -> int:
        """Posts JSON; gives the answer's status. A connection that has ended meanwhile is opened once more.

        By hand, since all processes that follow do it in the same moment. Raises OSError or HTTPException.
        """
        again = self._channel is not None
        while True:
            try:
                status = self._post(target, body)
            except (OSError, HTTPException) as error:
                self.close()
                if not again or isinstance(error, TimeoutError):
                    raise
                again = False
            else:
                if status != 204:  # the body of any other answer is still to come
                    self.close()
                return status

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
        if self._channel is not None:
            self._channel.close()
        self._http = self._channel = None

    def cut(self) -> None:
        """From another thread: whatever waits there ends with an error."""
        channel = self._channel
        if channel is not None:
            channel.cut()

    def abandon(self) -> None:
        """In a forked child: lets go of the socket without a word, so that it ends when the parent does."""
        if self._channel is not None:
            self._channel.abandon()
        self._http = self._channel = None

    def _post(self, target: str, body: bytes) -> int:
        channel = self._channel or self._connect()
        head = (f"POST {self._base}{target} HTTP/1.1", f"Host: {self._named}", "Content-Type: application/json",
                f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in self._headers.items()))
        channel.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        answer = b""
        while b"\r\n\r\n" not in answer and len(answer) < MAX_HEAD:
            received = channel.recv(MAX_HEAD)
            if not received:
                raise RemoteDisconnected("the connection has ended before the answer")
            answer += received
        version, _, rest = answer.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit() or b"\r\n\r\n" not in answer:
            raise BadStatusLine(repr(answer[:100]))
        return int(rest[:3])

    def _connect(self) -> "_Channel":
        self.close()
        left = max(0.001, self._deadline - time.monotonic())
        connected = socket.create_connection((self._host, self._port), left)
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._secure:
                import ssl  # noqa: PLC0415  it takes a while, and few need it

                connected = ssl.create_default_context().wrap_socket(connected, server_hostname=self._host)
        except BaseException:
            connected.close()
            raise
        self._channel = _Channel(connected, self._deadline)
        return self._channel


class _Channel:
    """A connected socket, as ``http.client`` uses one."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket = connected
        self.deadline = deadline

    def makefile(self, _mode: str, *_: object) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self))

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(self._left())
        self._socket.sendall(data)

    def recv(self, most: int) -> bytes:
        self._socket.settimeout(self._left())
        return self._socket.recv(most)

    def recv_into(self, buffer: "memoryview[int]") -> int:
        self._socket.settimeout(self._left())
        return self._socket.recv_into(buffer)

    def close(self) -> None:
        self._socket.close()

    def cut(self) -> None:
        with suppress(OSError):  # it has ended by itself
            self._socket.shutdown(socket.SHUT_RDWR)

    def abandon(self) -> None:
        with suppress(OSError):
            socket.close(self._socket.detach())

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return left


class _Reading(io.RawIOBase):
    """The channel as a file."""

    def __init__(self, channel: _Channel) -> None:
        self._channel = channel

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        return self._channel.recv_into(buffer)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and "@" not in parts.netloc
        str(parts.hostname).encode("idna")
    except (ValueError, UnicodeError) as error:
        raise ValueError(f"the address of the server is none: {error}") from None
    if not usable or not (url.isascii() and url.isprintable()) or {" ", "?", "#"} & set(url):
        raise ValueError("the address of the server is none: it must be as http://host or https://host:port")
    return parts
