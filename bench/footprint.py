"""What it takes to have it at all: a cold command, a server's start, its memory idle and loaded, its place on the disk.

Each start is a process of its own. The first of each kind warms up what the system caches and is not counted; the
server's folder is the same every time, so what is counted is a start that makes no tables. All of them are of a Python
that has what the server needs and nothing else: a library that tests need is loaded by others where it is found.
"""

import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from arrive import arriving
from ask import Asked, ask
from row import Row, Size
from served import served

ROOT = Path(__file__).parent.parent
RATE, CLIENTS = 20_000.0, 100
NAME = re.compile(r"[A-Za-z0-9._-]+")


def rows(size: Size) -> Iterator[Row]:
    python = _alone() if size.alone else sys.executable
    empty = [_command(python, "-c", "pass") for _ in range(size.rounds + 1)][1:]
    helped = [_command(python, "-m", "crossfade", "--help") for _ in range(size.rounds + 1)][1:]
    yield Row("cold command: crossfade --help", "s", helped, {"an empty Python": empty}, goal=0.2,
              note="The interpreter's own start is a part of it.")
    starts, idle = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(size.rounds + 1):
            with served(Path(folder) / "data", python) as server:
                time.sleep(min(5.0, size.seconds))
                starts.append(server.started_s)
                idle.append(server.resident_mb())
    yield Row("server: from its start to ready", "s", starts[1:], goal=1.5)
    yield Row("server: idle, resident memory", "MB", idle[1:], goal=150,
              note="Shared libraries included; a first start, which makes its tables, holds some 20 MB more.")
    yield Row(f"server: {RATE:,.0f} events/s, {CLIENTS} clients, peak resident memory", "MB",
              [_loaded(size, python) for _ in range(size.rounds)], note="An empty store at first.")
    yield Row("installed size, with all that it needs", "MB", [installed()], goal=200)


def _alone() -> str:
    folder = ROOT / ".bench" / "alone"
    made = ["make", "-C", ROOT, f"VENV={folder}", f"PYTHON={sys.executable}", "setup"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
    return str(folder / "bin" / "python")


def _loaded(size: Size, python: str) -> float:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data", python) as server:
        with arriving(server, RATE):
            ask(Asked(server.port, size.seconds, CLIENTS))
        return server.peak_mb()


def _command(*command: str) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def installed() -> float:
    """MB of the package and of everything that its server needs, as they lie on this disk, bytecode included."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting, seen, total = [*told["dependencies"], *told["optional-dependencies"]["server"]], set[str](), 0
    while waiting:
        needed = waiting.pop()
        match = NAME.match(needed)
        assert match is not None
        name = match[0].lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(match[0])
        except PackageNotFoundError:
            continue  # for another system or Python
        total += _size(found)
        extras = needed[match.end():].partition("]")[0].lstrip("[") if needed[match.end():].startswith("[") else "none"
        waiting += [line.partition(";")[0] for line in found.requires or ()
                    if "extra" not in line.partition(";")[2] or f"extra == '{extras}'" in line.replace('"', "'")]
    return (total + sum(path.stat().st_size for path in (ROOT / "src").rglob("*") if path.is_file())) / 1e6


def _size(found: Distribution) -> int:
    places = (Path(str(found.locate_file(file))) for file in found.files or ())
    return sum(place.stat().st_size for place in places if place.is_file())
