"""Real receivers of alerts, on loopback: a mail server and an HTTP hook."""

import email.policy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class FreePort(Controller):
    """Listens on a port that is free, and learns which."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class MailServer:
    """SMTP on a free port; keeps what it got. With a password it lets nobody in by another."""

    def __init__(self, password: str | None = None) -> None:
        self.mails: list[EmailMessage] = []
        options = {} if password is None else {
            "auth_require_tls": False, "authenticator": self._authenticate}
        self._password = password
        self._controller = FreePort(self, hostname="127.0.0.1", port=0, **options)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    def url(self, login: str = "") -> str:
        return (f"mailto://{login}crossfade.example:{self._controller.port}/?smtp=127.0.0.1&mode=insecure"
                "&from=crossfade@crossfade.example&to=ops@crossfade.example")

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str,
                      data: LoginPassword) -> AuthResult:
        return AuthResult(success=data.password.decode() == self._password, handled=False)


class Hook:
    """HTTP on a free port; keeps the JSON it got, and answers as it is told to."""

    def __init__(self) -> None:
        self.got: list[dict[str, object]] = []
        self.paths: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.release = threading.Event()
        """A slow hook answers when this is set."""
        self.release.set()
        self._port = 0

    @property
    def titles(self) -> list[object]:
        return [message["title"] for message in self.got]

    def url(self, path: str = "hook") -> str:
        return f"json://127.0.0.1:{self._port}/{path}"

    @contextmanager
    def serving(self) -> Iterator[Self]:
        """On the same port each time."""
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.release.wait(60)
                if hook.status == 200:
                    hook.got.append(body)
                hook.paths.append(self.path)
                self.send_response(hook.status)
                for name, value in hook.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on standard error."""

        server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        server.daemon_threads = True
        self._port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.release.set()
            server.shutdown()
            server.server_close()
            thread.join()
