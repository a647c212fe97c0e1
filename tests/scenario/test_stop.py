"""A server is told to stop, whenever that may be."""

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import environment

EARLY = """
import os, signal
from crossfade.cli import serve
from crossfade.cli.main import main

run = serve.Announcing.run


def told_before(self, sockets):
    os.kill(os.getpid(), getattr(signal, os.environ["TOLD"]))
    run(self, sockets)


serve.Announcing.run = told_before
main()
"""


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
def test_a_stop_before_the_server_runs_is_heeded(tmp_path: Path, how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EARLY, "serve", "--port", "0", "--data", str(tmp_path / "data")],
        env=environment(TOLD=how), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
