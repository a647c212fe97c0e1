"""One call of a source: timed, bounded, and classified once. Whatever a source does, an Outcome comes of it."""

import asyncio
import math
import time

import msgspec
from msgspec import Struct

from crossfade.core import canary
from crossfade.core.clock import SECOND, Clock
from crossfade.core.observation import ErrorKind, kind_of
from crossfade.core.parts import parts
from crossfade.core.payloads import Payload
from crossfade.core.reading import Origin
from crossfade.core.value import clip

from .component import Component, Sample, Source, SourceError

MOST_BYTES = 4_000_000
"""Of a payload as JSON."""
LONGEST_TOLD = 2_000
"""Characters of what a source says of its failure."""
GRACE_S = 0.01
"""Seconds in which a source that is cancelled should end."""
_PLAIN = frozenset({str, bool, type(None)})
_LARGEST = 2**1023
"""No float holds an integer twice as large, so that a browser would show it as infinite."""

Fetching = asyncio.Task[Sample | BaseException]


class Outcome(Struct, frozen=True):
    """What one call of a source did: gave a sample, or failed."""

    at: int
    sample: Sample | None
    error: str | None
    kind: ErrorKind | None = None
    micros: int = 0
    """How long it took."""


class _Unfit(Exception):  # noqa: N818  it says what is wrong
    """What a source gave cannot be shown."""

    def __init__(self, kind: ErrorKind, told: str) -> None:
        super().__init__(told)
        self.kind = kind


async def call(source: Source, component: Component, origin: Origin, clock: Clock,
               mock: Payload | None = None, *, abandoned: set[Fetching]) -> Outcome:
    """Asks the source once. Raises CancelledError when the caller is cancelled, and nothing else.

    ``mock``: what the mock gave last, which no other source may give. ``abandoned``: calls of this source that hang
    although they were cancelled; while there is one, there is no other.
    """
    now, began = clock.now(), time.perf_counter()
    sample, kind, error = None, None, None
    try:
        sample = await _fetch(source, now, component.timeout, abandoned)
        _check(sample, component, clock.now())
        if origin is not Origin.MOCK:
            _check_leak(sample.payload, origin, mock)
    except KeyboardInterrupt:
        raise  # somebody's Ctrl-C
    except BaseException as raised:
        if being_cancelled():
            raise
        sample, error = None, _told(raised, component.timeout)
        kind = raised.kind if isinstance(raised, _Unfit) else kind_of(raised)
    return Outcome(now, sample, error, kind, round((time.perf_counter() - began) * SECOND))


async def _fetch(source: Source, now: int, most_s: float, abandoned: set[Fetching]) -> Sample:
    """What the source gives, or raises. Who is cancelled may take no notice: nobody waits for that."""
    if abandoned:
        raise SourceError("the last call of the source has not come back yet")
    fetching = asyncio.create_task(_attempt(source, now))
    try:
        done, _ = await asyncio.wait({fetching}, timeout=most_s)
        if not done:
            fetching.cancel()
            await asyncio.wait({fetching}, timeout=GRACE_S)
            raise TimeoutError
    finally:
        if not fetching.done():
            fetching.cancel()
            abandoned.add(fetching)
            fetching.add_done_callback(abandoned.discard)
    given = fetching.result()
    if isinstance(given, BaseException):
        raise given
    return given


async def _attempt(source: Source, now: int) -> Sample | BaseException:
    """What the source gives, or what it raises: a task that raises SystemExit would end the whole server."""
    try:
        return await source.fetch(now)
    except KeyboardInterrupt:
        raise
    except BaseException as raised:  # noqa: BLE001 - whatever a source raises, its caller gets
        return raised


def being_cancelled() -> bool:
    """Whether the running task is to end: a source may as well raise CancelledError by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _told(raised: BaseException, timeout: float) -> str:
    """What the dashboard says of a source's failure."""
    if isinstance(raised, TimeoutError):
        return f"no answer within {timeout:g} s"
    try:
        told = clip(str(raised), LONGEST_TOLD)
    except Exception:  # noqa: BLE001 - not even its words are to be trusted
        told = ""
    return told or type(raised).__name__


def _check_leak(payload: Payload, origin: Origin, mock: Payload | None) -> None:
    if mock is not None and canary.is_copy(payload, mock):
        raise _Unfit(ErrorKind.LEAK, f"the {origin} source gave what the mock gave, figure for figure")
    if (name := next(canary.marked(payload), None)) is not None:
        raise _Unfit(ErrorKind.LEAK, f"the {origin} source gave a value that the mock made up: {name}")


def _check(sample: object, component: Component, now: int) -> None:
    """Raises _Unfit for what no source should give."""
    if not isinstance(sample, Sample):
        raise _Unfit(ErrorKind.UNFIT, f"the source gave {type(sample).__name__}, not a sample")
    payload = sample.payload
    if not _is_payload(payload, component.model):
        raise _Unfit(ErrorKind.UNFIT, f"the source gave {type(payload).__name__}, not a payload")
    if type(sample.as_of) is not int or sample.as_of < 0:
        raise _Unfit(ErrorKind.UNFIT, "the source does not say of what time its data is")
    if sample.as_of > now + SECOND:
        raise _Unfit(ErrorKind.FUTURE, "the data's time lies in the future")
    try:
        size = len(msgspec.json.encode(payload))
    except (TypeError, ValueError, RecursionError) as error:
        raise _Unfit(ErrorKind.UNFIT, f"the source gave what cannot be shown: {error}") from None
    if size > MOST_BYTES:
        raise _Unfit(ErrorKind.UNFIT, f"the source gave {size:,} bytes; {MOST_BYTES:,} can be shown")
    if not _finite(payload):
        raise _Unfit(ErrorKind.UNFIT, "the source gave a number that is not finite")


def _is_payload(payload: object, model: type[Struct] | None) -> bool:
    wanted = model or Struct
    if isinstance(payload, tuple):
        return all(isinstance(part, wanted) for part in payload)
    return isinstance(payload, wanted)


def _finite(value: object) -> bool:
    """Whether every number in it is one: JSON would show NaN as unknown, which it is not, and a page cannot write
    what no float holds.
    """
    match value:
        case float():
            return math.isfinite(value)
        case int():
            return -_LARGEST < value < _LARGEST
    return all(-_LARGEST < part < _LARGEST if type(part) is int else _finite(part)
               for part in parts(value) if type(part) not in _PLAIN)
