"""Where a rehearsal takes place: a control database in a folder that is thrown away, and controllers upon it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from crossfade.controller import Controller, Measure
from crossfade.core.clock import Clock
from crossfade.core.flag import FlagValue
from crossfade.state.database import Database
from crossfade.state.errors import StateError
from crossfade.state.repository import State
from crossfade.state.rollouts import Rollouts

WHO = "the rehearsal"


class Killed(BaseException):
    """The process is gone: nothing after this runs."""


class Server:
    """One process with a controller: its own connections to the database, as every server has."""

    def __init__(self, path: Path, clock: Clock, measure: Measure, behind: Callable[[], Sequence[str]],
                 name: str) -> None:
        """Raises StateError."""
        self.full = False
        """Whether the disk is full just now."""
        self.doomed = False
        """Whether it is killed at its next change, before that is on disk."""
        self.state = State.open(path, durable=False)
        self._database = Database.connect(path, durable=False)
        self.book = Rollouts(self._database, self._changing)
        self.controller = Controller(self.book, self.state.refresh, clock, measure=measure, holder=name,
                                     behind=lambda _: behind(), changed=lambda: None)

    def close(self) -> None:
        self._database.close()
        self.state.close()

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        if self.full:
            raise StateError("the control database cannot be written: the disk is full")
        with self._database.writing() as connection:
            yield connection
            if self.doomed:
                raise Killed


class Room:
    """One server to begin with. Close it when the rehearsal is over."""

    def __init__(self, folder: Path, clock: Clock, flags: Mapping[str, FlagValue], measure: Measure,
                 behind: Callable[[], Sequence[str]]) -> None:
        """``flags``: as they are at the beginning. ``behind``: processes that do not have them. Raises StateError."""
        self._path = folder / "state.sqlite"
        self._clock = clock
        self._measure = measure
        self._behind = behind
        self.first = self._server("the first server")
        self.second: Server | None = None
        self.first.state.seed_flags(flags, at=clock.now(), who=WHO)

    def join(self) -> None:
        """A second server starts."""
        self.second = self._server("the second server")

    def leave(self) -> None:
        """The second is gone, and let nobody know."""
        if self.second is not None:
            self.second.close()
            self.second = None

    def restart(self) -> None:
        """The first server starts anew: it knows what is on disk, and nothing else."""
        self.first.close()
        self.first = self._server("the first server, started anew")

    def close(self) -> None:
        self.leave()
        self.first.close()

    def _server(self, name: str) -> Server:
        return Server(self._path, self._clock, self._measure, self._behind, name)
