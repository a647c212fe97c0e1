"""How the memory that a server may take is shared out. Pure."""

import re
from dataclasses import dataclass

WORKING = 213_000_000
"""Bytes that a busy process takes beside its store's engine and what waits in it, as ``bench/memory.py`` measures it;
150 MB of them are the interpreter and its libraries."""
LEAST = 384_000_000
"""Bytes below which there is no server."""
LEAST_ENGINE = 128_000_000
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE = re.compile(rf"(\d+(?:\.\d+)?)\s?({'|'.join(UNITS)})")


@dataclass(frozen=True, slots=True)
class Shares:
    """Bytes for each."""

    engine: int
    """The event store's."""
    bodies: int
    """Of requests, while they are read and judged."""
    unsynced: int
    """Events that wait for the disk; held twice while they are written."""


def parse(text: str) -> int:
    """Bytes; raises ValueError for what is no size such as 512MB or 1.5 GiB."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"a size is a number and one of {', '.join(UNITS)}, such as 512MB")
    return int(float(match[1]) * UNITS[match[2]])


def share(total: int, largest_body: int) -> Shares:
    """Three quarters of what is to be shared out for the engine, which is the quicker the more it has; the rest for
    what waits. Raises ValueError when that is too little.
    """
    if total < LEAST:
        raise ValueError(f"a server takes {LEAST // 10**6} MB at the least")
    spare = total - WORKING
    bodies = max(spare // 8, largest_body)
    unsynced = spare // 16
    engine = spare - bodies - 2 * unsynced
    if engine < LEAST_ENGINE:
        raise ValueError("a body of max_body_mb is too large for memory_limit: allow more memory, or smaller bodies")
    return Shares(engine, bodies, unsynced)
