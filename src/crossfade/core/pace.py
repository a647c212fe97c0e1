"""How long a rehearsal's next step is: short enough to see every change, long enough for a soak of a year."""

from .clock import DAY, MINUTE, SECOND
from .plan import Plan
from .rollout import State, Status

LOOKS = 30
"""At least so many while a step soaks …"""
MOST_LOOKS = 500
"""… and about so many at most, where they would be more than a minute apart."""
WEEK = 7 * DAY
"""After which a freeze comes back; and its end is looked for no longer."""


def pace(plan: Plan, state: State, now: int) -> int:
    """Microseconds to the next look; exactly to the end of a soak, a deadline or a freeze."""
    if state.status.over or state.status is Status.REVERTING:
        return SECOND
    phase = plan.phases[state.phase]
    waiting = state.status is Status.WAITING
    soaking = not waiting and state.soaked < phase.soak and state.skipped is None
    if not soaking and plan.frozen(phase, now) is not None:
        return _to_thaw(plan, state, now, WEEK if waiting else 15 * MINUTE)
    if waiting or state.paused is not None:
        return MINUTE
    if not state.known and state.spent >= phase.soak * (state.step + 1):
        return MINUTE
    span, done = (phase.soak, state.soaked) if soaking else (phase.deadline, state.spent)
    step = max(SECOND, min(span // LOOKS, max(MINUTE, span // MOST_LOOKS)))
    return max(SECOND, min(step, span - done)) if state.known else min(step, MINUTE)


def _to_thaw(plan: Plan, state: State, now: int, most: int) -> int:
    """To the minute in which no freeze is any more, but not further than that."""
    phase, minute = plan.phases[state.phase], now // MINUTE * MINUTE
    ahead = range(minute + MINUTE, minute + most, MINUTE)
    return next((at for at in ahead if plan.frozen(phase, at) is None), minute + most) - now
