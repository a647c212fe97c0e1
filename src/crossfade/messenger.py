"""Sends one message through apprise, in a process of its own: ``python -m crossfade.messenger``.

A question comes in as JSON, and its answer goes out as JSON. apprise and what it needs weigh 45 MB and take a third of
a second to load: in here that stops no answer of the server, and a channel that hangs ends with the process. What goes
wrong is told in words of this file, so that nothing of an address, which is a secret, can be in them.
"""

import logging
import os
import re
import signal
import sys
from collections.abc import Iterable

import msgspec
from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
from msgspec import Struct

from crossfade.core.notice import Message

UNKNOWN = "not delivered; the target did not say why"
LATE = "no answer in time"

WORDS = (
    (r"Connection refused", "the connection was refused"),
    (r"Name or service not known|name resolution|No address associated|NameResolutionError|getaddrinfo",
     "the name of its host is not known"),
    (r"No route to host|Network is unreachable", "its host cannot be reached"),
    (r"CERTIFICATE_VERIFY_FAILED|certificate verify failed", "its certificate is not trusted"),
    (r"SSLError|SSL: |WRONG_VERSION_NUMBER", "no encrypted connection could be made"),
    (r"timed out|Timeout", LATE),
    (r"\((?:530|534|535), b|error=40[13]\b", "it refused the sign-in"),
    (r"error=([1-5]\d\d)\b", "it answered with status {}"),
    (r"\(([45]\d\d), b['\"]", "it answered with code {}"),
    (r"There are no .*(?:recipient|target)", "its address names nobody to send to"),
    (r"Connection reset|RemoteDisconnected|Connection aborted|Connection unexpectedly closed|Server not connected",
     "it closed the connection"),
)
EXCEPTION = re.compile(r"[\w -]*Exception: ")


class Task(Struct, frozen=True):
    """A message to send to an address, or addresses to check."""

    seconds: float
    """How long it may take."""
    url: str = ""
    message: Message | None = None
    check: dict[str, str] = {}


class Outcome(Struct, frozen=True):
    """What came of it: an error where the message was not delivered; the names of the addresses that mean nothing."""

    error: str | None = None
    wrong: tuple[str, ...] = ()


def main() -> None:
    """Does the task on standard input; the outcome goes to standard output."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    signal.alarm(int(task.seconds) + 5)  # whoever asked may be gone by then
    answer = os.dup(1)
    os.dup2(2, 1)  # what a channel prints is no answer
    own = logging.getLogger("apprise")
    own.setLevel(logging.DEBUG)  # only there it says why
    own.addHandler(logging.NullHandler())
    own.propagate = False
    outcome = send(task.url, task.message, task.seconds) if task.message else Outcome(wrong=wrong(task.check))
    os.write(answer, msgspec.json.encode(outcome))
    os._exit(0)  # a thread that still waits for a channel is not waited for


def send(url: str, message: Message, seconds: float) -> Outcome:
    """Sends the message. Never fails: what went wrong is in the outcome."""
    channel = Apprise.instantiate(url, asset=_asset(seconds))
    if channel is None:
        return Outcome("apprise cannot use its address")
    result = Apprise(channel).notify(
        message.body, title=message.title, notify_type=NotifyType(message.tone), body_format=NotifyFormat.TEXT,
        timeout=seconds, log_level=logging.DEBUG)
    if result:
        return Outcome()
    # What is logged in detail holds the message too, which may speak of errors of its own.
    return Outcome(explain(entry.message for entry in result.logs()
                           if entry.level != "DEBUG" or EXCEPTION.match(entry.message)))


def wrong(targets: dict[str, str]) -> tuple[str, ...]:
    """The names of those whose address is none of apprise's."""
    asset = _asset(1)
    return tuple(name for name, url in targets.items() if Apprise.instantiate(url, asset=asset) is None)


def explain(lines: Iterable[str]) -> str:
    """Why a message was not delivered, in words that can hold nothing of what the lines say but a number."""
    text = "\n".join(lines)
    for pattern, words in WORDS:
        if found := re.search(pattern, text):
            return words.format(*found.groups())
    return LATE if "did not finish within" in text else UNKNOWN


def _asset(seconds: float) -> AppriseAsset:
    # Nothing is kept on disk, no address is followed elsewhere, no picture is fetched from anywhere.
    return AppriseAsset(
        app_id="Crossfade", app_desc="Crossfade", app_url="", image_url_mask="", image_url_logo="", async_mode=False,
        storage_mode="memory", service_timeout=seconds, http_redirects=False, allow_templates=False,
        pgp_autogen=False, pem_autogen=False)


if __name__ == "__main__":
    main()
