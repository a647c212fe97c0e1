"""``crossfade demo``: the main job on a real folder, to be watched."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from crossfade.app import App
from crossfade.cli import serve
from crossfade.cli.client import Client, Json
from crossfade.cli.errors import CommandError
from crossfade.cli.scan import run as run_scan
from crossfade.cli.users import make_link
from crossfade.core.clock import SystemClock
from crossfade.core.flag import BUILT_IN, camel
from crossfade.core.user import ADMIN
from crossfade.logs import configure_logging
from crossfade.settings import Settings, default_data
from crossfade.tracking.batcher import Batcher
from crossfade.web.server import Server

SWITCHES = tuple(name for name in BUILT_IN if name.startswith("use_real_"))
_SECTIONS = {
    "use_real_business_metrics": "business",
    "use_real_system_metrics": "system",
    "use_real_historical_data": "history",
    "use_real_infrastructure_metrics": "infrastructure",
}
READING_AGE = 1.1
"""Seconds: a little more than one computation serves all viewers."""
VISIBLE_WITHIN = 10.0
"""Seconds in which everything scanned must be in the store; it takes less than one, but for a very large folder."""


def demo(path: Path, *, port: int | None, data: Path | None, pause: float, exit_after: bool) -> None:
    """Raises CommandError when the server cannot start."""
    console = Console()
    folder = data or default_data() / "demo"
    chosen = serve.settings(None, port, folder, None)
    configure_logging("warning")
    with _server(chosen, free_port=port is None) as url:
        console.rule("[bold]Crossfade demo[/]")
        console.print(f"Open [bold]{url}[/] and watch. All of it is mock at first, and says so.")
        try:
            _play(console, Client(url, folder), path.resolve(), folder.resolve(), pause)
            if exit_after:
                return
            console.print(f"\nEverything at [bold]{url}[/] is real now. Ctrl-C stops; the data stays in {folder}.")
            link = make_link(Client(url, folder), ADMIN)
            console.print("To act on the migration dashboard, sign in, once, within 15 minutes:\n"
                          f"{link['url']}", soft_wrap=True)
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            console.print("\nStopped.")


def _play(console: Console, client: Client, path: Path, folder: Path, pause: float) -> None:
    client.patch("/api/flags", dict.fromkeys(map(camel, SWITCHES), False), reason="demo: mock at first")
    console.print(f"\nScanning [bold]{path}[/] for real: every file becomes an event.")
    scan_id = str(uuid.uuid4())
    with client.transport() as transport:
        batcher = Batcher(transport, SystemClock(), session_id=scan_id)
        result, _ = run_scan(str(path), scan_id, batcher.track, batcher.flush, skip=(str(folder),))
    console.print(f"{result.files:,} files, {result.duplicates:,} duplicates, {batcher.accepted:,} events sent.")
    _await_loaded(client)
    for flag in SWITCHES:
        time.sleep(pause)
        before = _section(client, flag)
        client.patch("/api/flags", {camel(flag): True}, reason="demo")
        console.print(_comparison(flag, before, _section(client, flag)))


def _await_loaded(client: Client) -> None:
    """Until what was sent is in the store, and no reading from before serves any more."""
    deadline = time.monotonic() + VISIBLE_WITHIN
    while time.monotonic() < deadline:
        ready = client.get("/readyz")
        if isinstance(ready, dict) and ready.get("pendingEvents") == 0:
            break
        time.sleep(0.1)
    time.sleep(READING_AGE)


def _section(client: Client, flag: str) -> dict[str, str]:
    """A component's figures by name, as they are shown."""
    section = _SECTIONS[flag]
    answer = client.get("/api/dashboard/live", section=section)
    return _figures(answer.get(section) if isinstance(answer, dict) else None)


def _figures(payload: Json) -> dict[str, str]:
    if isinstance(payload, list):  # of a timeline, today
        payload = payload[-1] if payload else None
    if not isinstance(payload, dict):
        return {}
    if isinstance(services := payload.get("services"), list):
        return {str(part["name"]): f"{part['status']}: {part['detail']}" for part in services if isinstance(part, dict)}
    return {key: _shown(value) for key, value in payload.items()}


def _shown(value: Json) -> str:
    match value:
        case None:
            return "—"
        case bool() | str():
            return str(value)
        case int() | float():
            return f"{round(value, 2):,}"
        case _:
            return ""


def _comparison(flag: str, mock: dict[str, str], real: dict[str, str]) -> Table:
    table = Table(title=f"\n[bold]{flag}[/] is on", title_justify="left", box=None, pad_edge=False)
    table.add_column("figure")
    table.add_column("was mock", style="dim", justify="right")
    table.add_column("is real", style="green", justify="right")
    for name, value in real.items():
        table.add_row(name, mock.get(name, "—"), value)
    return table


@contextmanager
def _server(chosen: Settings, *, free_port: bool) -> Iterator[str]:
    """The server in a thread, until the block ends."""
    try:
        bound = serve.listen(chosen)
    except CommandError:
        if not free_port:
            raise
        chosen = chosen.model_copy(update={"port": 0})
        bound = serve.listen(chosen)
    app: App = serve.open_app(chosen)
    url = serve.address(chosen, bound)
    ready = threading.Event()
    server = serve.Announcing(Server(app), ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="server")
    thread.start()
    try:
        while not ready.wait(0.05):
            if not thread.is_alive():
                raise CommandError("the server could not start; the log says why")
        app.folder.announce(url)
        app.reach(url)
        yield url
    finally:
        server.should_exit = True
        thread.join()
