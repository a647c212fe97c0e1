"""How long a session lasts, whatever its use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import DAY, HOUR, MINUTE
from crossfade.core.role import Role
from crossfade.core.session import IDLE, LONGEST, RENEWAL, Session, alive, due, expiry

NOW = 1_790_000_000_000_000


def session(made_at: int = NOW, seen_at: int = NOW) -> Session:
    return Session("ann", Role.VIEWER, made_at, seen_at, expiry(made_at, seen_at))


@pytest.mark.parametrize(("made", "seen", "ends"), [
    (0, 0, 12 * HOUR),
    (0, 5 * HOUR, 17 * HOUR),
    (0, 7 * DAY - 12 * HOUR, 7 * DAY),
    (0, 7 * DAY - 1, 7 * DAY),
])
def test_when_it_ends(made: int, seen: int, ends: int) -> None:
    one = session(NOW + made, NOW + seen)
    assert one.expires_at == NOW + ends
    assert alive(one, NOW + ends - 1)
    assert not alive(one, NOW + ends)


def test_a_clock_that_was_set_back_far_ends_it() -> None:
    assert alive(session(), NOW - MINUTE)
    assert not alive(session(), NOW - DAY)


def test_its_use_is_noted_now_and_then() -> None:
    assert not due(session(), NOW + RENEWAL - 1)
    assert due(session(), NOW + RENEWAL)


@given(st.lists(st.integers(0, 2 * DAY), max_size=30))
def test_no_use_makes_it_last_longer_than_it_may(pauses: list[int]) -> None:
    one, now = session(), NOW
    for pause in pauses:
        now += pause
        if not alive(one, now):
            assert pause >= IDLE - RENEWAL or now >= NOW + LONGEST
            break
        if due(one, now):
            one = session(NOW, now)
    assert one.expires_at <= NOW + LONGEST
    assert one.expires_at <= one.seen_at + IDLE
