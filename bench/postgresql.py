"""PostgreSQL of the bench's own: a cluster in a folder of its own, fsync on, as it is shipped otherwise."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


def missing(programs: Path) -> str | None:
    """Why it cannot be started; None where it can."""
    if not (programs / "initdb").exists():
        return f"PostgreSQL's programs are not in {programs}"
    if os.geteuid() == 0 and not _runuser():
        return "PostgreSQL does not run as root, and there is no runuser"
    return None


def _runuser() -> str | None:
    """Where it is: root's path may well lack the folder."""
    return shutil.which("runuser", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))


@contextmanager
def cluster(programs: Path) -> Iterator[int]:
    """Its port on loopback; the user and the database are ``postgres``, and nobody is asked for a password."""
    with ExitStack() as ending:
        folder = Path(tempfile.mkdtemp())
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        become = [_runuser() or "runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if become:
            shutil.chown(folder, "postgres")

        def run(*command: str | Path) -> None:
            subprocess.run([*become, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")

        port = free_port()
        run(programs / "initdb", "-D", folder / "db", "-U", "postgres", "--auth=trust")
        control = (programs / "pg_ctl", "-D", folder / "db", "-w")
        run(*control, "-l", folder / "log", "-o", f"-p {port} -k {folder} -c listen_addresses=127.0.0.1", "start")
        ending.callback(run, *control, "-m", "immediate", "stop")
        yield port


def execute(programs: Path, port: int, statement: str) -> None:
    subprocess.run([programs / "psql", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-c", statement],
                   check=True, env=os.environ | {"PGOPTIONS": "-c client_min_messages=warning"})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
