"""Both ways to read a segment give the same rows; and the quick one takes nothing that the careful look refuses."""

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crossfade.core import line
from crossfade.core.event import Event, Limits
from crossfade.store import lines
from crossfade.store.connections import Connections, opened
from crossfade.store.lines import read_any, read_plain
from crossfade.store.schema import queries
from crossfade.store.sift import MAX_LINE, fault
from crossfade.store.statements import Statements

from .conformance import BASE, Item

GOOD = Item("m", BASE, properties='{"a":1}').line().encode()
TIME = "2026-11-22T12:00:00"
PLAIN = {
    "source": ("1", "0", "65535"),
    "received": (str(BASE), "0", "-1", "9" * 18),
    "clock_offset": ("0", "-5", "777", "-" + "9" * 18),
    "raw_ts": ("", TIME + "Z", TIME + ".000001Z", TIME + "+05:45", TIME + ".999999-11:30",
               "1969-12-31T23:59:59.500000Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2024-02-29T00:00:00Z",
               "1900-03-01T00:00:00Z"),
    "message_id": ("m", "", "x" * 12, "y" * 13, "é" * 6, "é" * 7, "😀"),
    "event": ("e", "", "file_processed"),
    "user_id": ("", "u", "user-000000001"),
    "anonymous_id": ("", "a", "\x7f" * 20),
    "session_id": ("", "s"),
    "properties": ("{}", '{"a":"x"}', '{"path":"/a/b/c.txt","size":1}'),
    "tracker": ("", "01935b8e-1111-7222-8333-444455556666"),
    "sequence": ("", "0", "7", "9" * 18),
}
ODD = ("", "-", "--1", "+1", "1.0", " 1", "1 ", "01", "65536", "9" * 19, "9" * 20, "1e3", "null", "\r", "\x00", "\x1f",
       "\t", "\n", TIME, TIME + "z", TIME + ".5Z", TIME + ".1234567Z", TIME + "+24:00", TIME + "+5:30",
       "2026-02-29T00:00:00Z", "2026-11-22 12:00:00Z", "0000-01-01T00:00:00Z", "2026-11-22T24:00:00Z",
       "2026-11-22T12:00:60Z", "infinity", "01935B8E-1111-7222-8333-444455556666",
       "{01935b8e-1111-7222-8333-444455556666}", "\ud800", "٣")
JUDGED_LATER = ("message_id is empty", "event is empty", "its time lies", "tracker is no UUID", "it has no message id")
"""By the tables and by those who read what is incoming."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lines")


@pytest.fixture(scope="module")
def statements(folder):
    connections = Connections(opened(folder / "events.duckdb", 500_000_000))
    yield Statements(lambda: connections.loader, queries())
    connections.close()


def rows(statements, read, path):
    """None when it is refused."""
    try:
        read(statements, path)
    except duckdb.Error:
        return None
    found = statements._connection().execute("SELECT * FROM incoming ORDER BY line").fetchall()
    return [(row[0] - found[0][0], *row[1:]) for row in found]  # they need not begin with the same number


def as_bytes(cells):
    return b"".join("\t".join(line).encode(errors="surrogatepass") + b"\n" for line in cells)


@given(st.lists(st.tuples(*(st.sampled_from(PLAIN[name]) for name, _ in line.COLUMNS)), min_size=1, max_size=4))
def test_plain_lines_are_the_same_rows_by_both_ways(statements, folder, cells):
    path = folder / "1.tsv"
    path.write_bytes(as_bytes(cells))
    assert rows(statements, read_plain, path) == rows(statements, read_any, path)


@given(st.lists(st.tuples(*(st.sampled_from(PLAIN[name] * 5 + ODD) for name, _ in line.COLUMNS)), min_size=1,
                max_size=2), st.integers(0, 40), st.booleans())
@example([tuple(texts[0] for texts in PLAIN.values())], 0, False)
@example([("1",)], 0, False)
@example([("",) * 13], 0, False)
def test_the_quick_way_takes_nothing_that_the_careful_look_refuses(statements, folder, cells, cut, is_cut):
    path = folder / "2.tsv"
    text = as_bytes(cells)
    path.write_bytes(text[:-cut] if is_cut else text)
    taken = rows(statements, read_plain, path)
    if taken is not None and lines.COMPILED:
        for text in path.read_bytes().split(b"\n")[:-1]:
            assert (fault(text) or JUDGED_LATER[0]).startswith(JUDGED_LATER)
        assert taken == rows(statements, read_any, path)


@given(st.lists(st.builds(Event, st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20),
                          user_id=st.none() | st.text(max_size=20), session_id=st.none() | st.text(max_size=3)),
                min_size=1, max_size=3), st.sampled_from(("", PLAIN["tracker"][1])), st.integers(-10**15, 10**15))
def test_what_the_journal_writes_is_plain(statements, folder, events, tracker, offset):
    path = folder / "3.tsv"
    try:
        path.write_bytes(line.encode(events, line.Head(1, BASE, offset, tracker), Limits()))
    except line.Unfit:
        return
    taken = rows(statements, read_plain, path)
    assert taken is not None
    assert taken == rows(statements, read_any, path)


def test_lines_of_any_length_and_their_order(statements, folder):
    """Longer than what is read at a time, ending where that ends, and just as long as a line may be."""
    path, block = folder / "4.tsv", 1 << 20
    texts = [GOOD] * 30_000
    for number, length in enumerate((block, block - 1, block + 1, 3 * block, MAX_LINE - 1, MAX_LINE)):
        rest = length - len(GOOD)
        texts[number * 4_000] = GOOD.replace(b'"a":1', b'"a":"' + b"x" * (rest - 1) + b'"')
        assert len(texts[number * 4_000]) == length
    path.write_bytes(b"".join(texts))
    read_plain(statements, path)
    found = statements._connection().execute("SELECT length(properties) FROM incoming ORDER BY line").fetchall()
    assert [length for length, in found] == [len(text) - len(GOOD) + len('{"a":1}') for text in texts]


@pytest.mark.parametrize("text", [b"x" * (MAX_LINE + 1), GOOD + b"x" * (MAX_LINE + (1 << 20)) + b"\n", GOOD[:-1],
                                  GOOD + GOOD[:-1], GOOD * 20_000 + b"\n"])
def test_what_has_no_end_is_refused(statements, folder, text):
    path = folder / "5.tsv"
    path.write_bytes(text)
    assert rows(statements, read_plain, path) is None or not lines.COMPILED


def test_a_file_that_cannot_be_read_is_an_error_and_an_empty_one_is_none(statements, folder):
    assert rows(statements, read_plain, folder / "nowhere.tsv") is None
    (folder / "is a folder").mkdir()
    assert rows(statements, read_plain, folder / "is a folder") is None
    (folder / "6.tsv").write_bytes(b"")
    assert rows(statements, read_plain, folder / "6.tsv") == []
