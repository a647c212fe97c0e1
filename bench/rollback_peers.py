"""The same with others' flags, for ``bench/rollback.py --peers``: from before a flag is changed to the last process.

Each process looks at its flag every millisecond and says when it has changed, by the clock that all processes share.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from postgresql import cluster, free_port
from postgresql import missing as no_postgresql

WATCH = """
import sys, threading, time
last = None
def end():
    sys.stdin.read()
    import os
    os._exit(0)
threading.Thread(target=end, daemon=True).start()
while True:
    value = look()
    if value is not last:
        print(int(value), time.monotonic_ns(), flush=True)
        last = value
    time.sleep(0.001)
"""
UNLEASH = """
import sys
from UnleashClient import UnleashClient
url, token, cache, refresh = sys.argv[1:]
client = UnleashClient(url, "bench", refresh_interval=int(refresh), disable_metrics=True, cache_directory=cache,
                       custom_headers={"Authorization": token}, disable_registration=True)
client.initialize_client()
look = lambda: client.is_enabled("rollback")
""" + WATCH
FLAGD = """
import sys
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
api.set_provider_and_wait(FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=sys.argv[1]))
client = api.get_client()
look = lambda: client.get_boolean_value("rollback", False)
""" + WATCH
SERVER = """
const { start } = await import(process.argv[2]);
await start({ db: { user: 'postgres', password: 'x', host: '127.0.0.1', port: +process.argv[3], database: 'postgres',
              ssl: false }, server: { port: +process.argv[4], host: '127.0.0.1' }, versionCheck: { enable: false },
              telemetry: false, logLevel: 'fatal' });
console.log('ready');
"""
CLIENT_TOKEN, ADMIN_TOKEN = "default:development." + "a" * 32, "*:*." + "b" * 32


@dataclass(frozen=True)
class Contestant:
    """Who takes part, and has a turn in the rounds."""

    name: str
    once: Callable[[], float]
    """One rollback; milliseconds."""


def versions(peers: Path) -> str:
    asked = "from importlib.metadata import version as v; print(v('UnleashClient'), v('openfeature-provider-flagd'))"
    client, flagd = subprocess.run([peers / "v/bin/python", "-c", asked], check=True, capture_output=True,
                                   text=True).stdout.split()
    package = json.loads((peers / "node_modules/unleash-server/package.json").read_text())
    return f"UnleashClient {client}, unleash-server {package['version']}, openfeature-provider-flagd {flagd}"


def missing(peers: Path | None, postgresql: Path) -> str | None:
    """Why Unleash cannot be measured; None where it can."""
    if peers is None:
        return "--unleash names no folder with its server, which is a Node package that the bench does not install"
    for needed in (peers / "v/bin/python", peers / "node_modules/unleash-server/package.json"):
        if not needed.exists():
            return f"{needed.relative_to(peers)} is not in the folder that --unleash names"
    return no_postgresql(postgresql) or (None if shutil.which("node") else "node is not installed")


@contextmanager
def flagd(python: Path, processes: int) -> Iterator[Contestant]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "flags.json"

        def change(on: bool) -> None:
            half = file.with_suffix(".half")
            half.write_text(json.dumps({"flags": {"rollback": {
                "state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on" if on else "off"}}}))
            half.replace(file)

        change(False)
        with _watching([[python, "-c", FLAGD, file]] * processes, change) as once:
            yield Contestant("flagd, file mode", once)


@contextmanager
def unleash(peers: Path, postgresql: Path, *, processes: int, refresh_s: int) -> Iterator[Contestant]:
    """``refresh_s``: how often its clients ask; 15 unless one is told otherwise."""
    with _unleash_server(peers, postgresql) as url, httpx.Client(
        base_url=f"{url}/api/admin/projects/default/features", headers={"Authorization": ADMIN_TOKEN}, trust_env=False,
        timeout=60,
    ) as admin, tempfile.TemporaryDirectory() as cache:
        admin.post("", json={"name": "rollback", "type": "release"}).raise_for_status()

        def change(on: bool) -> None:
            admin.post(f"/rollback/environments/development/{'on' if on else 'off'}", json={}).raise_for_status()

        commands = []
        for number in range(processes):
            Path(cache, str(number)).mkdir()
            commands.append([peers / "v/bin/python", "-c", UNLEASH, f"{url}/api", CLIENT_TOKEN,
                             f"{cache}/{number}", str(refresh_s)])
        with _watching(commands, change) as once:
            yield Contestant(f"Unleash, asking every {refresh_s} s", once)


@contextmanager
def _unleash_server(peers: Path, postgresql: Path) -> Iterator[str]:
    with ExitStack() as ending:
        pg_port, port = ending.enter_context(cluster(postgresql)), free_port()
        script = peers / "bench-server.mjs"
        script.write_text(SERVER)
        server = subprocess.Popen(
            ["node", script, peers / "node_modules/unleash-server/dist/lib/server-impl.js", str(pg_port),
             str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "INIT_CLIENT_API_TOKENS": CLIENT_TOKEN, "INIT_ADMIN_API_TOKENS": ADMIN_TOKEN})
        ending.callback(server.wait)
        ending.callback(server.kill)
        assert server.stdout is not None
        while (line := server.stdout.readline()) != "ready\n":
            assert line, "the server did not start"
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _watching(commands: Sequence[Sequence[str | Path]],
              change: Callable[[bool], None]) -> Iterator[Callable[[], float]]:
    """One rollback: milliseconds from before the change to off until the last process sees it.

    Between two of them the processes are stopped, so that their looking takes no core from whose turn it is.
    """
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 text=True) for command in commands]

    def once() -> float:
        _signal(children, signal.SIGCONT)
        change(True)
        _await(children, True)
        time.sleep(0.3)
        began = time.monotonic_ns()
        change(False)
        took = (_await(children, False) - began) / 1e6
        _signal(children, signal.SIGSTOP)
        return took

    try:
        _await(children, False)
        _signal(children, signal.SIGSTOP)
        yield once
    finally:
        for child in children:
            child.kill()
            child.communicate()


def _signal(children: Sequence[subprocess.Popen[str]], number: signal.Signals) -> None:
    for child in children:
        child.send_signal(number)


def _await(children: Sequence[subprocess.Popen[str]], wanted: bool) -> int:
    """When the last of them saw it."""
    last = 0
    for child in children:
        assert child.stdout is not None
        value = ""
        while value != str(int(wanted)):
            value, _, at = child.stdout.readline().partition(" ")
            assert value, "a process has ended"
            last = max(last, int(at)) if value == str(int(wanted)) else last
    return last
