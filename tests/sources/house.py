"""A journal, a store and a state as a server has them, and everything that recounts them."""

from datetime import date
from pathlib import Path

from crossfade.aggregator import Aggregator
from crossfade.archive import Archive
from crossfade.auditor.thread import _read_end
from crossfade.core.clock import MINUTE, SECOND, ManualClock, iso
from crossfade.core.days import Days
from crossfade.core.line import COLUMNS
from crossfade.journal import segment_path
from crossfade.sources.examiner import Examiner
from crossfade.sources.kept import Kept
from crossfade.sources.witness import Witnesses
from crossfade.state import State
from crossfade.store.embedded import EmbeddedStore

BASE = 1_790_000_040 * SECOND
"""A moment that is a whole minute."""
LEAD = 5 * MINUTE
M = BASE // MINUTE


def line(message: str, ts: int, event: str = "file_processed", user: str = "", *, properties: str = "{}",
         received: int | None = None, offset: int = 0) -> str:
    """A line of the journal, with empty columns where it has more than are told here."""
    told = ("1", str(ts if received is None else received), str(offset), iso(ts - offset), message, event, user, "", "",
            properties)
    return "\t".join((*told, *("",) * (len(COLUMNS) - len(told)))) + "\n"


class House:
    def __init__(self, folder: Path, zone: str = "UTC") -> None:
        self.journal = folder / "journal"
        self.journal.mkdir()
        self.days = Days(zone)
        self.clock = ManualClock(BASE)
        self.store = EmbeddedStore(folder / "e", self.days)
        self.state = State.open(folder / "s")
        self.aggregator = Aggregator(self.store, self.state, self.days, self.clock)
        self.archive = Archive(self.journal)
        self.number = 0
        self.paces = 0
        self.anew()

    def anew(self) -> None:
        """As after a restart."""
        self.kept = Kept(self.journal, LEAD)
        self.witnesses = Witnesses(self.store, self.kept, self.pace)
        self.examiner = Examiner(self.store, self.state, self.days, self.witnesses, self.clock, read_end=_read_end)

    def pace(self) -> None:
        self.paces += 1

    def write(self, *lines: str) -> int:
        """A segment that the loader has not seen yet."""
        self.number += 1
        segment_path(self.journal, self.number).write_text("".join(lines))
        return self.number

    def load(self, *lines: str) -> None:
        number = self.write(*lines)
        self.store.load(number, segment_path(self.journal, number))

    def begin(self) -> None:
        """Long before: from then on the journal tells everything."""
        self.load(line("begin", BASE - 60 * MINUTE, "begin"))

    def spoil(self, statement: str, *parameters: object) -> None:
        """Changes what stands in the store's tables."""
        self.store._connections.loader.execute(statement, parameters)

    def tell(self, since: int = BASE - 10 * MINUTE, until: int = BASE + 10 * MINUTE):
        return self.witnesses.tell(self.store.minutes(since, until), since, until)

    def wrong(self, since: int = BASE - 10 * MINUTE, until: int = BASE + 10 * MINUTE):
        """(minute after BASE, event, reported, recounted) of what does not agree."""
        examined = self.examiner.minutes(since, until)
        return [(w.start // MINUTE - M, w.field, w.reported, w.recounted) for w in examined.windows if not w.agrees]

    def wrong_days(self, *days: date):
        examined = self.examiner.closed_days(days)
        return [(w.kind, w.component, w.field, w.reported, w.recounted) for w in examined.windows if not w.agrees]

    def close(self) -> None:
        self.store.close()
        self.state.close()
