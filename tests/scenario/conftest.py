"""A real server in a process of its own, as a user starts it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import msgspec
import pytest
import structlog

from crossfade.core.clock import DAY, HOUR
from crossfade.datafolder import server_note
from crossfade.keys import find

from .wound import Wound, past, rest, wound

STARTS_WITHIN = 30.0
VISIBLE_WITHIN = 30.0


def environment(**more: str) -> dict[str, str]:
    """The machine's, without anything that would steer Crossfade."""
    ours = ("CROSSFADE_", "NEXT_PUBLIC_", "USE_REAL_", "FALLBACK_ON_ERROR", "LOG_DATA_SOURCES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"NO_COLOR": "1", "COLUMNS": "200"} | more


class Server:
    """`crossfade serve` on a free port, with its data in a folder of the test."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.process: subprocess.Popen[str] | None = None
        self.http = httpx.Client()

    def start(self, *arguments: str, **variables: str) -> "Server":
        self.process = subprocess.Popen(
            [sys.executable, "-m", "crossfade", "serve", "--port", "0", "--data", str(self.data), *arguments],
            env=environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "serves" in line, self.process.communicate(timeout=STARTS_WITHIN)
        note = server_note(self.data)
        keys = find(self.data)
        assert note is not None
        assert keys is not None
        self.url, self.keys = note.url, keys
        self.http.close()
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Gives the exit status and what was logged."""
        process, self.process = self.process, None
        assert process is not None
        self.http.close()
        process.send_signal(how)
        _, log = process.communicate(timeout=30)
        return process.returncode, log

    def cli(self, *arguments: str, check: int = 0, stdin: bytes | None = None,
            timeout: float = 300) -> subprocess.CompletedProcess[bytes]:
        """A command against this server, which must end with the given status."""
        done = subprocess.run(
            [sys.executable, "-m", "crossfade", *arguments, "--data", str(self.data)],
            env=environment(), capture_output=True, input=stdin, timeout=timeout, check=False,
        )
        assert done.returncode == check, (done.returncode, done.stdout.decode(), done.stderr.decode())
        return done

    @property
    def writer(self) -> tuple[str, str]:
        return self.keys.write_key, ""

    @property
    def admin(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys.admin_token}"}

    def batch(self, *events: object, **envelope: object) -> httpx.Response:
        body = msgspec.json.encode({"batch": events, **envelope})
        return self.http.post("/v1/batch", content=body, auth=self.writer)

    def set_flags(self, **flags: bool) -> None:
        answer = self.http.patch("/api/flags", json=flags, headers=self.admin)
        assert answer.status_code == 200, answer.text

    def live(self, section: str = "all") -> dict[str, object]:
        answer = self.http.get("/api/dashboard/live", params={"section": section})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def await_loaded(self) -> None:
        """Until everything acknowledged is in the store, and the reading before that has aged."""
        deadline = time.monotonic() + VISIBLE_WITHIN
        while self.http.get("/readyz").json()["pendingEvents"]:
            assert time.monotonic() < deadline
        self.await_that(lambda: True, hold=1.1)

    def await_that(self, condition, within: float = VISIBLE_WITHIN, hold: float = 0) -> None:
        """Looks again and again, as a person would; `hold` seconds at the least."""
        start = time.monotonic()
        while time.monotonic() - start < hold or not condition():
            assert time.monotonic() < start + within, "it did not come true"
            self.http.get("/healthz")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server, started by the test as it needs it."""
    made = Server(tmp_path / "data")
    yield made
    if made.process is not None:
        made.stop(signal.SIGKILL)


NOON = 20_700 * DAY + 12 * HOUR
"""A Friday's, by the clock that tests wind."""


@pytest.fixture(scope="session")
def past_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with five weeks of events, counted and recounted."""
    folder = tmp_path_factory.mktemp("past") / "data"
    with pytest.MonkeyPatch.context() as patch:
        rest(patch)
        with wound(folder, NOON) as server:
            server.post(past(NOON, 35))
            server.audit()
    return folder


@pytest.fixture
def house(past_folder: Path, tmp_path: Path) -> Iterator[Callable[..., Wound]]:
    """Makes a server on a copy of it, or on another folder; ``now`` is by its clock."""
    with ExitStack() as closing:
        rest(closing.enter_context(pytest.MonkeyPatch.context()))
        structlog.configure(processors=[structlog.processors.KeyValueRenderer()])  # tracebacks in colour take long
        closing.callback(structlog.reset_defaults)
        def make(folder: Path | None = None, now: int = NOON, **settings: object) -> Wound:
            if folder is None:
                folder = Path(shutil.copytree(past_folder, tmp_path / "data"))
            return closing.enter_context(wound(folder, now, **settings))
        yield make
