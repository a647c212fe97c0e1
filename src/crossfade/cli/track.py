"""``crossfade track``: events from a shell, or from lines that another program writes."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import typer
from rich.console import Console

from crossfade.cli.client import Client
from crossfade.cli.errors import CommandError
from crossfade.core.clock import read_iso
from crossfade.settings import default_data
from crossfade.tracking import FlushResult, SpoolFull, Tracker

WAIT = 30.0
"""Seconds for which the end waits for the last delivery."""


class _Line(msgspec.Struct, rename="camel"):
    """What a line of ``--stdin`` may say; anything else in it is passed over."""

    event: str
    user_id: str | None = None
    session_id: str | None = None
    message_id: str | None = None
    timestamp: str | None = None
    properties: dict[str, object] | None = None


def track(event: str | None, *, user: str | None, properties: Sequence[str], stdin: bool, url: str | None,
          data: Path | None, as_json: bool) -> None:
    """Raises CommandError when an event could not be delivered, or a line is none."""
    client = Client(url, data)
    bad = 0
    with client.tracker(spool_folder(data)) as tracker:
        try:
            if event is not None:
                tracker.track(event, user, dict(map(_property, properties)))
            if stdin:
                bad = _track_lines(tracker, sys.stdin.buffer)
        except SpoolFull as error:
            raise CommandError(str(error)) from None
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        result = tracker.shutdown(WAIT)
        stats = tracker.stats()
    if as_json:
        Console().print_json(msgspec.json.encode(stats).decode())
    _judge(result, dict(stats.rejected), bad)


def spool_folder(data: Path | None) -> Path:
    """Where events wait that could not be delivered: the next ``crossfade track`` takes them along."""
    return (data or default_data()) / "spool"


def _track_lines(tracker: Tracker, lines: Iterable[bytes]) -> int:
    """Tracks each line as it comes; says which are no events, and gives how many those are."""
    bad = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            told = msgspec.json.decode(line, type=_Line)
            tracker.track(told.event, told.user_id, told.properties, session_id=told.session_id,
                          message_id=told.message_id, timestamp=_moment(told.timestamp))
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
            bad += 1
            print(f"line {number}: {error}", file=sys.stderr)
    return bad


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = read_iso(text)
    if moment is None:
        raise ValueError(f"timestamp is not ISO 8601: {text[:40]!r}")
    return moment


def _property(text: str) -> tuple[str, object]:
    """``size=12`` is a number, ``name=a`` text. Raises ValueError for what is neither."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{text!r} is not NAME=VALUE")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.MsgspecError:
        return name, value


def _judge(result: FlushResult, rejected: dict[str, int], bad: int) -> None:
    if not result.done:
        raise CommandError(f"{result.waiting:,} events wait in the spool, and go with the next `crossfade track`: "
                           f"{result.trouble or 'there was no time to deliver them'}")
    if rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(rejected.items()))
        raise CommandError(f"the server refused {reasons}; they lie in the spool's rejected.jsonl")
    if bad:
        raise CommandError(f"{bad:,} lines were no events; the others were tracked")
