"""Who takes over what dead processes left in the spools' folder."""

import logging
from pathlib import Path

from .spool import SPOOL, Spool

log = logging.getLogger("crossfade.tracking")


class Heirs:
    """Finds orphaned spools, the oldest first: their names are UUIDv7."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._shunned: set[str] = set()

    def next(self) -> Spool | None:
        """One that nobody holds, now held; None when there is none."""
        for path in self._folders():
            try:
                spool = Spool.adopt(path)
            except OSError as error:
                self._give_up(path.name, error)
                continue
            if spool is not None:
                return spool
        return None

    def shun(self, spool: Spool, error: OSError) -> None:
        """It cannot be read: it stays for another process, and nothing waits for it."""
        spool.abandon()
        self._give_up(spool.id + SPOOL, error)

    def _folders(self) -> list[Path]:
        try:
            return sorted(path for path in self._root.glob(f"*{SPOOL}") if path.name not in self._shunned)
        except OSError:  # not there yet, or not ours to read: the outbox tells of that
            return []

    def _give_up(self, name: str, error: OSError) -> None:
        self._shunned.add(name)
        log.warning("what another process left in %s cannot be delivered: %s", self._root / name, error)
