"""Observations: what a call did, classified once."""

import asyncio
import socket

import msgspec
import pytest

from crossfade.core.check import Failure
from crossfade.core.clock import SECOND
from crossfade.core.observation import KEPT_FAILURES, ErrorKind, Served, answered, failed, kind_of, served
from crossfade.core.payloads import BusinessMetrics, HistoryPoint
from crossfade.core.reading import Origin, Provenance, Reason

NOW = 1_790_000_000_000_000
GOOD = BusinessMetrics(3, 100, 7, 2, 0, 99.5)


def wrapped(error: Exception) -> Exception:
    """An error as a client's library gives it."""
    outer = RuntimeError("request failed")
    outer.__cause__ = error
    return outer


def endless() -> Exception:
    error = RuntimeError("one")
    error.__cause__ = ValueError("two")
    error.__cause__.__cause__ = error
    return error


def test_an_answer_is_checked_and_counted() -> None:
    seen = answered("businessMetrics", Origin.REAL, GOOD, NOW - 5, at=NOW, latency_us=1_500, now=NOW)
    assert (seen.component, seen.source, seen.at, seen.latency_us) == ("businessMetrics", Origin.REAL, NOW, 1_500)
    assert (seen.as_of, seen.error_kind, seen.error) == (NOW - 5, None, None)
    assert (seen.expected, seen.present, seen.valid, seen.invalid, seen.failures) == (6, 6, 6, 0, ())


def test_only_the_first_failures_are_kept_but_all_are_counted() -> None:
    rows = tuple(HistoryPoint(f"2026-09-{day:02}", -1, -1, -1, -1) for day in range(1, 4))
    seen = answered("historicalData", Origin.REAL, rows, NOW, at=NOW, latency_us=1, now=NOW)
    assert (seen.expected, seen.present, seen.valid, seen.invalid) == (12, 12, 0, 12)
    assert len(seen.failures) == KEPT_FAILURES


@pytest.mark.parametrize(("as_of", "kept"), [(NOW, NOW), (NOW + 60 * SECOND, NOW + 60 * SECOND), (-1, None),
                                             (2**70, None), ("now", None)])
def test_data_from_the_future_is_invalid_and_remembered(as_of: int, kept: int | None) -> None:
    seen = answered("businessMetrics", Origin.REAL, GOOD, as_of, at=NOW, latency_us=1, now=NOW)
    assert seen.as_of == kept
    assert seen.valid == (6 if as_of == NOW else 0)
    assert (seen.failures == ()) is (as_of == NOW)


def test_the_payload_before_is_looked_at() -> None:
    seen = answered("businessMetrics", Origin.REAL, GOOD, NOW, at=NOW, latency_us=-5, now=NOW, previous=GOOD)
    assert seen.valid == 6
    assert seen.latency_us == 0


def test_a_failure_is_told_in_a_line() -> None:
    seen = failed("businessMetrics", Origin.REAL, ErrorKind.UNFIT, "no\nvalue" * 100, at=NOW, latency_us=9)
    assert seen.error_kind is ErrorKind.UNFIT
    assert seen.error is not None
    assert len(seen.error) == 200
    assert seen.error.startswith("no valueno value")
    assert (seen.expected, seen.present, seen.valid, seen.as_of) == (0, 0, 0, None)


@pytest.mark.parametrize(("error", "kind"), [
    (TimeoutError(), ErrorKind.TIMEOUT),
    (wrapped(TimeoutError()), ErrorKind.TIMEOUT),
    (wrapped(wrapped(socket.gaierror())), ErrorKind.UNREACHABLE),
    (ConnectionRefusedError(), ErrorKind.UNREACHABLE),
    (FileNotFoundError(), ErrorKind.UNREACHABLE),
    (TypeError(), ErrorKind.UNFIT),
    (ValueError(), ErrorKind.UNFIT),
    (msgspec.ValidationError(), ErrorKind.UNFIT),
    (RuntimeError(), ErrorKind.FAILED),
    (asyncio.CancelledError(), ErrorKind.FAILED),
    (MemoryError(), ErrorKind.FAILED),
    (endless(), ErrorKind.FAILED),
])
def test_kinds_of_errors(error: BaseException, kind: ErrorKind) -> None:
    assert kind_of(error) is kind


@pytest.mark.parametrize(("source", "reason", "synthetic", "undeclared"), [
    (Origin.REAL, Reason.FLAG, False, False),
    (Origin.REAL, Reason.STALE, False, False),
    (Origin.MOCK, Reason.FLAG, True, False),
    (Origin.MOCK, Reason.RAMP, True, False),
    (Origin.MOCK, Reason.FALLBACK, True, True),
    (Origin.UNAVAILABLE, Reason.FAILED, False, False),
])
def test_a_made_up_value_is_declared_only_by_the_flag(source: Origin, reason: Reason, synthetic: bool,
                                                      undeclared: bool) -> None:
    given = served("c", Provenance(source, synthetic, None, NOW, reason), NOW)
    assert given == Served("c", NOW, source, reason, synthetic)
    assert given.undeclared is undeclared


def test_an_observation_goes_over_the_wire_in_camel_case() -> None:
    seen = answered("c", Origin.REAL, BusinessMetrics(-1, 0, 0, 0, 0, 0.0), NOW, at=NOW, latency_us=1, now=NOW)
    assert seen.failures == (Failure("activeUsers", "-1", "below 0 users"),)
    data = msgspec.json.encode(seen)
    assert b'"latencyUs":1' in data
    assert msgspec.json.decode(data, type=type(seen)) == seen
