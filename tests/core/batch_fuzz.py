"""Bodies, whole, cut and changed, for a compiled reader of batches that watches its own memory: run by test_batch.py.

``python batch_fuzz.py FILE``, the reader's.
"""

import random
import sys

from sanitized import load

ROUNDS = 60_000
PARTS = (b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u00e", b"\\ud8", b"-", b"1.", b"e+", b"null", b"tru",
         b"\x00", b"\xc3", b"\xed\xa0", b"\xf0\x9f\x98\x80", b'"sequence":12', b'"batch":[', b"[" * 70, b'{"a":' * 70,
         b'"timestamp":"2026-02-29T11:22:16Z"', b'"2026-11-22T11:22:16.9650"', b'"context":{"sessionId":"s"',
         b"x" * 120)
WHOLE = (b'{"batch":[{"type":"track","event":"processed","messageId":"m-1","timestamp":"2026-11-22T11:22:16.965+05:30",'
         b'"userId":"u","anonymousId":null,"sessionId":"","sequence":7,"properties":{"a":[1,2.5e-7,"\\u00e9",{}],"b":null},'
         b'"context":{"sessionId":"c","library":{"name":"x"}}},{"event":"e","messageId":"m","x":[[],{"y":true}]}],'
         b'"sentAt":"2026-11-22T11:22:17Z","writeKey":"K"}')


def main() -> None:
    reader = load("batch", sys.argv[1])
    draw, read = random.Random(7), 0
    for number in range(ROUNDS):
        body = bytearray(WHOLE)
        if number:
            for _ in range(draw.randrange(1, 4)):
                at = draw.randrange(len(body) + 1)
                body[at:at + draw.choice((0, 0, 1, 2, 8))] = draw.choice(PARTS)
        for text in (bytes(body), bytes(body[:draw.randrange(len(body) + 1)])):
            batch = reader.read(text)
            if batch is not None:
                read += 1
                batch.lines(b"1\t2\t3\t", draw.choice((b"", b"tracker")))
                assert len(batch.envelope) <= len(text) + 2
    print(f"read {read} of {2 * ROUNDS}")


if __name__ == "__main__":
    main()
