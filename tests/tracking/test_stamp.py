"""Message ids and timestamps."""

import re
import uuid
from datetime import datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.clock import SECOND, micros
from crossfade.tracking.stamp import Stamp, new_id

moments = st.integers(0, 4_000_000_000 * SECOND)


@given(st.lists(moments, min_size=1, max_size=20))
def test_each_moment_is_told_to_the_microsecond_by_both(times):
    stamp = Stamp()
    for now in times:
        name, text = stamp.make(now)
        made = uuid.UUID(name)
        assert str(made) == name
        assert (made.version, made.variant) == (7, uuid.RFC_4122)
        assert made.int >> 80 == now // 1000
        assert micros(datetime.fromisoformat(text)) == now
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)


def test_ids_of_one_moment_differ_and_are_in_order():
    stamp = Stamp()
    made = [stamp.make(1_000_000)[0] for _ in range(10_000)]
    assert len(set(made)) == len(made)
    falls = sum(later < earlier for earlier, later in pairwise(made))
    assert falls <= 1  # the counter starts at random and may turn over once


def test_two_stamps_never_agree():
    assert not {Stamp().make(7)[0] for _ in range(500)} & {Stamp().make(7)[0] for _ in range(500)}
    assert new_id(1_000_000) < new_id(2_000_000)
