"""A server of the bench's own, in a process and a folder of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from crossfade.datafolder import server_note
from crossfade.keys import Keys, find

LOADED_WITHIN_S = 1_800.0


@dataclass(frozen=True)
class Served:
    url: str
    keys: Keys
    pid: int
    started_s: float
    """From the start of the process until it said that it serves."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def admin(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.keys.admin_token}"},
                            trust_env=False, timeout=60)

    def resident_mb(self) -> float:
        return self._status_mb("VmRSS:")

    def peak_mb(self) -> float:
        """The most that was ever resident."""
        return self._status_mb("VmHWM:")

    def _status_mb(self, name: str) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition(name)[2].split()[0]) * 1024 / 1e6

    def loaded(self, http: httpx.Client) -> float:
        """Waits until nothing is pending, and gives the moment by the monotonic clock."""
        deadline = time.monotonic() + LOADED_WITHIN_S
        while http.get("/readyz").json()["pendingEvents"]:
            assert time.monotonic() < deadline, "the loader does not keep pace"
            time.sleep(0.01)
        return time.monotonic()


@contextmanager
def served(data: Path, python: str = sys.executable, **settings: str) -> Iterator[Served]:
    """``settings``: by the names of the environment, without ``CROSSFADE_``."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CROSSFADE_")}
    own |= {f"CROSSFADE_{name.upper()}": value for name, value in settings.items()}
    began = time.monotonic()
    server = subprocess.Popen([python, "-m", "crossfade", "serve", "--port", "0", "--data", str(data)],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=own)
    try:
        assert server.stdout is not None
        assert "serves" in server.stdout.readline(), "the server did not start"
        took, note, keys = time.monotonic() - began, server_note(data), find(data)
        assert note is not None
        assert keys is not None
        yield Served(note.url, keys, server.pid, took)
    finally:
        server.terminate()
        server.wait()
