"""Frames: whatever is damaged or cut, every sound record is found, and nothing that was never written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.tracking.frame import HEADER, MARK, MAX_RECORD, pack, unpack

anything = st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=8)
# As the spool has it: JSON text holds no control character, so no record holds a frame.
texts = st.lists(st.binary(min_size=1, max_size=60).map(lambda raw: raw.replace(bytes([MARK]), b"x")), min_size=2,
                 max_size=8)
MOST = 1000


@given(anything)
def test_what_is_packed_is_unpacked(records):
    data = b"".join(map(pack, records))
    found = unpack(data, most=MOST, final=True)
    assert (found.records, found.end, found.lost) == (records, len(data), [])


@given(anything, st.data())
def test_a_torn_tail_costs_the_last_record_alone(records, data):
    whole = b"".join(map(pack, records[:-1]))
    last = pack(records[-1])
    kept = data.draw(st.integers(1, len(last) - 1))
    torn = whole + last[:kept]

    waiting = unpack(torn, most=MOST, final=False)
    assert (waiting.records, waiting.end, waiting.lost) == (records[:-1], len(whole), [])
    ended = unpack(torn, most=MOST, final=True)
    assert ended.records[:len(records) - 1] == records[:-1]
    assert ended.end == len(torn)
    assert ended.lost


@given(texts, st.data())
def test_a_flipped_bit_costs_one_record(records, data):
    frames = [bytearray(pack(record)) for record in records]
    victim = data.draw(st.integers(0, len(frames) - 1))
    byte = data.draw(st.integers(0, len(frames[victim]) - 1))
    frames[victim][byte] ^= 1 << data.draw(st.integers(0, 7))
    found = unpack(b"".join(frames), most=MOST, final=True)
    assert found.records == records[:victim] + records[victim + 1:]
    assert len(found.lost) == 1


@given(st.binary(max_size=200), texts)
def test_records_after_garbage_are_found(garbage, records):
    data = garbage + b"".join(map(pack, records))
    found = unpack(data, most=MOST, final=True)
    assert found.records[-len(records):] == records
    assert len(garbage) == sum(stop - start for start, stop in found.lost)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_looked_at_in_pieces_as_in_one(data, cut):
    whole = unpack(data, most=MOST, final=True)
    first = unpack(data[:cut], most=MOST, final=False)
    rest = unpack(data[first.end:], most=MOST, final=True)
    assert first.records + rest.records == whole.records


@given(anything, st.integers(1, 8))
def test_no_more_than_asked_for(records, most):
    data = b"".join(map(pack, records))
    found = unpack(data, most=most, final=True)
    assert found.records == records[:most]
    assert unpack(data[found.end:], most=MOST, final=True).records == records[most:]


@pytest.mark.parametrize("record", [b"", bytes(MAX_RECORD + 1)])
def test_a_record_has_a_size(record):
    with pytest.raises(ValueError, match="it may have"):
        pack(record)


def test_a_header_that_names_too_much_is_damage_not_patience():
    data = HEADER.pack(MARK, MAX_RECORD + 1, 0) + pack(b"{}")
    assert unpack(data, most=MOST, final=False).records == [b"{}"]
