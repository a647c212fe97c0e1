"""What was measured once, as the gates of a rehearsal look at it: quality, events, alerts, live figures of the past.

What was not recorded is no data. Slots are counted as wholes, as the monitor counts them.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Protocol

from msgspec.structs import replace

from crossfade.controller import COMPONENT
from crossfade.core.alert import Alert, Status
from crossfade.core.clock import DAY, HOUR, MINUTE, SECOND
from crossfade.core.comparison import Reference
from crossfade.core.days import Days
from crossfade.core.fact import of_alerts, of_ledger, of_live, of_quality
from crossfade.core.gate import NOTHING, Fact, Gate
from crossfade.core.ledger import FED_BY_EVENTS, Standing
from crossfade.core.ledger import NOTHING as NO_EVENTS
from crossfade.core.plan import Plan
from crossfade.core.quality import assess
from crossfade.core.reading import Origin
from crossfade.core.rollout import State, since
from crossfade.core.tally import Agreement, Tally, merge, merge_all
from crossfade.core.threshold import Ledger, Thresholds, Window
from crossfade.observer import Observer
from crossfade.state.repository import State as Database

SECTIONS: Mapping[str, str] = {
    "business": "businessMetrics", "system": "systemMetrics", "infrastructure": "infrastructureMetrics",
    "history": "historicalData",
}
"""Of the built-in components, where the dashboard shows them."""
OF_EVENTS = frozenset({"completeness", "sent", "missing"})
"""Of the ledger, what can be told of the past."""
AWAKE = 2 * MINUTE
"""A server that said nothing for so long was not there: no alert then is no fact."""
PAGE = 1_000
_AGE = re.compile(r"([1-9][0-9]{0,3})([dh])")


class Sample(Protocol):
    """Figures that were shown in a slot of time, by their paths."""

    @property
    def start(self) -> int: ...
    @property
    def length(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def as_of(self) -> int: ...
    @property
    def figures(self) -> Mapping[str, float]: ...


Samples = Callable[[str, int, int], Iterable[Sample]]
"""Of a component over a span, in the order of their starts."""


def span(text: str, days: Days, now: int) -> tuple[int, int]:
    """What ``yesterday``, a date, ``7d`` or ``12h`` means: from when to when. Raises ValueError."""
    age = _AGE.fullmatch(text)
    if age is not None:
        return now - int(age[1]) * (DAY if age[2] == "d" else HOUR), now
    try:
        day = days.of(now) - timedelta(days=1) if text == "yesterday" else date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no span of the past: give yesterday, a date such as 2026-11-20, "
                         "7d or 12h") from None
    begin, end = days.bounds(day)
    if begin >= now:
        raise ValueError(f"{text} is not past: nothing is recorded of it")
    return begin, min(end, now)


class Recorded:
    """The facts of a span of the past. What it needs is read when it is made, but for who was there when."""

    def __init__(self, state: Database, observer: Observer, thresholds: Thresholds, window: Window, *,
                 sections: Mapping[str, str] = SECTIONS, samples: Samples | None = None) -> None:
        """``sections``: component by the section that live figures name. Raises StateError."""
        self._state = state
        self._thresholds = thresholds
        self._sections = sections
        self._pasts = {name: _Past(name, observer, window) for name in sections.values()}
        self._alerts = _alerts(state, window)
        self._shown = {name: [] if samples is None else list(samples(name, window.since, window.until))
                       for name in sections.values()}

    async def __call__(self, plan: Plan, state: State, now: int) -> Mapping[str, Fact]:
        """By the gates' names. Raises StateError."""
        return {gate.name: self._fact(gate, Window(since(gate, state, now), now + 1))
                for gate in plan.phases[state.phase].gates}

    @property
    def coarseness(self) -> int:
        """The length of the longest slot, in microseconds; 0 if nothing is recorded."""
        return max((length for past in self._pasts.values() for _, length, _ in past.slots), default=0)

    def _fact(self, gate: Gate, window: Window) -> Fact:
        family, _, name = gate.figure.partition(".")
        match family:
            case "quality":
                return self._quality(gate.component, name, window)
            case "ledger":
                return self._events(name, window.until)
            case "alerts":
                return self._alerted(name, gate.component, window.until)
        return self._live(name, window.until - 1)

    def _quality(self, component: str, name: str, window: Window) -> Fact:
        past = self._pasts.get(component)
        if past is None:
            return NOTHING
        tally = past.over(window)
        known = past.before(window.until)
        proof = known.compared.get(Reference.RECOUNT.value)
        if proof is not None:
            tally.compared[Reference.RECOUNT.value] = proof
        account = Ledger(tally.due, min(tally.due, tally.arrived)) if tally.due else None
        # A slot may hold answers from behind the moment: their age is what it was when they were given.
        asked = window.until if tally.newest is None else max(window.until, tally.newest[0])
        return of_quality(assess(tally, window, self._thresholds, now=asked, ledger=account), name)

    def _events(self, name: str, now: int) -> Fact:
        known = [past.before(now) for component, past in self._pasts.items() if component in FED_BY_EVENTS]
        most = max(known, key=lambda tally: tally.due, default=None)
        return NOTHING if most is None or name not in OF_EVENTS else of_ledger(_standing(most), name)

    def _alerted(self, name: str, component: str, now: int) -> Fact:
        if not self._state.alive(now - AWAKE, now):
            return NOTHING
        return of_alerts((_as_of(alert, now) for alert in self._alerts), name, component)

    def _live(self, path: str, now: int) -> Fact:
        section, _, rest = path.partition(".")
        for sample in reversed(self._shown.get(self._sections.get(section, ""), [])):
            if sample.source == Origin.REAL and sample.start <= now < sample.start + sample.length:
                fresh = sample.start + sample.length - sample.as_of <= self._thresholds.fresh_s * SECOND + MINUTE
                return of_live(sample.figures.get(rest.removeprefix("-1."))) if fresh else NOTHING
        return NOTHING


