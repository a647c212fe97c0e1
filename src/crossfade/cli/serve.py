"""``crossfade serve``: the server in the foreground."""

import gc
import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pydantic
import structlog
import uvicorn

from crossfade.app import App, here
from crossfade.cli.errors import CommandError
from crossfade.core.batch import COMPILED
from crossfade.core.clock import SystemClock
from crossfade.core.flag import FlagError
from crossfade.core.user import ADMIN, UserError
from crossfade.courier import TargetError
from crossfade.datafolder import DataFolderError
from crossfade.declared import DeclarationError
from crossfade.logs import configure_logging
from crossfade.settings import Settings
from crossfade.state.errors import StateError
from crossfade.store.port import StoreError
from crossfade.web.protocol import OneWriteProtocol
from crossfade.web.server import Server
from crossfade.web.users import link_path

log = structlog.get_logger(__name__)

OPEN_FILES = 1 << 16
"""Connections and files that may be open at a time, where the system allows it: each follower holds up to two."""
GRACE = 3
"""Seconds that answers under way may take at the stop."""


def settings(host: str | None, port: int | None, data: Path | None, config: Path | None) -> Settings:
    """The settings, with what the command line says above the rest. Raises CommandError for a wrong one."""
    if config is not None:
        os.environ["CROSSFADE_CONFIG"] = str(config)
    given = {name: value for name, value in (("host", host), ("port", port), ("data", data)) if value is not None}
    try:
        return Settings.model_validate(given) if not given else Settings(**given)  # type: ignore[arg-type]
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise CommandError(f"the setting {name} is wrong: {first['msg']}") from None
    except (OSError, ValueError) as error:
        raise CommandError(f"the settings file cannot be read: {error}") from None


def open_app(chosen: Settings) -> App:
    """Raises CommandError, one sentence that says what to do, when the server cannot start."""
    os.umask(0o077)  # what the folder holds is nobody else's
    try:
        return App(chosen, SystemClock(), os.environ)
    except (DataFolderError, DeclarationError, StoreError, StateError, FlagError, TargetError) as error:
        raise CommandError(str(error)) from None


def listen(chosen: Settings) -> socket.socket:
    """Raises CommandError when the port cannot be had."""
    family = socket.AF_INET6 if ":" in chosen.host else socket.AF_INET
    try:
        return socket.create_server((chosen.host, chosen.port), family=family, backlog=2048)
    except OSError as error:
        raise CommandError(f"cannot listen on {chosen.host}:{chosen.port} ({error.strerror}): is a server running "
                           "there? name another with --port") from None


class Announcing(uvicorn.Server):
    """Tells when it serves, and ends open streams when it stops."""

    def __init__(self, application: Server, ready: Callable[[], None]) -> None:
        super().__init__(uvicorn.Config(
            application, loop="uvloop", http=OneWriteProtocol, ws="none", lifespan="on", log_config=None,
            access_log=False, server_header=False, timeout_graceful_shutdown=GRACE, timeout_keep_alive=75, backlog=2048,
        ))
        self._application = application
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._application.close()
        await super().shutdown(sockets)


def serve(chosen: Settings) -> None:
    """Runs until SIGINT or SIGTERM; what was acknowledged before is on disk after."""
    configure_logging(chosen.log_level)
    allow_open_files()
    if not COMPILED:
        log.info("serve: events are taken at two thirds of the speed that there could be: for the rest, install a C "
                 "compiler and Python's headers, and crossfade again")
    bound = listen(chosen)
    app = open_app(chosen)
    url = address(chosen, bound)

    def ready() -> None:
        invited = invitation(app, here(url))  # who finds it announced finds it complete
        app.folder.announce(url)
        app.reach(url)
        print(f"Crossfade serves {url} (data in {chosen.data}; Ctrl-C stops)\n{invited}", flush=True)
        gc.freeze()  # nor is it looked through while answers wait
        gc.enable()

    running = Announcing(Server(app), ready)
    # uvicorn heeds them from a moment after this on, and raises them again once it has stopped.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: setattr(running, "should_exit", True))
    running.run(sockets=[bound])
    gc.unfreeze()  # or libraries complain at the end of what was never taken down
    if not running.started:
        raise CommandError("the server could not start; the log says why")


def allow_open_files() -> None:
    """As many as wanted, or as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def address(chosen: Settings, bound: socket.socket) -> str:
    host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    return f"http://{host}:{bound.getsockname()[1]}"


def invitation(app: App, url: str) -> str:
    """What a server that starts says of signing in, with a link for the built-in admin unless that one is disabled."""
    try:
        link, _ = app.users.link(ADMIN, who="crossfade serve")
    except (UserError, StateError) as error:
        return f"Sign in at {url}/login (no link: {error})"
    return f"Sign in as {ADMIN}, once, within 15 minutes: {url}{link_path(link)}"
