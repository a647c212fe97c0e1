"""The drill: a rollback that is made before it is needed, with real flags and every process, and timed.

By default it switches a flag that no component has: it goes the whole way to every process and back, and no viewer is
shown anything else. Where it is allowed it takes the components' own flags.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from crossfade.core.clock import Clock
from crossfade.core.flag import FlagValue
from crossfade.core.names import listed
from crossfade.followers import Followers
from crossfade.rollback import WAIT_S, RolledBack, rollback
from crossfade.state.repository import State
from crossfade.state.rollouts import Drill, RolloutError

FLAG = "use_real_drill"
"""It must be among the flags in the database."""
SLOWEST_S = 1.0
"""Within which the last process must have a rollback for the drill to pass."""


class Drills:
    """Makes them one at a time, and knows which still holds."""

    def __init__(self, state: State, followers: Followers, clock: Clock, *, configuration: str,
                 components: Callable[[], Sequence[str]], all_allowed: bool) -> None:
        """``configuration``: a fingerprint of what a drill is true for. ``components``: the ``use_real_…`` flags of
        those that can be switched.
        """
        self._state = state
        self._followers = followers
        self._clock = clock
        self._configuration = configuration
        self._components = components
        self._all_allowed = all_allowed
        self._turn = asyncio.Lock()

    def last(self) -> Drill | None:
        """The newest of the present configuration, passed or not; older ones say nothing. Raises StateError."""
        newest = next(iter(self._state.rollouts.drills(1)), None)
        return newest if newest is not None and newest.configuration == self._configuration else None

    async def held(self, who: str) -> Drill:
        """The drill that holds, or one made now. Raises StateError."""
        last = await asyncio.to_thread(self.last)
        return last if last is not None and last.problem is None else await self.make(who)

    async def make(self, who: str, *, everything: bool = False) -> Drill:
        """Switches, rolls back, restores and records. Raises RolloutError when it may not be made, or StateError."""
        if everything and not self._all_allowed:
            raise RolloutError("a drill of all components would show real data for a moment: allow it by the setting "
                               "drill_all_components")
        async with self._turn:
            live = await asyncio.to_thread(self._state.rollouts.live)
            if live is not None:
                raise RolloutError(f"rollout {live.id} ({live.plan.name}) is under way: a drill would disturb it")
            return await self._make(who, tuple(self._components()) if everything else (FLAG,))

    async def _make(self, who: str, flags: tuple[str, ...]) -> Drill:
        before = self._state.refresh().values
        problem = await self._switch(dict.fromkeys(flags, True), who)
        done = await rollback(self._state, self._followers, self._clock, flags, who=who, reason="drill")
        restored = {name: before[name] for name in (*flags, "fallback_on_error") if name in before}
        problem = problem or _problem(done) or await self._switch(restored, who)
        made = Drill(done.at, who, self._configuration, flags, round(done.milliseconds * 1_000), done.acknowledged,
                     done.unanswered, problem)
        return await asyncio.to_thread(self._state.rollouts.note_drill, made)

    async def _switch(self, values: Mapping[str, FlagValue], who: str) -> str | None:
        """Sets flags as anybody would; why that did not reach everybody."""
        began = time.perf_counter()
        await asyncio.to_thread(self._state.change_flags, values, who=who, at=self._clock.now(), reason="drill")
        flags = self._state.flags()
        self._followers.publish(flags)
        heard = await self._followers.wait(flags.revision, WAIT_S)
        if heard.unanswered:
            waited = time.perf_counter() - began
            return f"after {waited:.1f} s not known to have the flags: {listed(heard.unanswered)}"
        return None


def _problem(done: RolledBack) -> str | None:
    if done.unanswered:
        return f"not known to have been rolled back: {listed(done.unanswered)}"
    if done.milliseconds > SLOWEST_S * 1_000:
        return f"it took {done.milliseconds:.0f} ms to the last process, where {SLOWEST_S * 1_000:.0f} are allowed"
    return None
