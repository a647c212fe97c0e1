"""The journal's line."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from crossfade.core import line
from crossfade.core.clock import EPOCH, iso, micros
from crossfade.core.event import MAX_DEPTH, Context, Event, Limits

NOW = micros(datetime(2026, 11, 22, 12, tzinfo=UTC))
LIMITS = Limits()
HEAD = line.Head(1, NOW, 0)


def one(event: Event, head: line.Head = HEAD, limits: Limits = LIMITS) -> line.Line:
    """The event, written and read back."""
    block = line.encode((event,), head, limits)
    assert block.endswith(b"\n")
    return line.decode(block.decode()[:-1])


def test_a_line_is_the_columns_in_their_order() -> None:
    event = Event("e", "m", EPOCH + timedelta(microseconds=NOW - 3), user_id="u", anonymous_id="a", session_id="s",
                  properties=Raw(b'{"x": "\xc3\xa9"}'))
    text = line.encode((event,), line.Head(7, NOW, -2), LIMITS).decode()
    expected = f'7\t{NOW}\t-2\t{iso(NOW - 3)}\tm\te\tu\ta\ts\t{{"x": "é"}}\t\t\n'
    assert text == expected
    assert len(text.split("\t")) == len(line.COLUMNS)


def test_what_is_absent_is_an_empty_column() -> None:
    block = line.encode((Event("e", "m"), Event("f", "n", context=Context("c"))), HEAD, LIMITS)
    assert block.decode() == f"1\t{NOW}\t0\t\tm\te\t\t\t\t{{}}\t\t\n1\t{NOW}\t0\t\tn\tf\t\t\tc\t{{}}\t\t\n"


def test_an_event_without_a_time_happened_when_it_was_received() -> None:
    assert one(Event("e", "m"), line.Head(1, NOW, 10**9)).ts == NOW


ids = st.text(st.characters(exclude_categories=("Cs",), min_codepoint=0x20), max_size=20)
names = ids.filter(lambda name: name and not name.isspace())
moments = st.integers(NOW - LIMITS.max_age, NOW + LIMITS.max_lead)
plain_values = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
objects = st.dictionaries(st.text(max_size=5), plain_values | st.lists(plain_values, max_size=3), max_size=4)
events = st.builds(
    Event, event=names, message_id=names, user_id=ids | st.none(), anonymous_id=ids | st.none(),
    session_id=ids | st.none(), properties=objects.map(json.dumps).map(str.encode).map(Raw),
    timestamp=st.none() | moments.map(lambda moment: EPOCH + timedelta(microseconds=moment)),
)


@given(events, st.integers(0, 65_535))
def test_what_is_written_is_read_back(event: Event, source: int) -> None:
    found = one(event, line.Head(source, NOW))
    assert (found.source, found.received, found.message_id, found.event, found.user_id, found.properties) == (
        source, NOW, event.message_id, event.event, event.user_id or "", bytes(event.properties).decode())
    assert found.ts == (NOW if event.timestamp is None else micros(event.timestamp))


@given(st.lists(events, max_size=5))
def test_a_block_has_one_line_an_event(several: list[Event]) -> None:
    block = line.encode(several, HEAD, LIMITS)
    assert block == b"".join(line.encode((event,), HEAD, LIMITS) for event in several)
    assert block.count(b"\n") == len(several)
    assert [line.decode(text).message_id for text in block.decode().split("\n")[:-1]] == [
        event.message_id for event in several]


@given(st.datetimes(timezones=st.sampled_from((UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))))),
       st.integers(-LIMITS.max_lead, LIMITS.max_age))
def test_a_moment_of_any_year_survives_to_the_microsecond(moment: datetime, age: int) -> None:
    """A sender's clock may be wrong by centuries: its offset puts that right."""
    raw = (moment - EPOCH) // timedelta(microseconds=1)
    head = line.Head(1, NOW, NOW - age - raw)
    text = line.encode((Event("e", "m", moment),), head, LIMITS).decode()
    assert line.moment_of(text.split("\t")[3]) == raw
    assert line.decode(text[:-1]).ts == NOW - age


UNFIT = [
    Event(" ", "m"), Event("\u2003\u3000", "m"), Event("e\t", "m"), Event("e", "m\n"), Event("e", "m", user_id="\x00"),
    Event("e", "m", anonymous_id="\x1f"), Event("e", "m", session_id="\r"), Event("e\ud800", "m"),
    Event("e", "m", context=Context("\n")), Event("e", "m", properties=Raw(b"null")),
    Event("e", "m", properties=Raw(b"[]")), Event("e", "m", properties=Raw(b'{"a":\n1}')),
    Event("e", "m", properties=Raw(b'{"a":\t1}')), Event("e", "m", properties=Raw(b'{"a":"\xff"}')),
    Event("e", "m", properties=Raw(b'{"a":"' + b"x" * LIMITS.max_bytes + b'"}')),
    Event("e", "m", properties=Raw(b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1))),
    Event("e", "m", EPOCH), Event("e", "m", datetime(2126, 1, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize("event", UNFIT)
def test_one_unfit_event_makes_the_block_unfit(event: Event) -> None:
    good = Event("e", "m")
    for several in ((event,), (good, event), (event, good)):
        with pytest.raises(line.Unfit):
            line.encode(several, HEAD, LIMITS)


@pytest.mark.parametrize("limit", [40, 127, 128, 129, 5000])
def test_the_size_limit_is_exact(limit: int) -> None:
    largest = Event("e", "m", properties=Raw(b'{"a":"' + b"x" * (limit - 8) + b'"}'))
    assert len(one(largest, limits=Limits(max_bytes=limit)).properties) == limit
    with pytest.raises(line.Unfit):
        line.encode((largest,), HEAD, Limits(max_bytes=limit - 1))


def test_an_import_needs_the_time() -> None:
    with pytest.raises(line.Unfit):
        line.encode((Event("e", "m"),), HEAD, LIMITS, needs_timestamp=True)


@pytest.mark.parametrize("text", ["", "a", "1\t2\t3", "x\t1\t0\t\tm\te\tu\ta\ts\t{}", "1\t1\t0\t\tm\te\tu\ta\ts\t{}\t"])
def test_what_is_no_line_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|invalid literal"):
        line.decode(text)
