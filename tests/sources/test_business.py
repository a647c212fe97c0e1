"""businessMetrics: counted from stored events, and the mock."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND, iso
from crossfade.core.days import Days
from crossfade.core.payloads import BusinessMetrics
from crossfade.sources.business import MockBusiness, RealBusiness, success_rate
from crossfade.sources.component import SourceError
from crossfade.state import State
from crossfade.state.scans import ScanEvent
from crossfade.store.embedded import EmbeddedStore

NOW = 1_790_000_030 * SECOND + 7


@pytest.fixture
def parts(tmp_path):
    store, state = EmbeddedStore(tmp_path / "e", Days()), State.open(tmp_path / "s")
    yield store, state, tmp_path
    store.close()
    state.close()


def load(store, folder, *events):
    """Events as (age in microseconds, name, user)."""
    number = store.last_segment() + 1
    path = folder / f"{number}.tsv"
    path.write_text("".join(
        f"1\t{NOW}\t0\t{iso(NOW - age)}\t{number}/{place}\t{name}\t{user}\t\t\t{{}}\t\t\n"
        for place, (age, name, user) in enumerate(events)))
    store.load(number, path)


def fetch(store, state, as_of=lambda now: now):
    return asyncio.run(RealBusiness(store, state, as_of, DAY).fetch(NOW))


def test_nothing_has_happened(parts):
    store, state, _ = parts
    assert fetch(store, state).payload == BusinessMetrics(0, 0, 0, 0, 0, 100.0)


def test_what_happened_is_counted_within_its_window_to_the_microsecond(parts):
    store, state, folder = parts
    load(store, folder,
         (DAY, "file_processed", ""), (DAY + 1, "file_processed", ""), (1, "file_processed", ""),
         (0, "file_processed", ""), (-1, "file_processed", ""),
         (5, "duplicate_detected", ""), (DAY - 1, "cleanup_executed", ""), (HOUR, "cleanup_executed", ""),
         (HOUR, "auth_success", "ann"), (HOUR + 1, "auth_success", "old"), (1, "auth_success", "ann"),
         (2, "auth_success", "bob"), (3, "auth_success", ""), (4, "auth_attempt", "eve"),
         *((place, "auth_attempt", "ann") for place in range(9, 18)))
    assert fetch(store, state).payload == BusinessMetrics(
        active_users=2, files_processed=2, duplicates_detected=1, cleanup_actions_executed=2, background_scans=0,
        auth_success_rate=50.0,
    )


def test_scans_run_until_they_end_or_are_too_old(parts):
    store, state, _ = parts
    state.record_scans([
        ScanEvent("running", NOW - DAY, "started"), ScanEvent("forgotten", NOW - DAY - 1, "started"),
        ScanEvent("ended", NOW - HOUR, "started"), ScanEvent("ended", NOW - MINUTE, "ended", "completed"),
    ], follower="test", segment=1)
    assert fetch(store, state).payload.background_scans == 1


def test_it_is_as_old_as_what_is_loaded(parts):
    store, state, _ = parts
    assert fetch(store, state, lambda now: now - 42).as_of == NOW - 42
    with pytest.raises(SourceError, match="still being loaded"):
        fetch(store, state, lambda _: None)


@given(attempts=st.integers(0, 10**9), successes=st.integers(0, 10**9))
def test_a_rate_is_a_percentage(attempts, successes):
    rate = success_rate(attempts, successes)
    assert 0 <= rate <= 100
    if 0 < successes <= attempts:
        assert rate == pytest.approx(100 * successes / attempts)
    if attempts == 0:
        assert rate == 100


@given(seed=st.integers(), now=st.integers(0, 4 * 10**15))
def test_the_mock_is_the_same_for_a_minute_and_passes_for_a_payload(seed, now):
    def figures(moment):
        return asyncio.run(MockBusiness(seed).fetch(moment))

    start = now // MINUTE * MINUTE
    assert figures(now).payload == figures(start).payload == figures(start + MINUTE - 1).payload
    assert figures(now).as_of == now
    payload = figures(now).payload
    assert 0 <= payload.auth_success_rate <= 100
    assert min(payload.active_users, payload.files_processed, payload.background_scans) >= 0
