"""A batch of plain events, and that all ways to its lines, compiled, decoded and careful, say the same."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from crossfade.core import batch as batches
from crossfade.core import line
from crossfade.core.batch import COMPILED, Batch, Compiled, Decoded, decode, open_batch
from crossfade.core.clock import DAY, SECOND, micros
from crossfade.core.event import MAX_DEPTH, MAX_ID, MAX_MESSAGE_ID, MAX_NAME, Event, Limits, judge_time, parse
from crossfade.core.ledger import Account

from . import sanitized

NOW = micros(datetime(2026, 11, 22, 12, tzinfo=UTC))
LIMITS = Limits()
SMALL = Limits(max_bytes=40, max_age=30 * DAY, max_lead=SECOND)
HEAD = line.Head(1, NOW, 0)
TRACKER = "01935b8e-1111-7222-8333-444455556666"
PLAIN = b'{"event":"e","messageId":"m"}'

compiled = pytest.mark.skipif(not COMPILED, reason="there was no C compiler")


def test_a_batch_is_read_whole_when_nothing_is_odd() -> None:
    body = b'{"batch":[' + PLAIN + b'],"sentAt":"2026-11-22T12:00:00Z"}'
    assert decode(body) == Decoded([Event("e", "m")], datetime(2026, 11, 22, 12, tzinfo=UTC))
    opened = open_batch(body)
    assert opened is not None
    assert isinstance(opened, Compiled) == COMPILED
    assert (opened.count, opened.sent_at, opened.tracker) == (1, datetime(2026, 11, 22, 12, tzinfo=UTC), None)
    assert opened.lines(HEAD, LIMITS) == line.encode([Event("e", "m")], HEAD, LIMITS)


def test_without_a_compiler_msgspec_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "COMPILED", False)
    body = b'{"batch":[' + PLAIN + b"]}"
    assert open_batch(body) == decode(body) == Decoded([Event("e", "m")])


def test_a_trackers_account_and_numbers_are_read() -> None:
    account = Account(TRACKER, 8, 0, {}, {})
    told = msgspec.json.encode(account).decode()
    body = f'{{"tracker":{told},"batch":[{{"event":"e","messageId":"m","sequence":7}},{PLAIN.decode()}]}}'.encode()
    opened = open_batch(body)
    assert opened is not None
    assert opened.tracker == account
    for tracker, numbers in ((TRACKER, ["7", "0"]), ("", ["", ""])):
        text = opened.lines(line.Head(1, NOW, 0, tracker), LIMITS).decode()
        assert [each.split("\t")[-2:] for each in text.split("\n")[:-1]] == [[tracker, number] for number in numbers]


# What is plain, for the compiled reader

def event(**more: str) -> str:
    members = {"event": '"e"', "messageId": '"m"'} | more
    return "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"


def batch(*events: str, before: str = "", behind: str = "") -> bytes:
    return f'{{{before}"batch":[{",".join(events)}]{behind}}}'.encode(errors="surrogateescape")


LONG = '"' + "x" * MAX_ID + '"'
TAKEN = {
    "segment's python client": batch(event(
        type='"track"', userId='"u1"', anonymousId="null", properties='{"a":1}', integrations="{}",
        timestamp='"2026-11-22T11:22:16.965+00:00"', context='{"library":{"name":"analytics-python"}}'),
        behind=',"sentAt":"2026-11-22T11:22:17.000001Z","writeKey":"K"'),
    "segment's node client": batch(event(
        type='"track"', messageId='"node-next-1795000000000-8d3b"', timestamp='"2026-11-22T11:22:16.965Z"',
        context='{"sessionId":"s","library":{"name":"@segment/analytics-node"}}', _metadata='{"jsRuntime":"node"}')),
    "rudder": batch(event(channel='"server"', integrations='{"All":true}', context='{"traits":{}}')),
    "no events": batch(),
    "white space": b' { "batch" : [ { "event" : "e" ,\r\n\t"messageId":"m" } ] } \n',
    "all of JSON": batch(event(properties='{"a":[1,-0,2.5e-7,1E+9,true,false,null,"\\"\\\\\\/\\b\\u00e9",{},[]]}')),
    "spaces in properties": batch(event(properties='{ "a" : [ 1 , 2 ] }')),
    "UTF-8": batch(event(userId='"né😀"', properties='{"登录":"\u2028"}')),
    "the longest": batch(event(event=LONG, userId=LONG, messageId='"' + "x" * MAX_MESSAGE_ID + '"')),
    "the deepest": batch(event(properties='{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH)),
    "the empty": batch(event(userId='""', sessionId='""', context="{}", timestamp="null")),
}
NOT_TAKEN = {
    "another call": batch(event(type='"identify"')),
    "no name": batch(event(event='""')),
    "no message id": batch('{"event":"e"}'),
    "a name of white space": batch(event(event='" "')),
    "a name of rare white space": batch(event(event='"\u2003"')),
    "an escape in an id": batch(event(userId='"\\u0041"')),
    "a number for an id": batch(event(userId="5")),
    "a field twice": batch('{"event":"e","messageId":"m","event":"e"}'),
    "a field in other words": batch('{"\\u0065vent":"e","messageId":"m"}'),
    "half a surrogate pair": batch(event(properties='{"a":"\\ud800"}')),
    "no UTF-8": batch(event(properties='{"a":"\udcff"}')),
    "a line's end in properties": batch(event(properties='{"a":\n1}')),
    "no object": batch(event(properties="[]")),
    "too deep": batch(event(properties='{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1))),
    "too long": batch(event(event='"' + "x" * (MAX_NAME + 1) + '"')),
    "a message id too long": batch(event(messageId='"' + "x" * (MAX_MESSAGE_ID + 1) + '"')),
    "nanoseconds": batch(event(timestamp='"2026-11-22T11:22:16.965000001Z"')),
    "a time without a zone": batch(event(timestamp='"2026-11-22T11:22:16"')),
    "a day that is none": batch(event(timestamp='"2026-02-29T11:22:16Z"')),
    "NaN": batch(event(properties='{"a":NaN}')),
    "a number that is none": batch(event(properties='{"a":01}')),
    "two batches": batch(PLAIN.decode(), behind=',"batch":[]'),
    "no batch": b'{"batches":[]}',
    "more behind it": batch(PLAIN.decode()) + b"x",
    "a byte order mark": b"\xef\xbb\xbf" + batch(),
    "nothing": b"",
}


@compiled
@pytest.mark.parametrize("name", TAKEN)
def test_what_clients_send_is_read_by_the_compiled_reader(name: str) -> None:
    """Or it would be of no use, and the comparisons below would compare nothing."""
    opened, decoded = open_batch(TAKEN[name]), decode(TAKEN[name])
    assert isinstance(opened, Compiled)
    assert decoded is not None
    assert (opened.count, opened.sent_at, opened.tracker) == (decoded.count, decoded.sent_at, decoded.tracker)
    assert opened.lines(HEAD, LIMITS) == decoded.lines(HEAD, LIMITS)


@compiled
@pytest.mark.parametrize("name", NOT_TAKEN)
def test_what_is_not_plain_is_left_to_others(name: str) -> None:
    assert not isinstance(open_batch(NOT_TAKEN[name]), Compiled)


@compiled
@pytest.mark.parametrize("name", TAKEN)
def test_a_body_that_is_cut_short_is_no_batch(name: str) -> None:
    whole = TAKEN[name].rstrip()
    assert not any(isinstance(open_batch(whole[:end]), Compiled) for end in range(len(whole)))


@compiled
@pytest.mark.parametrize("length", range(20))
def test_a_string_ends_where_it_ends_wherever_it_lies(length: int) -> None:
    """Eight bytes are looked at together."""
    for end in ("", "\\n", "\\\"", "\x7f", "é"):
        text = "x" * length + end
        opened = open_batch(batch(event(properties=f'{{"{text}":"{text}{text}","b":"{text}"}}')))
        assert isinstance(opened, Compiled)
        assert opened.lines(HEAD, LIMITS).decode().split("\t")[9] == f'{{"{text}":"{text}{text}","b":"{text}"}}'
    for control in ("\x00", "\x1f", "\n"):
        assert not isinstance(open_batch(batch(event(properties=f'{{"a":"{"x" * length}{control}x"}}'))), Compiled)


@compiled
@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(0, 6),  # noqa: DTZ001  zones are drawn
       st.sampled_from(("Z", "+00:00", "-00:00", "+05:30", "-23:59", "+23:59")))
def test_a_time_is_what_msgspec_makes_of_it(moment: datetime, digits: int, zone: str) -> None:
    second, _, fraction = moment.isoformat(timespec="microseconds").partition(".")
    text = second + (f".{fraction[:digits]}" if digits else "") + zone
    body = batch(event(timestamp=f'"{text}"'))
    opened, decoded = open_batch(body), decode(body)
    assert isinstance(opened, Compiled)
    assert decoded is not None
    stamp = decoded.batch[0].timestamp
    assert stamp is not None
    head = line.Head(1, NOW, NOW - micros(stamp))  # by which it is now
    for limits in (Limits(max_age=0, max_lead=0), LIMITS):
        assert opened.lines(head, limits) == decoded.lines(head, limits)
    for off in (-1, 1):
        with pytest.raises(line.Unfit):
            opened.lines(line.Head(1, NOW, head.offset + off), Limits(max_age=0, max_lead=0))


# Odd ones, by all ways

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
    st.tuples(st.just("sequence"), st.sampled_from(("0", "7", "-0", "07", "1.0", "1e3", "null", '"7"', str(2**62),
                                                    str(2**62 + 1), "9" * 18, "9" * 19))),
    st.tuples(st.sampled_from(("integrations", "event\\u0031", "\u00e9", "")), texts | property_texts),
)
spaces = st.sampled_from(("", " ", "\n", "\r\n\t"))


@st.composite
def calls(draw: st.DrawFn) -> str:
    """A call as some client might write it: odd values, keys that stand twice, white space where it may be."""
    members = draw(st.permutations([("event", '"e"'), ("messageId", '"m"'), *draw(st.lists(fields, max_size=4))]))
    space = draw(spaces)
    return "{" + f",{space}".join(f'{space}"{key}"{space}:{space}{value}{space}' for key, value in members) + "}"


def lines(batch: Batch | None, head: line.Head, limits: Limits, needs_timestamp: bool) -> bytes | None:
    try:
        return None if batch is None else batch.lines(head, limits, needs_timestamp=needs_timestamp)
    except line.Unfit:
        return None


@given(st.lists(calls(), min_size=1, max_size=3), st.sampled_from((LIMITS, SMALL)), st.sampled_from((0, 7, -DAY)),
       st.booleans(), st.sampled_from(("", TRACKER)))
@example(['{"event":"e","messageId":"m","name":5}'], LIMITS, 0, False, "")
@example(['{"event":" ","messageId":"m"}'], LIMITS, 0, False, "")
@example(['{"event":"e","messageId":"m","timestamp":"2026-11-22T11:59:59.9999996Z"}'], LIMITS, 0, False, "")
def test_what_a_fast_way_takes_the_careful_way_takes_in_the_same_words(
        several: list[str], limits: Limits, offset: int, needs_timestamp: bool, tracker: str) -> None:
    head = line.Head(1, NOW, offset, tracker)
    body = f'{{"batch":[{",".join(several)}]}}'.encode(errors="surrogatepass")
    decoded = lines(decode(body), head, limits, needs_timestamp)
    opened = open_batch(body)
    if isinstance(opened, Compiled):
        assert lines(opened, head, limits, needs_timestamp) == decoded
    if decoded is None:
        return
    careful = []
    for text in several:
        found = parse(Raw(text.encode()), "track", limits, needs_timestamp=needs_timestamp)
        assert isinstance(found, Event), found
        assert judge_time(found, NOW, offset, limits) is None
        careful.append(found)
    assert line.encode(careful, head, limits) == decoded


@given(calls(), st.sampled_from((LIMITS, SMALL)), st.sampled_from((0, 7, -DAY)), st.booleans(),
       st.sampled_from(("track", "page", "group", "alias", "identify")))
def test_what_the_careful_way_takes_can_always_be_written(
        text: str, limits: Limits, offset: int, needs_timestamp: bool, kind: str) -> None:
    found = parse(Raw(text.encode()), kind, limits, needs_timestamp=needs_timestamp)
    if isinstance(found, Event) and judge_time(found, NOW, offset, limits) is None:
        block = line.encode((found,), line.Head(1, NOW, offset), limits, needs_timestamp=needs_timestamp)
        assert block.count(b"\n") == 1
        json.loads(line.decode(block.decode()[:-1]).properties, parse_int=float)


@pytest.mark.parametrize(("text", "taken"), [
    ('{"event":"e","messageId":"m"}', True),
    ('{"event":"e","messageId":"m","properties":{"a":"\\u0000"},"context":{"sessionId":"s"}}', True),
    ('{"event":"e","messageId":"m","userId":5}', False),
    ('{"event":"e","messageId":"m","type":"page"}', False),
    ('{"event":"e"}', False),
])
def test_the_fast_ways_take_ordinary_events(text: str, taken: bool) -> None:
    """Or the comparisons above would compare nothing."""
    body = b'{"batch":[' + text.encode() + b"]}"
    for way in (decode, open_batch):
        found = way(body)
        assert (found is not None) == taken
        if found is not None:
            assert found.lines(HEAD, LIMITS)


@compiled
@given(st.sampled_from(list(TAKEN)), st.lists(st.tuples(st.integers(0), st.integers(0, 3), st.sampled_from(
    [*b'{}[],:"\\0-1.eE+ \n\tntfu', 0, 0x1f, 0x7f, 0x80, 0xc3, 0xed, 0xff])), min_size=1, max_size=3))
def test_bytes_that_were_changed_never_make_the_ways_differ(name: str, changes: list[tuple[int, int, int]]) -> None:
    body = bytearray(TAKEN[name])
    for place, cut, put in changes:
        at = place % (len(body) + 1)
        body[at:at + cut] = bytes([put])
    opened = open_batch(bytes(body))
    if isinstance(opened, Compiled):
        decoded = decode(bytes(body))
        assert decoded is not None
        assert opened.count == decoded.count
        assert lines(opened, HEAD, LIMITS, False) == lines(decoded, HEAD, LIMITS, False)


@compiled
def test_the_compiled_reader_stays_within_the_memory_that_is_its_own(tmp_path: Path) -> None:
    assert sanitized.run("batch", tmp_path).startswith("read ")
