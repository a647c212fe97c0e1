"""Crossfade as a library: an application declares components of its own, and reads them with their provenance."""

import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from crossfade.core.clock import Clock, SystemClock
from crossfade.core.flag import FlagError, Flags, FlagValue, canonical, check, names_of, seed, snake
from crossfade.core.reading import STAND_INS, Reading, Reason
from crossfade.reader import Reader, Watch
from crossfade.sources.component import Component
from crossfade.sources.function import FunctionSource

if TYPE_CHECKING:
    from crossfade.tracking import FlagFollower

FIRST_WORD_S = 1.0
"""Seconds for which a first reading waits to hear the flags from the server."""
_NAME = re.compile("[a-z][A-Za-z0-9]{0,59}")


Declared = TypeVar("Declared", bound=type)


class Crossfade:
    """The components of one application, its flags, and the reader of both.

    Read them here, or name the object in the server's setting ``components``: then they have flags in its API, quality,
    a rollout and a place on the dashboard like the built-in ones.
    """

    def __init__(self, *, flags: Mapping[str, FlagValue] | None = None, max_age: float = 1.0,
                 clock: Clock | None = None, watch: Watch | None = None, follow: str | None = None, key: str = "",
                 keep: str | os.PathLike[str] | None = None) -> None:
        """``flags``: values to begin with; the others come from the environment, as ``USE_REAL_ORDERS=true``.

        ``max_age``: seconds for which one computation serves all viewers. ``watch``: is told of every call and reading.
        ``follow``: the address of a server, whose flags then hold instead, from the first reading on, with its write
        key (``key``) and a file (``keep``) for the flags as they last were; see ``FlagFollower``. A component that the
        server has no flag for is mock. Raises ValueError when ``flags`` are given too.
        """
        if follow is not None and flags:
            raise ValueError("flags that are followed cannot be given as well")
        self._wanted = dict(flags or {})
        self._max_age = max_age
        self._clock = clock or SystemClock()
        self._watch = watch
        self._declared: dict[str, Component] = {}
        self._values: dict[str, FlagValue] = {}
        self._reader: Reader | None = None
        self._follow = None if follow is None else partial(_follower, follow, key, keep, self._clock)
        self._follower: FlagFollower | None = None
        self._heard = follow is None

    @property
    def components(self) -> tuple[Component, ...]:
        """All that were declared, in their order."""
        return tuple(self._declared.values())

    def component(self, name: str, *, model: type[Struct], timeout: float = 5.0, stale_limit: float = 300.0,
                  stand_ins: Sequence[Reason] = STAND_INS, shadow_share: float = 1.0) -> Callable[[Declared], Declared]:
        """Declares a component by a class with the functions ``real``, ``mock`` and, where there is one, ``legacy``.

        They are called as ``Orders.real()``, without parameters, and may be sync or async; see ``sources/function.py``.
        ``mock`` may be left out, as it is once it was retired: then nothing is shown before the real source is.
        ``name``: as in the API, such as ``orders`` or ``openOrders``; its flag is then ``use_real_open_orders``. The
        other parameters are those of ``Component``. Raises ValueError for a name that cannot be one or is taken.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a component: letters and digits, as in openOrders")
        if name in self._declared:
            raise ValueError(f"the component {name!r} is declared twice")

        def declare(sources: Declared) -> Declared:
            found = {part: FunctionSource(function) for part in ("mock", "real", "legacy")
                     if callable(function := getattr(sources, part, None))}
            if "real" not in found:
                raise ValueError(f"the component {name!r} lacks the function real")
            self._declared[name] = Component(
                name, name, f"use_real_{snake(name)}", found.get("mock"), found["real"], timeout, stale_limit,
                found.get("legacy"), tuple(stand_ins), shadow_share, model,
            )
            self._reader = None
            return sources

        return declare

    async def read(self, name: str, viewer: str | None = None) -> Reading:
        """The component as the viewer sees it now. Raises KeyError for one that was not declared; nothing else."""
        reader = self._read_with()
        if not self._heard and self._follower is not None:
            await asyncio.to_thread(self._follower.wait, FIRST_WORD_S)
            self._heard = True
        return await reader.read(name, viewer)

    def set(self, **values: FlagValue) -> None:
        """Sets flags, all or none. Raises FlagError for one that there is not, or a value that it cannot have, and
        where the flags are a server's.
        """
        if self._follow is not None:
            raise FlagError("these flags are followed: change them at their server")
        names = self._names()
        changes = {canonical(name, names): value for name, value in values.items()}
        self._values.update({name: check(name, value) for name, value in changes.items()})

    @property
    def flags(self) -> Flags:
        """As they are now."""
        follower = self._following()
        return Flags(dict(self._values)) if follower is None else follower.flags

    async def close(self) -> None:
        """Ends what is read in the shadow, and follows no more."""
        if self._reader is not None:
            await self._reader.close()
        if self._follower is not None:
            await asyncio.to_thread(self._follower.close)

    def _read_with(self) -> Reader:
        """The reader of what is declared by now."""
        if self._reader is None:
            names = self._names()
            unknown = sorted(self._wanted.keys() - set(names))
            if unknown:
                raise FlagError(f"there is no flag {unknown[0]!r}; there are: {', '.join(names)}")
            wanted = {name: check(name, value) for name, value in self._wanted.items()}
            self._values = seed(os.environ, names) | wanted | self._values
            follower = self._following()
            flags = (lambda: Flags(self._values)) if follower is None else (lambda: follower.flags)
            self._reader = Reader(self.components, flags, self._clock, max_age=self._max_age, watch=self._watch)
        return self._reader

    def _following(self) -> "FlagFollower | None":
        """Made when it is first needed: a server that serves these components has no need to follow itself."""
        if self._follower is None and self._follow is not None:
            self._follower = self._follow()
        return self._follower

    def _names(self) -> tuple[str, ...]:
        return names_of(component.flag for component in self.components)


def _follower(url: str, key: str, keep: str | os.PathLike[str] | None, clock: Clock) -> "FlagFollower":
    # A server imports this file and follows nobody: it is spared the follower's part, with its HTTP client.
    from crossfade.tracking import FlagFollower  # noqa: PLC0415

    return FlagFollower(url, key, keep=keep, clock=clock)