class _Past:
    """One component's slots, added up from moment to moment."""

    def __init__(self, component: str, observer: Observer, window: Window) -> None:
        self._component = component
        self.slots = observer.series(component, window.since, window.until)
        self._starts = [start for start, _, _ in self.slots]
        first = self._starts[0] if self._starts else window.since
        self._sums = [_kept(observer.tally(component, 0, first))]
        """What was compared and sent up to each slot, and before them all."""
        for _, _, tally in self.slots:
            self._sums.append(merge(self._sums[-1], _kept(tally)))
        self._grown: tuple[int, int, Tally] = 0, 0, Tally(component)

    def over(self, window: Window) -> Tally:
        """All slots that overlap the window, as a tally of its own."""
        last = bisect_right(self._starts, window.until - 1)
        first = bisect_right(self._starts, window.since)
        while first > 0 and self.slots[first - 1][0] + self.slots[first - 1][1] > window.since:
            first -= 1
        begun, upto, tally = self._grown
        if begun != first or upto > last:
            upto, tally = first, Tally(self._component)
        self._grown = first, last, merge_all(self._component, [tally, *(slot[2] for slot in self.slots[upto:last])])
        return merge(Tally(self._component), self._grown[2])

    def before(self, moment: int) -> Tally:
        """What was compared and sent until then, from the beginning of the record."""
        return self._sums[bisect_right(self._starts, moment - 1)]


def _kept(tally: Tally) -> Tally:
    """What counts from the beginning, and not over a window."""
    return Tally(tally.component, due=tally.due, arrived=tally.arrived,
                 compared={kind: Agreement(found.agreeing, found.compared, found.within_noise)
                           for kind, found in tally.compared.items()})


def _standing(tally: Tally) -> Standing:
    arrived = min(tally.arrived, tally.due)
    return replace(NO_EVENTS, sent=tally.due, arrived=arrived, missing=tally.due - arrived)


def _alerts(state: Database, window: Window) -> Sequence[Alert]:
    """Those that were open in the window, but for what is about rollouts."""
    found: list[Alert] = []
    page = state.alerts(PAGE)
    while page:
        found += page
        page = state.alerts(PAGE, before_id=page[-1].id)
    return [alert for alert in found if alert.key.component != COMPONENT and alert.opened_at is not None
            and alert.opened_at < window.until and (alert.closed_at is None or alert.closed_at > window.since)]


def _as_of(alert: Alert, moment: int) -> Alert:
    """As it stood then. Of one that came back only the first opening and the last closing are known."""
    was_open = (alert.opened_at is not None and alert.opened_at <= moment
                and (alert.closed_at is None or alert.closed_at > moment))
    return replace(alert, status=Status.OPEN if was_open else Status.CLOSED)
