"""The ledger, as it is shown: totals, and a row a tracker, those that need a look first."""

from collections import Counter
from collections.abc import Iterable
from functools import reduce

import msgspec

from crossfade.core.clock import iso
from crossfade.core.ledger import (
    NOTHING,
    Entry,
    Liveness,
    Standing,
    add,
    completeness,
    liveness,
    stand,
)
from crossfade.store.port import Ledger, StoreStatus

from .live import Json

_ORDER = (Liveness.SILENT, Liveness.LIVE, Liveness.CLOSED)


def document(ledger: Ledger, status: StoreStatus, now: int, *, pending: int, listening_since: int,
             limit: int) -> dict[str, Json]:
    """Of the trackers' events and of all events.

    ``pending``: events that the store has not yet; ``limit``: rows of trackers at the most.
    """
    rows = [(entry, stand(entry), liveness(entry, now, listening_since)) for entry in ledger.entries]
    totals = reduce(add, (standing for _, standing, _ in rows), add(NOTHING, ledger.past))
    states = Counter(state for *_, state in rows)
    return {
        "at": iso(now),
        "completeness": completeness(totals),
        "totals": _numbers(totals),
        "states": {**{state.value: states[state] for state in _ORDER}, "settled": ledger.past_trackers},
        "store": {"stored": status.stored, "deduplicated": status.duplicates, "quarantined": status.quarantined,
                  "pending": pending, "rejectedOfOthers": dict(ledger.nameless)},
        "trackers": [_row(*row) for row in _first(rows, limit)],
    }


def _first(rows: Iterable[tuple[Entry, Standing, Liveness]], limit: int) -> list[tuple[Entry, Standing, Liveness]]:
    """Those with something missing first, then those that are silent, then by when they were last heard of."""
    def urgency(row: tuple[Entry, Standing, Liveness]) -> tuple[bool, bool, int]:
        entry, standing, state = row
        lost_touch = state is Liveness.SILENT and standing.waiting > 0
        return not standing.missing, not lost_touch, -entry.last_seen

    return sorted(rows, key=urgency)[:limit]


def _row(entry: Entry, standing: Standing, state: Liveness) -> dict[str, Json]:
    return {
        "tracker": entry.account.id, "process": entry.account.process, "state": state.value,
        "firstSeen": iso(entry.first_seen), "lastSeen": iso(entry.last_seen),
        "completeness": completeness(standing), **_numbers(standing),
        "gaps": [list(span) for span in standing.gaps],
    }


def _numbers(standing: Standing) -> dict[str, Json]:
    numbers: dict[str, Json] = msgspec.to_builtins(standing)
    del numbers["gaps"]
    return numbers
