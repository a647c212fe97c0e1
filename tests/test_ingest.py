"""From a body to the journal: which events are in, which are not, and why."""

import gzip
import json
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest

from crossfade import ingest as ingests
from crossfade.core import line
from crossfade.core.batch import decode
from crossfade.core.clock import DAY, HOUR, SECOND, ManualClock, iso
from crossfade.core.envelope import Malformed
from crossfade.core.event import Limits, Why
from crossfade.core.ledger import Account, Statement
from crossfade.ingest import BATCH_CALLS, SINGLE_CALLS, Ingest, Taken, TooLarge
from crossfade.journal import Journal, JournalFailed, JournalFull, segment_files

NOW = 1_790_000_000 * SECOND
LIMITS = Limits()
MAX_PLAIN = 1_000_000


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture(params=["compiled", "decoded"])
def ingest(journal: Journal, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Ingest:
    """By either of the ways that there are for plain batches."""
    if request.param == "decoded":
        monkeypatch.setattr(ingests, "open_batch", decode)
    return Ingest(journal, ManualClock(NOW), LIMITS, max_plain=MAX_PLAIN)


def take(ingest: Ingest, body: object, call: str = "batch") -> Taken:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    taken = ingest.take(call, text, 1)
    if taken.on_disk is not None:
        taken.on_disk.result(30)
    return taken


def written(journal: Journal) -> list[str]:
    return "".join(path.read_text() for _, path in segment_files(journal.folder)).split("\n")[:-1]


def texts(journal: Journal) -> list[str]:
    return [text for text in written(journal) if line.decode(text).message_id]


def statements(journal: Journal) -> list[Statement]:
    return [line.decode_statement(found.properties) for found in map(line.decode, written(journal))
            if not found.message_id]


def stored(journal: Journal) -> list[line.Line]:
    return list(map(line.decode, texts(journal)))


def track(message_id: str = "m", **more: object) -> dict[str, object]:
    return {"type": "track", "event": "e", "messageId": message_id, **more}


def test_a_batch_is_on_disk_when_its_future_is_done(ingest: Ingest, journal: Journal) -> None:
    taken = take(ingest, {"batch": [track("1", properties={"a": 1}), track("2", userId="u")]})
    assert (taken.accepted, taken.rejected) == (2, ())
    assert [(found.message_id, found.user_id, found.source, found.received) for found in stored(journal)] == [
        ("1", "", 1, NOW), ("2", "u", 1, NOW)]


def test_an_empty_batch_is_taken_and_leaves_nothing(ingest: Ingest, journal: Journal) -> None:
    assert take(ingest, {"batch": []}) == Taken(0, (), None)
    assert texts(journal) == []


BAD: dict[Why, str] = {
    Why.WRONG_TYPE: '{"event": 7}',
    Why.NOT_A_NUMBER: '{"event": "e", "properties": {"x": NaN}}',
    Why.MALFORMED: '{"event": "e", "properties": {"path": "caf\\udce9"}}',
    Why.MISSING_EVENT: '{"type": "track"}',
    Why.UNKNOWN_TYPE: '{"type": "teleport"}',
    Why.TOO_OLD: '{"event": "e", "timestamp": "1926-01-01T00:00:00Z"}',
    Why.IN_FUTURE: '{"event": "e", "timestamp": "2126-01-01T00:00:00Z"}',
    Why.TOO_LARGE: '{"event": "e", "properties": {"x": "' + "y" * 300_000 + '"}}',
    Why.TOO_DEEP: '{"event": "e", "properties": ' + '{"a":' * 100 + "1" + "}" * 100 + "}",
    Why.CONTROL_CHARACTER: '{"event": "e\\u0000"}',
}


@pytest.mark.parametrize("why", BAD)
def test_one_bad_event_is_rejected_and_the_others_stored(ingest: Ingest, journal: Journal, why: Why) -> None:
    good = json.dumps(track("1")), json.dumps(track("2", userId=5))
    taken = take(ingest, f'{{"batch":[{good[0]},{BAD[why]},{good[1]}]}}'.encode())
    assert taken.accepted == 2
    assert [(one.index, one.reason) for one in taken.rejected] == [(1, why)]
    assert [found.message_id for found in stored(journal)] == ["1", "2"]


def test_every_kind_of_bad_event_in_one_batch(ingest: Ingest, journal: Journal) -> None:
    body = '{"batch":[' + ",".join([*BAD.values(), json.dumps(track())]) + "]}"
    taken = take(ingest, body.encode())
    assert [one.reason for one in taken.rejected] == list(BAD)
    assert [one.index for one in taken.rejected] == list(range(len(BAD)))
    assert len(stored(journal)) == taken.accepted == 1


def test_an_events_fate_does_not_depend_on_its_neighbours(ingest: Ingest, journal: Journal) -> None:
    """Beside an odd one, a batch goes the careful way: its other events' lines are the same."""
    ordinary = [
        track("1", properties={"a": [1, {"b": "é\u2028"}]}, timestamp=iso(NOW - 1), context={"sessionId": "s"}),
        track("2", userId="u", anonymousId="a", sessionId="t", name=5, properties=None),
        track("3", timestamp=iso(NOW - 5 * DAY - 1)),
    ]
    take(ingest, {"batch": ordinary})
    fast = texts(journal)
    for odd in BAD.values():
        before = len(texts(journal))
        taken = take(ingest, f'{{"batch":[{odd},{",".join(map(json.dumps, ordinary))}]}}'.encode())
        assert taken.accepted == 3
        assert texts(journal)[before:] == fast


@pytest.mark.parametrize("call", sorted(SINGLE_CALLS))
def test_single_calls_are_events_too(ingest: Ingest, journal: Journal, call: str) -> None:
    body = {"event": "e", "messageId": "m", "userId": "u", "traits": {"a": 1}, "sentAt": iso(NOW - 7)}
    assert take(ingest, body, call).accepted == 1
    found, = stored(journal)
    assert found.event == ("e" if call == "track" else f"${call}")
    assert texts(journal)[0].split("\t")[2] == "7"


@pytest.mark.parametrize("why", BAD)
def test_a_bad_single_call_is_rejected(ingest: Ingest, journal: Journal, why: Why) -> None:
    taken = take(ingest, BAD[why].encode(), "track")
    assert taken.accepted == 0
    assert [(one.index, one.reason) for one in taken.rejected] == [(0, why)]
    assert texts(journal) == []
    assert statements(journal) == [Statement(nameless={why: 1})]


@pytest.mark.parametrize("call", sorted(BATCH_CALLS | SINGLE_CALLS))
@pytest.mark.parametrize("body", [b"[1]", b"5", b'{"sentAt":5}', b'{"batch":{},"sentAt":"soon"}'])
def test_a_body_that_is_no_such_call_is_malformed(ingest: Ingest, call: str, body: bytes) -> None:
    with pytest.raises(Malformed):
        take(ingest, body, call)


# Trackers of ours

ID = "01976f4e-0000-7000-8000-000000000001"
ACCOUNT = Account(ID, 7, 3, {"too_large": 1}, {"sampled": 2})


def test_an_account_is_written_with_the_numbers_of_what_was_not_taken(ingest: Ingest, journal: Journal) -> None:
    events = [track("1", sequence=4), track("2", sequence=5, timestamp=iso(0)), track("3", sequence=6),
              track("4", sequence=7, timestamp=iso(0)), track("5", timestamp=iso(0))]
    taken = take(ingest, {"batch": events, "tracker": msgspec.to_builtins(ACCOUNT)})
    assert (taken.accepted, len(taken.rejected)) == (2, 3)
    assert [(found.tracker, found.sequence) for found in stored(journal)] == [(ID, 4), (ID, 6)]
    assert statements(journal) == [Statement(ACCOUNT, {"too_old": ((5, 5), (7, 7))}, {"too_old": 1})]


def test_a_heartbeat_is_a_batch_without_events(ingest: Ingest, journal: Journal) -> None:
    taken = take(ingest, {"batch": [], "tracker": msgspec.to_builtins(ACCOUNT)})
    assert (taken.accepted, taken.rejected) == (0, ())
    assert statements(journal) == [Statement(ACCOUNT)]
    assert line.decode(written(journal)[0]).tracker == ID


@pytest.mark.parametrize("tracker", [5, "mine", [], {}, {"id": "1"}, {**msgspec.to_builtins(ACCOUNT), "sequence": -1},
                                     {**msgspec.to_builtins(ACCOUNT), "dropped": {str(n): 1 for n in range(100)}}])
@pytest.mark.parametrize("odd", [{}, {"userId": 5}, {"properties": {"x": float("nan")}}])
def test_what_others_call_tracker_and_sequence_is_passed_over(
        ingest: Ingest, journal: Journal, tracker: object, odd: dict[str, object]) -> None:
    bodies = [{"batch": [track("1", sequence=sequence), track("2", **odd)], "tracker": tracker}
              for sequence in (1, -1, "x", 2**70, 1.5, None)]
    for body in bodies:
        assert take(ingest, body).accepted == 2 - ("properties" in odd)
    assert {(found.tracker, found.sequence) for found in stored(journal)} == {("", 0)}


# Time


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("off", [0, 1, -1, 300 * DAY, -300 * DAY, 9_000 * DAY])
def test_a_wrong_clock_is_corrected_by_what_it_says_when_it_sends(
        ingest: Ingest, journal: Journal, off: int, odd: bool) -> None:
    sent_at, happened = NOW + off, NOW + off - HOUR
    event = track(timestamp=iso(happened), userId=5 if odd else "5")
    assert take(ingest, {"batch": [event], "sentAt": iso(sent_at)}).accepted == 1
    assert stored(journal)[0].ts == NOW - HOUR
    assert texts(journal)[0].split("\t")[2:4] == [str(-off), iso(happened)]


def test_a_sending_time_without_a_zone_is_utc(ingest: Ingest, journal: Journal) -> None:
    take(ingest, {"batch": [track()], "sentAt": iso(NOW - 5).removesuffix("Z")})
    assert texts(journal)[0].split("\t")[2] == "5"


def test_an_import_tells_of_the_past(ingest: Ingest, journal: Journal) -> None:
    events = [track("1", timestamp=iso(NOW - 3000 * DAY)), track("2")]
    taken = take(ingest, {"batch": events, "sentAt": iso(NOW - 3000 * DAY)}, "import")
    assert [(one.index, one.reason) for one in taken.rejected] == [(1, Why.MISSING_TIMESTAMP)]
    assert [line.decode(text).ts for text in texts(journal)] == [NOW - 3000 * DAY]
    assert take(ingest, {"batch": events[:1]}, "import").accepted == 1


@pytest.mark.parametrize(("timestamp", "why"), [
    ("0001-01-01T00:00:00+14:00", Why.TOO_OLD), ("9999-12-31T23:59:59.999999-12:00", Why.IN_FUTURE),
])
def test_the_ends_of_time_are_rejected(ingest: Ingest, timestamp: str, why: Why) -> None:
    for call in ("batch", "import"):
        assert [one.reason for one in take(ingest, {"batch": [track(timestamp=timestamp)]}, call).rejected] == [why]


# Size


def test_too_many_events_are_too_large(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingests, "MAX_EVENTS", 3)
    for odd in ({}, {"userId": 5}):
        assert take(ingest, {"batch": [track(**odd)] * 3}).accepted == 3
        with pytest.raises(TooLarge, match="send fewer"):
            take(ingest, {"batch": [track(**odd)] * 4})


def test_millions_of_nothings_are_refused_before_they_fill_the_memory(ingest: Ingest) -> None:
    with pytest.raises(TooLarge):
        take(ingest, b'{"batch":[' + b"1," * ingests.MAX_VALUES + b"1]}")


def test_ten_megabytes_of_properties_are_one_rejection(ingest: Ingest, journal: Journal) -> None:
    body = {"batch": [track("1"), track("2", properties={"x": "y" * 10_000_000}), track("3")]}
    taken = take(ingest, body)
    assert [(one.index, one.reason, one.message_id) for one in taken.rejected] == [(1, Why.TOO_LARGE, "2")]
    assert [found.message_id for found in stored(journal)] == ["1", "3"]


# Compression


def test_gzip_is_undone(ingest: Ingest) -> None:
    for plain in (b"", b"x", b"x" * MAX_PLAIN):
        assert ingest.unpack(gzip.compress(plain)) == plain


@pytest.mark.parametrize("extra", [1, 100_000_000])
def test_a_bomb_is_too_large_and_never_unpacked_whole(ingest: Ingest, extra: int) -> None:
    bomb = gzip.compress(bytes(MAX_PLAIN + extra), 1)
    with pytest.raises(TooLarge, match="1,000,000"):
        ingest.unpack(bomb)


WHOLE = gzip.compress(b"some text that is long enough to be cut somewhere", mtime=0)


@pytest.mark.parametrize("body", [
    *(WHOLE[:size] for size in range(len(WHOLE))), WHOLE + b"x", WHOLE + WHOLE, WHOLE[:-5] + b"\xff" + WHOLE[-4:],
    b"plain", zlib.compress(b"x"), b"\x1f\x8b", bytes(100),
])
def test_what_is_no_gzip_or_not_the_whole_of_it_is_malformed(ingest: Ingest, body: bytes) -> None:
    with pytest.raises(Malformed, match=r"gzip"):
        ingest.unpack(body)


# The journal says no


def test_what_the_journal_refuses_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_pending=0)
    ingest = Ingest(journal, ManualClock(NOW), LIMITS, max_plain=MAX_PLAIN)
    take(ingest, {"batch": [track()]})
    with pytest.raises(JournalFull):
        take(ingest, {"batch": [track()]})
    journal.close()
    with pytest.raises(JournalFailed):
        take(ingest, {"batch": [track()]})


def test_the_future_is_the_journals_own(ingest: Ingest) -> None:
    taken = ingest.take("batch", json.dumps({"batch": [track()]}).encode(), 1)
    assert isinstance(taken.on_disk, Future)
    assert taken.on_disk.result(30) is None
