"""The witnesses: who tells, beside the tables that the real sources ask, what happened in a span of time.

The journal tells while it is kept and known; after that the stored events do. Both tell as of a segment, so that what
comes in meanwhile changes nothing. Where the journal disagrees with what is reported, it is asked once more, by name:
a line whose message another segment, perhaps one that is gone, had brought before is a repeat and no missing event.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from crossfade.core.clock import MINUTE
from crossfade.core.line import Line
from crossfade.core.recounted import Witness
from crossfade.store.port import EventStore, MinuteCounts
from crossfade.store.sift import fault

from .kept import TROUBLES, Kept, Pace, readable
from .recount import Count, Fact, detail, differing, per_minute, spans

log = structlog.get_logger(__name__)

AT_ONCE = 20_000
"""Stored events that are asked for in one go. The rest of a much longer answer waits in the store while this thread
rests, and what changes meanwhile cannot be tidied up."""
NAMES_AT_ONCE = 500_000
"""Events of the journal that are read in one go: who they are is held in memory, 65 bytes each. A minute that has more
is told by the stored events."""

_Name = tuple[int, str]
"""A message: its source and its id."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a witness tells of a span."""

    witness: Witness
    minutes: Mapping[tuple[int, str], int]
    count: Count
    """As it was counted at first; ``minutes`` has what became of it when the journal was asked again."""


class Witnesses:
    """Asks the journal where it can, else the raw events. Used by one thread."""

    def __init__(self, store: EventStore, kept: Kept, pace: Pace) -> None:
        self._store = store
        self._kept = kept
        self._pace = pace

    def catch_up(self, through: int) -> bool:
        """Lets the journal be looked at for a while; whether it has been up to ``through``."""
        try:
            return self._kept.scan(through, self._pace)
        except FileNotFoundError:
            return False  # it was packed or forgotten at this moment
        except TROUBLES as error:
            log.warning("recount: a file of the journal cannot be read", error=str(error))
            return False

    def journal_since(self) -> int | None:
        """From when on the journal tells everything; None when it does not."""
        return self._kept.since()

    def tell(self, reported: MinuteCounts, since: int, until: int) -> Told:
        """What happened in ``[since, until)``, as of the segment of what is reported. Raises StoreError."""
        if (self.catch_up(reported.segment) and self._kept.covers(since, reported.segment)
                and max(per_minute(reported.counts).values(), default=0) <= NAMES_AT_ONCE):
            try:
                return self._by_journal(reported, since, until)
            except TROUBLES as error:
                log.warning("recount: the journal cannot be read", error=str(error))
        return self.by_raw_events(reported, since, until)

    def by_raw_events(self, reported: MinuteCounts, since: int, until: int) -> Told:
        """What the stored events tell. Raises StoreError."""
        count = Count()
        for facts in self.raw_facts(reported, since, until):
            count.take(facts, reported.segment)
        return Told("raw events", count.minutes, count)

    def raw_facts(self, reported: MinuteCounts, since: int, until: int) -> Iterator[Sequence[Fact]]:
        """The stored events of a span, later segments' too; in parts. Raises StoreError."""
        for begin, end in spans(reported.counts, since, until, AT_ONCE):
            for facts in self._store.raw(begin, end):
                yield facts
                self._pace()

    def _by_journal(self, reported: MinuteCounts, since: int, until: int) -> Told:
        count = Count()
        for begin, end in spans(reported.counts, since, until, NAMES_AT_ONCE):
            for facts in self._facts(begin, end, reported.segment):
                count.take(facts, reported.segment)
                self._pace()
        wrong = differing(reported.counts, count.minutes)
        minutes = {**count.minutes, **self._asked_again(wrong, reported)} if wrong else count.minutes
        return Told("journal", {key: n for key, n in minutes.items() if n}, count)

    def _facts(self, since: int, until: int, through: int) -> Iterator[list[Fact]]:
        """The span's events by the journal's lines, each message once."""
        seen: set[int] = set()
        for number, pairs in self._lines(since, until, through):
            facts: list[Fact] = []
            for _, line in pairs:
                name = hash((line.source, line.message_id))
                if name not in seen:
                    seen.add(name)
                    facts.append((number, line.ts, line.event, detail(line.event, line.user_id, line.properties)))
            yield facts

    def _lines(self, since: int, until: int, through: int) -> Iterator[tuple[int, list[tuple[bytes, Line]]]]:
        for number, texts in self._kept.read(since, until, through):
            pairs = ((text, readable(text)) for text in texts)
            yield number, [(text, line) for text, line in pairs if line is not None and since <= line.ts < until]

    def _asked_again(self, wrong: set[tuple[int, str]], reported: MinuteCounts) -> dict[tuple[int, str], int]:
        """The true counts where journal and report disagree, message by message.

        Counted are messages that both know, those that the journal has and the store lost, and those that came with a
        segment that the journal no longer has.
        """
        since, until = min(wrong)[0] * MINUTE, (max(wrong)[0] + 1) * MINUTE
        told: dict[tuple[int, str], set[_Name]] = defaultdict(set)
        for _, pairs in self._lines(since, until, reported.segment):
            for text, line in pairs:
                if (line.ts // MINUTE, line.event) in wrong and fault(text) is None:
                    told[line.ts // MINUTE, line.event].add((line.source, line.message_id))
            self._pace()
        stored = self._stored(wrong, since, until, reported)
        unknown = {key: told[key] - stored[key].keys() for key in wrong}
        repeats = self._store.known({name for names in unknown.values() for name in names})
        return {
            key: len(told[key] - (unknown[key] & repeats)) + sum(
                1 for name, segment in stored[key].items() if name not in told[key] and not self._kept.knows(segment)
            )
            for key in wrong
        }

    def _stored(self, wrong: set[tuple[int, str]], since: int, until: int,
                reported: MinuteCounts) -> dict[tuple[int, str], dict[_Name, int]]:
        """The stored messages of those minutes and names, with the segments that brought them."""
        stored: dict[tuple[int, str], dict[_Name, int]] = defaultdict(dict)
        for begin, end in spans(reported.counts, since, until, AT_ONCE):
            for rows in self._store.messages(begin, end):
                for segment, ts, event, source, message_id in rows:
                    if segment <= reported.segment and (ts // MINUTE, event) in wrong:
                        stored[ts // MINUTE, event][source, message_id] = segment
                self._pace()
        return stored
