"""Files, whole, cut and changed, for a compiled reader of segments that watches its own memory: run by test_columns.py.

``python columns_fuzz.py FILE``, the reader's. It is used as Arrow's C interface says, every byte that it gives is read,
and a column may outlive its block.
"""

import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_char_p,
    c_int,
    c_int64,
    c_void_p,
    cast,
    py_object,
    pythonapi,
    sizeof,
    string_at,
)
from pathlib import Path

from sanitized import load

ROUNDS = 6_000
PARTS = (b"\t", b"\n", b"\t\t", b"\x00", b"\r", b"-", b"9" * 19, b"65535", b"65536", b"\xc3", b"\xed\xa0",
         b"\xf0\x9f\x98\x80", b"2026-02-29T11:22:16Z", b"2026-11-22T11:22:16.96500", b"+05:30",
         b"x" * 12, b"y" * 13, b"z" * 70)
WHOLE = (b'1\t1795446000000000\t-5\t2026-11-22T11:22:16.965000+05:30\tm-1\tprocessed\tu\t\t\t{"a":"\xc3\xa9"}\t\t\n'
         b"65535\t1795446000000000\t0\t\t01935b8e-1111-7222\te\t\tanonymous\tsession\t{}\t"
         b"01935b8e-1111-7222-8333-444455556666\t7\n"
         b'1\t1795446000000000\t0\t\t\t\t\t\t\t{"told":1}\t\t\n')


class Array(Structure):
    """ArrowArray."""


Array._fields_ = [("length", c_int64), ("null_count", c_int64), ("offset", c_int64), ("n_buffers", c_int64),
                  ("n_children", c_int64), ("buffers", POINTER(c_void_p)), ("children", POINTER(POINTER(Array))),
                  ("dictionary", c_void_p), ("release", CFUNCTYPE(None, POINTER(Array))), ("private_data", c_void_p)]


class Schema(Structure):
    """ArrowSchema."""


Schema._fields_ = [("format", c_char_p), ("name", c_char_p), ("metadata", c_char_p), ("flags", c_int64),
                   ("n_children", c_int64), ("children", POINTER(POINTER(Schema))), ("dictionary", c_void_p),
                   ("release", CFUNCTYPE(None, POINTER(Schema))), ("private_data", c_void_p)]


class Stream(Structure):
    """ArrowArrayStream."""


Stream._fields_ = [("get_schema", CFUNCTYPE(c_int, POINTER(Stream), POINTER(Schema))),
                   ("get_next", CFUNCTYPE(c_int, POINTER(Stream), POINTER(Array))),
                   ("get_last_error", CFUNCTYPE(c_char_p, POINTER(Stream))),
                   ("release", CFUNCTYPE(None, POINTER(Stream))), ("private_data", c_void_p)]

pointer_of = pythonapi.PyCapsule_GetPointer
pointer_of.restype, pointer_of.argtypes = c_void_p, [py_object, c_char_p]


@contextmanager
def stream(capsule: object) -> Iterator[Stream]:
    """What is in the capsule, taken out of it, as a consumer does."""
    theirs = cast(pointer_of(capsule, b"arrow_array_stream"), POINTER(Stream))
    ours = Stream.from_buffer_copy(theirs.contents)
    theirs.contents.release = type(ours.release)()
    yield ours
    ours.release(byref(ours))


def formats(stream: Stream) -> list[str]:
    schema = Schema()
    assert stream.get_schema(byref(stream), byref(schema)) == 0
    found = [(schema.children[number].contents.format or b"").decode() for number in range(schema.n_children)]
    schema.release(byref(schema))
    return found


def column(kind: str, array: Array) -> list[object]:
    rows, buffers = array.length, array.buffers
    bits = string_at(buffers[0], (rows + 7) // 8) if buffers[0] else b"\xff" * rows
    there = [bool(bits[row // 8] & 1 << row % 8) for row in range(rows)]
    assert there.count(False) == array.null_count
    if kind != "vu":
        width = {"S": 2, "l": 8}[kind]
        told = string_at(buffers[1], rows * width)
        values = (told[at:at + width] for at in range(0, len(told), width))
        return [int.from_bytes(value, "little", signed=kind == "l") if here else None
                for value, here in zip(values, there, strict=True)]
    text = string_at(buffers[2], int.from_bytes(string_at(buffers[3], sizeof(c_int64)), "little"))
    views = string_at(buffers[1], rows * 16)
    return [_text(views[row * 16:(row + 1) * 16], text) if there[row] else None for row in range(rows)]


def _text(view: bytes, text: bytes) -> str:
    length, inside = int.from_bytes(view[:4], "little"), view[4:]
    if length <= len(inside):
        assert not any(inside[length:])
        return inside[:length].decode()
    assert not any(view[8:12])
    start = int.from_bytes(view[12:], "little")
    found = text[start:start + length]
    assert found.startswith(view[4:8])
    return found.decode()


def read(reader: object, path: Path, draw: random.Random) -> list[tuple[object, ...]] | str:
    """The rows, or why there are none."""
    rows: list[tuple[object, ...]] = []
    with stream(reader.stream(bytes(path))) as given:  # type: ignore[attr-defined]
        kinds = formats(given)
        while True:
            array = Array()
            if given.get_next(byref(given), byref(array)):
                return str(given.get_last_error(byref(given)).decode())
            if not array.release:
                return rows
            kept = draw.randrange(array.n_children)
            moved = Array.from_buffer_copy(array.children[kept].contents)
            array.children[kept].contents.release = type(moved.release)()
            columns = [column(kind, array.children[number].contents) for number, kind in enumerate(kinds)]
            array.release(byref(array))
            assert column(kinds[kept], moved) == columns[kept]
            moved.release(byref(moved))
            rows += zip(*columns, strict=True)


def main() -> None:
    reader, draw, taken = load("columns", sys.argv[1]), random.Random(7), 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "1.tsv"
        assert "opened" in read(reader, path, draw)
        for number in range(ROUNDS):
            text = bytearray(WHOLE * draw.choice((1, 1, 3)))
            if number == 1:
                text *= 20_000
            elif number:
                for _ in range(draw.randrange(1, 4)):
                    at = draw.randrange(len(text) + 1)
                    text[at:at + draw.choice((0, 0, 1, 2, 8))] = draw.choice(PARTS)
                del text[draw.choice((len(text), len(text), draw.randrange(len(text) + 1))):]
            path.write_bytes(text)
            rows = read(reader, path, draw)
            if isinstance(rows, list):
                taken += 1
                assert len(rows) == text.count(b"\n")
                assert [row[-1] for row in rows] == list(range(len(rows)))
                given = ["\t".join(str(value or "") for value in row[4:11]) for row in rows]
                assert given == ["\t".join(line.split("\t")[4:11]) for line in text.decode().split("\n")[:-1]]
    print(f"read {taken} of {ROUNDS}")


if __name__ == "__main__":
    main()
