"""What one call of a source did, and what a viewer was given: frozen, and classified once."""

from enum import StrEnum

from msgspec import Struct

from .check import Failure, examine, wrong_time
from .payloads import Payload
from .reading import Origin, Provenance, Reason
from .value import clip

KEPT_FAILURES = 5
"""Failures of one call that are kept as examples; all are counted."""
LONGEST_ERROR = 200
_CAUSES = 16


class ErrorKind(StrEnum):
    """How a source failed."""

    TIMEOUT = "timeout"
    """No answer in time."""
    UNREACHABLE = "unreachable"
    """A file, a connection or a name did not work."""
    UNFIT = "unfit"
    """It gave something that no reading can be made of."""
    FUTURE = "future"
    """Its data's time has not come yet: a clock is wrong."""
    LEAK = "leak"
    """The real source gave a value that the mock made up."""
    FAILED = "failed"
    """Anything else; also what a source says itself of why it cannot answer."""


class Observation(Struct, frozen=True, rename="camel"):
    """One call of a source. Made by ``answered`` or ``failed``."""

    component: str
    source: Origin
    at: int
    """When it was called, in microseconds since the epoch."""
    latency_us: int
    as_of: int | None = None
    """The time of the data; None without an answer, or if it is no time."""
    error_kind: ErrorKind | None = None
    error: str | None = None
    expected: int = 0
    """Values that there should be in the answer, and how many of them are there and pass every check."""
    present: int = 0
    valid: int = 0
    invalid: int = 0
    """Failures found in it, of which the first few follow."""
    failures: tuple[Failure, ...] = ()


class Served(Struct, frozen=True, rename="camel"):
    """Readings of a component that viewers were given, all of one kind."""

    component: str
    at: int
    source: Origin
    reason: Reason
    synthetic: bool = False
    count: int = 1

    @property
    def undeclared(self) -> bool:
        """Whether made-up values stood in where the flags ask for the real source, or the legacy one."""
        return self.synthetic and self.reason not in {Reason.FLAG, Reason.RAMP}


def answered(component: str, source: Origin, payload: Payload, as_of: int, *, at: int, latency_us: int, now: int,
             previous: Payload | None = None) -> Observation:
    """A call that gave a payload, checked by its model. ``now`` is when the answer came. Never raises."""
    found = examine(payload, as_of, now, previous)
    return Observation(
        component, source, at, max(0, latency_us), None if wrong_time(as_of, as_of) else as_of, None, None,
        found.expected, found.present, found.valid, len(found.failures), found.failures[:KEPT_FAILURES],
    )


def failed(component: str, source: Origin, kind: ErrorKind, told: str, *, at: int, latency_us: int) -> Observation:
    """A call that gave none, and what the viewer is told of that."""
    return Observation(component, source, at, max(0, latency_us), error_kind=kind, error=clip(told, LONGEST_ERROR))


def served(component: str, provenance: Provenance, at: int) -> Served:
    """What a viewer was given, by the reading's provenance."""
    return Served(component, at, provenance.source, provenance.reason, provenance.synthetic)


def kind_of(error: BaseException) -> ErrorKind:
    """By the error, or by what it comes from: a client's own error often wraps that of the system.

    ==================== ===========
    one of its causes is it is
    ==================== ===========
    TimeoutError         timeout
    any other OSError    unreachable
    ==================== ===========

    Else TypeError and ValueError are unfit, and the rest has failed.
    """
    causes = _causes(error)
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return ErrorKind.TIMEOUT
    if any(isinstance(cause, OSError) for cause in causes):
        return ErrorKind.UNREACHABLE
    return ErrorKind.UNFIT if isinstance(error, TypeError | ValueError) else ErrorKind.FAILED


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it was raised from; a chain may be long, or bite its tail."""
    causes = [error]
    while len(causes) < _CAUSES:
        cause = causes[-1].__cause__ or causes[-1].__context__
        if cause is None:
            break
        causes.append(cause)
    return causes
