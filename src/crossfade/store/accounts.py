"""The ledger's tables: notes what a segment brought from each tracker, within the segment's own transaction."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from crossfade.core import line
from crossfade.core.ledger import NOTHING, Arrivals, Entry, Heard, Standing, add, enter, is_settled, stand
from crossfade.core.summed import summed

from .port import Ledger
from .statements import Statements

_decode_entry = msgspec.json.Decoder(Entry).decode
_decode_standing = msgspec.json.Decoder(Standing).decode
_decode_nameless = msgspec.json.Decoder(dict[str, int]).decode


class Accounts:
    """For the thread that writes."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def hear(self) -> list[Heard]:
        """Takes the statements out of ``incoming``. Raises ValueError when one is none."""
        heard = [Heard(source, received, line.decode_statement(text))
                 for source, received, text in self._statements.all("statements")]
        if heard:
            self._statements.do("drop_statements")
        return heard

    def arrivals(self) -> dict[str, Arrivals]:
        """What is in ``incoming`` of each tracker, with repeats."""
        spans: dict[str, list[tuple[int, int]]] = {}
        for tracker, first, last in self._statements.all("spans_of_trackers"):
            spans.setdefault(tracker, []).append((first, last))
        return {
            tracker: Arrivals(source, received, lines, 0, tuple(sorted(spans.get(tracker, ()))))
            for tracker, lines, received, source in self._statements.all("lines_of_trackers")
        }

    def note(self, arrivals: Mapping[str, Arrivals], heard: Sequence[Heard]) -> None:
        """Enters it all, now that ``incoming`` is free of repeats."""
        left = self._statements.all("lines_of_trackers") if arrivals else ()
        stored = {tracker: lines for tracker, lines, *_ in left}
        told: dict[str, list[Heard]] = {}
        for one in heard:
            if one.statement.account is not None:
                told.setdefault(one.statement.account.id, []).append(one)
        trackers = sorted({*arrivals, *told})
        known = self._known(trackers) if trackers else {}
        entries = []
        for tracker in trackers:
            came = arrivals.get(tracker)
            if came is not None:
                came = msgspec.structs.replace(came, stored=stored.get(tracker, 0))
            entries.append(enter(known.get(tracker), came, told.get(tracker, ()), tracker))
        if entries:
            self._statements.do("put_entries", {
                "trackers": trackers, "seen": [entry.last_seen for entry in entries],
                "entries": [msgspec.json.encode(entry).decode() for entry in entries],
            })
        self._note_nameless(heard)

    def settle(self, before: int) -> int:
        """Adds up the trackers that were last heard of before the moment and of which nothing more will come."""
        found = self._statements.all("old_entries", {"before": before})
        settled = {tracker: entry for tracker, text in found if is_settled(entry := _decode_entry(text))}
        if settled:
            past = NOTHING
            for entry in settled.values():
                past = add(past, stand(entry))
            self._add_to_past(len(settled), past, {})
            self._statements.do("forget_entries", {"trackers": sorted(settled)})
        return len(settled)

    def _known(self, trackers: Sequence[str]) -> dict[str, Entry]:
        found = self._statements.all("entries", {"trackers": trackers})
        return {tracker: _decode_entry(text) for tracker, text in found}

    def _note_nameless(self, heard: Sequence[Heard]) -> None:
        nameless: Mapping[str, int] = {}
        for one in heard:
            nameless = summed(nameless, one.statement.nameless)
        if nameless:
            self._add_to_past(0, NOTHING, nameless)

    def _add_to_past(self, trackers: int, standing: Standing, nameless: Mapping[str, int]) -> None:
        count, before, refused = self._statements.one("past")
        self._statements.do("put_past", {
            "trackers": count + trackers,
            "standing": msgspec.json.encode(add(_decode_standing(before), standing)).decode(),
            "nameless": msgspec.json.encode(summed(_decode_nameless(refused), nameless)).decode(),
        })


def read(ask: Callable[[str], list[tuple]]) -> Ledger:  # type: ignore[type-arg]
    """The ledger as it is."""
    trackers, standing, nameless = ask("past")[0]
    entries = tuple(_decode_entry(text) for (text,) in ask("all_entries"))
    return Ledger(entries, trackers, _decode_standing(standing), _decode_nameless(nameless))
