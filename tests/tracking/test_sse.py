"""Server-sent events, cut out of bytes that come in any pieces, from anybody."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.tracking.sse import Events, Garbled

STREAM = (b": alive\n\nid: 5\nevent: flags\ndata: one\n\nevent: other\ndata: x\n\nevent:flags\r\ndata:two\r\n"
          b"data: lines\r\nretry: 5\r\nnonsense\r\n\r\n\n\n\ndata: nameless\n\nevent: flags\n\nevent: flags\ndata\n\n")
FOUND = [None, b"one", None, b"two\nlines", None, b""]


@given(st.lists(st.integers(0, len(STREAM))))
def test_wherever_it_is_cut_the_same_is_found(cuts: list[int]) -> None:
    events = Events(b"flags", 1_000)
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(places)]
    assert [found for piece in pieces for found in events.feed(piece)] == FOUND


@pytest.mark.parametrize("endless", [b"x", b"data: " + b"x" * 90 + b"\n", b"id: 1\n", b"event: " + b"y" * 30 + b"\n"])
def test_what_never_ends_is_refused(endless: bytes) -> None:
    events = Events(b"flags", 1_000)

    def feed() -> None:
        for _ in range(2_000):
            list(events.feed(endless))

    with pytest.raises(Garbled, match="more than 1,000 bytes"):
        feed()


def test_signs_of_life_may_go_on_for_ever() -> None:
    events = Events(b"flags", 100)
    assert list(events.feed(b": alive\n\n" * 1_000 + b":x\n" * 1_000)) == [None] * 2_000


@given(st.lists(st.binary()))
def test_any_bytes_are_events_or_an_error(pieces: list[bytes]) -> None:
    events = Events(b"flags", 100)
    with suppress(Garbled):
        for piece in pieces:
            for found in events.feed(piece):
                assert found is None or len(found) <= 100
