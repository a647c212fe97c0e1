"""The commands as a shell sees them: help, usage errors, exit statuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crossfade import __version__
from crossfade.app import App
from crossfade.core.clock import SystemClock
from crossfade.settings import Settings

COMMANDS = (
    [], ["serve"], ["demo"], ["scan"], ["import"], ["flags"], ["flags", "set"], ["flags", "log"], ["aggregate"],
    ["track"], ["audit"], ["retire"], ["rollout"], ["rollout", "start"], ["rollout", "status"], ["rollout", "watch"],
    ["rollout", "history"],
)


def crossfade(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "crossfade", *arguments], capture_output=True, text=True,
                          timeout=60, check=False, env=os.environ | {"COLUMNS": "120"})


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: list[str]) -> None:
    done = crossfade(*command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout
    assert "\x1b[" not in done.stdout, "colours are for terminals"


def test_the_version() -> None:
    assert crossfade("--version").stdout.strip() == __version__


@pytest.mark.parametrize("arguments", [
    ["no-such-command"], ["scan"], ["flags", "set"], ["serve", "--port", "many"], ["demo", "/no/such/folder"],
    ["scan", ".", "--delete-duplicates"], ["audit", "--since", "soon"], ["audit", "--since", "2999-01-01"],
    ["rollout", "skip"], ["rollout", "status", "x"], ["rollout", "start", "--plan", "/"],
], ids=" ".join)
def test_wrong_usage_is_exit_2_and_says_how(arguments: list[str]) -> None:
    done = crossfade(*arguments)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_help_imports_none_of_the_servers_parts() -> None:
    heavy = ("duckdb", "litestar", "sqlalchemy", "uvicorn", "pydantic", "httpx", "rich")
    code = ("import atexit, sys; from crossfade.cli.main import main; sys.argv[1:] = ['--help']; "
            f"atexit.register(lambda: print([name for name in {heavy!r} if name in sys.modules])); main()")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n")


def test_a_servers_start_imports_nothing_that_it_may_never_need(tmp_path: Path) -> None:
    spared = ("alembic", "apprise", "fsspec", "httpx", "pydantic.v1", "rich", "sqlalchemy.dialects.postgresql",
              "crossfade.tracking")
    App(Settings(data=tmp_path), SystemClock(), {}).close()  # the first start makes the tables
    code = f"""
import sys
from pathlib import Path
from crossfade.cli import main
main._load_structlog_alone()
from crossfade.cli import serve
app = serve.open_app(serve.settings(None, None, Path(sys.argv[1]), None))
serve.Server(app)
app.close()
print([name for name in {spared!r} if name in sys.modules])
import rich.console
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tracking_imports_none_of_the_servers_parts() -> None:
    heavy = ("duckdb", "litestar", "sqlalchemy", "uvicorn", "pydantic", "typer", "psutil", "structlog")
    code = f"import sys, crossfade.tracking.batcher; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
