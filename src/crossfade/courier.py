"""Hands a message to a messenger of its own, with a deadline."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from crossfade.core.notice import Message

DEADLINE_S = 30.0
CHECK_S = 30.0
STARTING_S = 5.0
"""What loading the messenger takes on a busy machine, beside what it does."""
AT_ONCE = 4
"""Messengers that may run at a time: each weighs some 70 MB."""


class TargetError(Exception):
    """A target of the settings cannot be used. The message says which, and holds nothing of its address."""


class Told(Struct, frozen=True):
    """What a messenger answers."""

    error: str | None = None
    wrong: tuple[str, ...] = ()


class Courier:
    """Sends messages, a few at a time. Addresses are secrets: they go by a pipe, and are in no error."""

    def __init__(self, *, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._room = asyncio.Semaphore(AT_ONCE)

    async def send(self, url: str, message: Message) -> str | None:
        """Why it was not delivered; None when it was."""
        task = {"seconds": self._deadline_s, "url": url, "message": message}
        async with self._room:
            return await self._run(msgspec.json.encode(task))

    async def _run(self, task: bytes) -> str | None:
        try:
            # A session of its own: Ctrl-C is for the server, which lets it finish.
            process = await asyncio.create_subprocess_exec(
                *_COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, start_new_session=True, env=_environment())
        except OSError as error:
            return f"no messenger could be started ({error.strerror})"
        try:
            async with asyncio.timeout(self._deadline_s + STARTING_S):
                out, _ = await process.communicate(task)
        except TimeoutError:
            return "no answer in time"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        told = _told(out)
        return f"the messenger ended with status {process.returncode}" if told is None else told.error


def check(targets: Mapping[str, str]) -> None:
    """Raises TargetError for targets whose address is none that messages can be sent to."""
    if not targets:
        return
    task = msgspec.json.encode({"seconds": CHECK_S, "check": targets})
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            _COMMAND, input=task, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=CHECK_S, check=False,
            env=_environment())
    except (OSError, subprocess.TimeoutExpired):
        done = None
    told = _told(done.stdout) if done else None
    if told is None:
        raise TargetError("alerts cannot be delivered: apprise cannot be loaded; install crossfade[server]")
    if told.wrong:
        raise TargetError(f"the alert target {told.wrong[0]!r} has no address that apprise can use: see its list of "
                          "services for the form of one")


_COMMAND = (sys.executable, "-P", "-m", "crossfade.messenger")


def _environment() -> dict[str, str]:
    """Without the server's own settings, which hold the other targets' addresses."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CROSSFADE_")}


def _told(out: bytes) -> Told | None:
    try:
        return msgspec.json.decode(out, type=Told)
    except msgspec.MsgspecError:
        return None
