"""Back to before: components off their real sources in one transaction, which every process is told of at once.

It needs the state database alone, and threads of its own: sources that hang hold up no rollback.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from msgspec import Struct

from crossfade.core.clock import Clock
from crossfade.core.flag import retreat
from crossfade.followers import Followers
from crossfade.state.flags import FlagChange
from crossfade.state.repository import State

WAIT_S = 2.0
"""Seconds for which a rollback waits for acknowledgements, unless it is told otherwise."""

_threads = ThreadPoolExecutor(2, "rollback")


class RolledBack(Struct, frozen=True):
    """What a rollback came to."""

    at: int
    revision: int
    """Of the flags since then."""
    changed: tuple[FlagChange, ...]
    """Empty when all was off before; then too it was made sure that every process knows."""
    transaction_ms: float
    """Milliseconds until the change was on disk."""
    milliseconds: float
    """From the beginning to the last acknowledgement; with none to wait for, to the transaction's end."""
    acknowledged: int
    """Processes that have the flags, the server among them."""
    unanswered: tuple[str, ...]
    """Names of the processes that are not known to have them."""


async def rollback(
    state: State, followers: Followers, clock: Clock, flags: Iterable[str], *, who: str, reason: str,
    timeout: float = WAIT_S, timer: Callable[[], float] = time.perf_counter,  # noqa: ASYNC109  an answer, not an error
) -> RolledBack:
    """Turns these ``use_real_…`` flags off and allows stand-ins, tells every process, and waits for their answers.

    ``timeout``: seconds that it waits at the most; 0 does not wait. Raises StateError when nothing was changed.
    """
    began, at = timer(), clock.now()
    change = partial(state.rollouts.take_back, retreat(flags, state.flags().retired), who=who, at=at, reason=reason)
    made = await asyncio.get_running_loop().run_in_executor(_threads, change)
    stored = timer()
    current = state.flags()
    followers.publish(current)
    heard = await followers.wait(current.revision, timeout)
    transaction = (stored - began) * 1_000
    return RolledBack(at, current.revision, made, round(transaction, 3), round(transaction + heard.milliseconds, 3),
                      heard.count, heard.unanswered)
