"""Rehearsals: a plan run through the controller on a clock of its own. Nothing of the server's is touched."""

import asyncio
import threading
import time
from datetime import UTC, datetime

import msgspec
from litestar import Router, get, post
from litestar.params import JSONBody

from crossfade.app import App
from crossfade.controller import Measure
from crossfade.core.clock import HOUR, SECOND, iso, micros, read_iso
from crossfade.core.duration import shown
from crossfade.core.fault import FAULTS, FaultError, place
from crossfade.core.threshold import Window
from crossfade.core.timeline import Entry
from crossfade.rehearsal import Recorded, Rehearsal, Rehearsed, undisturbed
from crossfade.rehearsal.recorded import span
from crossfade.state.errors import StateError
from crossfade.state.rollouts import RolloutError

from .auth import may_change, may_read
from .context import AppDependency
from .errors import HTTPError, not_known
from .live import Json
from .rollouts import flags_json, plan_of

LONGEST_S = 40.0
"""For so long a rehearsal may take up a thread: less than the command line waits for an answer."""
MOST_FAULTS = 20
LATEST = micros(datetime(2200, 1, 1, tzinfo=UTC))
_ONE = threading.Lock()
"""One at a time."""


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be rehearsed."""

    plan: str | None = None
    """TOML; the built-in plan without."""
    against: str | None = None
    """``yesterday``, a date, ``7d`` or ``12h``: what was recorded then. A system in which nothing is wrong without."""
    faults: list[str] = []
    """``NAME``, ``NAME@PHASE`` or ``NAME@+10min``."""
    start: str | None = None
    """The moment at which it begins, in ISO 8601; now, or the beginning of the span, without."""


@post("/api/rehearsals", guards=[may_change], status_code=200)
async def rehearse(app: AppDependency, data: JSONBody[Asked | None] = None) -> dict[str, Json]:
    """Rehearses a rollout from the flags as they are, against the past or faults, and tells what would happen when."""
    asked = data or Asked()
    plan = plan_of(app, asked.plan)
    if len(asked.faults) > MOST_FAULTS:
        raise HTTPError(400, "bad_fault", f"a rehearsal has at most {MOST_FAULTS} faults")
    try:
        faults = [place(text, plan) for text in asked.faults]
        window = None if asked.against is None else Window(*span(asked.against, app.days, app.clock.now()))
        begin = beginning(asked.start, window, app.clock.now())
    except FaultError as error:
        raise HTTPError(400, "bad_fault", str(error)) from None
    except ValueError as error:
        raise HTTPError(400, "bad_request", str(error)) from None

    def run() -> dict[str, Json]:
        # The thread takes the place and frees it, not whoever asked: that one may have gone.
        if not _ONE.acquire(blocking=False):
            raise HTTPError(409, "busy", "a rehearsal is under way: wait for its end", headers={"Retry-After": "10"})
        try:
            measure = undisturbed if window is None else recorded(app, window)
            flags = app.state.refresh()
            ends_at = time.monotonic() + LONGEST_S
            rehearsal = Rehearsal(plan, measure, start=begin, faults=faults,
                                  flags={name: flags[name] for name in app.flag_names},
                                  until=None if window is None else window.until,
                                  enough=lambda: time.monotonic() > ends_at)
            return document(rehearsal.run(), measure)
        finally:
            _ONE.release()

    try:
        return await asyncio.to_thread(run)
    except RolloutError as error:
        raise HTTPError(409, "no_rollout", str(error)) from None
    except (StateError, OSError) as error:
        raise not_known("it cannot be rehearsed now", error) from None


@get("/api/rehearsals/faults", guards=[may_read])
async def faults() -> list[dict[str, Json]]:
    """The faults that a rehearsal knows, each with what it does."""
    return faults_json()


def faults_json() -> list[dict[str, Json]]:
    return [{"name": fault.name, "meaning": fault.sentence} for fault in FAULTS.values()]


def recorded(app: App, window: Window) -> Recorded:
    """What the server has recorded of the span. Raises StateError."""
    sections = {component.section: component.name for component in app.reader.components.values()}
    return Recorded(app.state, app.observer, app.monitor.thresholds, window, sections=sections,
                    samples=app.state.samples)


def beginning(text: str | None, window: Window | None, now: int) -> int:
    """When the rehearsal begins: where it is asked for, within what is recorded. Raises ValueError."""
    if text is None:
        return now if window is None else window.since
    moment = read_iso(text)
    if moment is None:
        raise ValueError(f"start is no moment in ISO 8601: {text[:40]!r}")
    begin = micros(moment)
    if not 0 <= begin <= LATEST:
        raise ValueError(f"start lies before 1970 or after 2200: {text[:40]!r}")
    if window is not None and not window.since <= begin < window.until:
        raise ValueError(f"{text[:40]} is not within what is rehearsed against: "
                         f"{iso(window.since)} to {iso(window.until)}")
    return begin


def document(found: Rehearsed, measure: Measure) -> dict[str, Json]:
    """What would have happened, with its moments in words and spans in seconds."""
    coarse = measure.coarseness if isinstance(measure, Recorded) else 0
    notes = [*found.notes]
    if coarse >= HOUR:
        notes.append(f"What is recorded of that time is kept in slots of {shown(coarse)}: figures are of whole slots.")
    return {
        "plan": found.plan, "startedAt": iso(found.started_at), "endedAt": iso(found.ended_at),
        "ended": found.ended.value, "why": found.why, "looks": found.looks,
        "timeline": [_entry(entry) for entry in found.timeline], "notes": [*notes], "wanted": [*found.wanted],
    }


def _entry(entry: Entry) -> dict[str, Json]:
    return {
        "at": iso(entry.at), "afterS": entry.after / SECOND, "untilS": entry.until / SECOND, "phase": entry.phase,
        "move": entry.move, "who": entry.who, "said": [*entry.said], "changes": flags_json(entry.changes),
        "verdicts": msgspec.to_builtins(entry.verdicts),
    }


HANDLERS = (rehearse, faults)
routes = Router(path="/", route_handlers=list(HANDLERS))
