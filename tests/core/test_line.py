"""The journal's line, and that both ways to it, the fast and the careful, say the same."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from crossfade.core import line
from crossfade.core.clock import DAY, EPOCH, SECOND, iso, micros
from crossfade.core.envelope import decode_batch
from crossfade.core.event import MAX_DEPTH, Context, Event, Limits, judge_time, parse

NOW = micros(datetime(2026, 11, 22, 12, tzinfo=UTC))
LIMITS = Limits()
SMALL = Limits(max_bytes=40, max_age=30 * DAY, max_lead=SECOND)
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


# The fast way and the careful one

texts = st.sampled_from((
    '"m"', '""', '" "', '"\u2003"', '"é😀"', '"\\u00e9"', '"a\\u0000b"', '"a\\tb"', '"\\u007f"', '"\x7f"', '"\\ud800"',
    '"\\ud83d\\ude00"', "5", "-1", "1.5", "1e999", "null", "true", "[]", "{}", '"' + "x" * 101 + '"',
    '"' + "x" * 201 + '"', '"\x01"', "NaN", '"2026-11-22T11:59:59Z"', '"2026-11-22T12:00:00.9999996Z"', '"2026-11-22"',
    '"2026-11-22 11:00:00.123456789+01:00"', '"2026-11-22t11:00:00z"', '"2026-11-22T11:00:00"', '"1926-01-01T00:00Z"',
    '"2026-11-22T12:05:00Z"', '"2026-11-22T12:05:00.0000004Z"', '"2026-11-22T12:05:00.000001Z"',
    '"2026-11-22T11:00:00,5Z"', '"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59.9999999Z"',
    '"2026-11-22T11:59:60Z"',
))
property_texts = st.sampled_from((
    "{}", '{"a":1}', '{"a": 1, "a": 2}', '{\n"a":\t1\r\n}', '{"a":"\x7f"}', '{"a":"\\u0000"}', '{"a":"\\ud800"}',
    '{"a":"x\ny"}', '{"a":NaN}', '{"a":1e999}', '{"a":' + "9" * 5000 + "}", "[]", "null", '"x"', "1",
    '{"a":' * 64 + "1" + "}" * 64, '{"a":' * 65 + "1" + "}" * 65, '{"a":"' + "[" * 100 + '"}',
    '{"a":"' + "x" * 40 + '"}', '{"a":"' + "é" * 17 + '"}', '{"a":"' + "x" * 32 + '"}', '{"a":"' + "x" * 33 + '"}',
    '{"a":[' + ",".join(["[]"] * 100) + "]}",
))
contexts = st.sampled_from(("{}", "null", "[]", '{"sessionId":"c"}', '{"sessionId":5}', '{"sessionId":null}',
                            '{"sessionId":"c\\n"}', '{"sessionId":"' + "c" * 201 + '"}', '{"traits":5}'))
fields = st.one_of(
    st.tuples(st.sampled_from(("event", "messageId", "timestamp", "userId", "anonymousId", "sessionId", "name",
                               "category", "groupId", "previousId", "traits")), texts),
    st.tuples(st.just("properties"), property_texts),
    st.tuples(st.just("context"), contexts),
    st.tuples(st.just("type"), st.sampled_from(('"track"', '"page"', "null", '""', "5"))),
)
spaces = st.sampled_from(("", " ", "\n", "\r\n\t"))


@st.composite
def calls(draw: st.DrawFn) -> str:
    """A call as some client might write it: odd values, keys that stand twice, white space where it may be."""
    members = draw(st.permutations([("event", '"e"'), ("messageId", '"m"'), *draw(st.lists(fields, max_size=4))]))
    space = draw(spaces)
    return "{" + f",{space}".join(f'{space}"{key}"{space}:{space}{value}{space}' for key, value in members) + "}"


@given(st.lists(calls(), min_size=1, max_size=3), st.sampled_from((LIMITS, SMALL)), st.sampled_from((0, 7, -DAY)),
       st.booleans())
@example(['{"event":"e","messageId":"m","name":5}'], LIMITS, 0, False)
@example(['{"event":" ","messageId":"m"}'], LIMITS, 0, False)
@example(['{"event":"e","messageId":"m","timestamp":"2026-11-22T11:59:59.9999996Z"}'], LIMITS, 0, False)
def test_what_the_fast_way_takes_the_careful_way_takes_in_the_same_words(
        several: list[str], limits: Limits, offset: int, needs_timestamp: bool) -> None:
    head = line.Head(1, NOW, offset)
    body = f'{{"batch":[{",".join(several)}]}}'.encode(errors="surrogatepass")
    decoded = decode_batch(body)
    if decoded is None:
        return
    try:
        fast = line.encode(decoded.batch, head, limits, needs_timestamp=needs_timestamp)
    except line.Unfit:
        return
    careful = []
    for text in several:
        event = parse(Raw(text.encode()), "track", limits, needs_timestamp=needs_timestamp)
        assert isinstance(event, Event), event
        assert judge_time(event, NOW, offset, limits) is None
        careful.append(event)
    assert line.encode(careful, head, limits) == fast


@given(calls(), st.sampled_from((LIMITS, SMALL)), st.sampled_from((0, 7, -DAY)), st.booleans(),
       st.sampled_from(("track", "page", "group", "alias", "identify")))
def test_what_the_careful_way_takes_can_always_be_written(
        text: str, limits: Limits, offset: int, needs_timestamp: bool, kind: str) -> None:
    event = parse(Raw(text.encode()), kind, limits, needs_timestamp=needs_timestamp)
    if isinstance(event, Event) and judge_time(event, NOW, offset, limits) is None:
        block = line.encode((event,), line.Head(1, NOW, offset), limits, needs_timestamp=needs_timestamp)
        assert block.count(b"\n") == 1
        json.loads(line.decode(block.decode()[:-1]).properties, parse_int=float)


@pytest.mark.parametrize(("text", "taken"), [
    ('{"event":"e","messageId":"m"}', True),
    ('{"event":"e","messageId":"m","properties":{"a":"\\u0000"},"context":{"sessionId":"s"}}', True),
    ('{"event":"e","messageId":"m","userId":5}', False),
    ('{"event":"e","messageId":"m","type":"page"}', False),
    ('{"event":"e"}', False),
])
def test_the_fast_way_takes_ordinary_events(text: str, taken: bool) -> None:
    """Or the comparisons above would compare nothing."""
    decoded = decode_batch(b'{"batch":[' + text.encode() + b"]}")
    assert (decoded is not None) == taken
    if decoded is not None:
        assert line.encode(decoded.batch, HEAD, LIMITS)
