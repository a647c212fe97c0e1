"""Watches the quality of every component: assesses it every few seconds, and says what is wrong and what to do.

Accuracy is told as it stands: of all windows that were ever compared with the recount, those that do not agree now.
Everything else is told over the window that is asked for.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog
from msgspec import Struct

from crossfade.core.advice import Recommendation, recommend
from crossfade.core.alarm import alerts
from crossfade.core.alert import Condition
from crossfade.core.clock import SECOND, Clock
from crossfade.core.comparison import Comparison, Reference, compare, of_window
from crossfade.core.flag import Flags, shadows, share
from crossfade.core.ledger import FED_BY_EVENTS, Standing
from crossfade.core.quality import Health, Quality, assess, health
from crossfade.core.recounted import Recounted
from crossfade.core.tally import Agreement, Tally
from crossfade.core.threshold import Ledger, Thresholds, Window
from crossfade.observer import Observer
from crossfade.reader import Reader
from crossfade.state.errors import StateError
from crossfade.store.port import StoreError

log = structlog.get_logger(__name__)

PERIOD_S = 5.0
"""Seconds between two looks."""
ASK_EVERY = 15 * SECOND
"""Microseconds between two calls of a real source that nobody looks at."""


class View(Struct, frozen=True):
    """What the last look found."""

    at: int
    qualities: tuple[Quality, ...] = ()
    conditions: tuple[Condition, ...] = ()


class Monitor:
    """Looks by itself while it runs; any thread may ask in between."""

    def __init__(self, reader: Reader, observer: Observer, flags: Callable[[], Flags], clock: Clock, *,
                 thresholds: Thresholds, window_s: float, ledger: Callable[[], Standing],
                 mismatches: Callable[[], Sequence[Recounted]]) -> None:
        """``window_s``: what is looked at, unless somebody asks for another. ``ledger`` tells of all trackers together,
        ``mismatches`` what does not agree with the recount just now; both may raise StoreError or StateError.
        """
        self._reader = reader
        self._observer = observer
        self._flags = flags
        self._clock = clock
        self.thresholds = thresholds
        self._window = int(window_s * SECOND)
        self._ledger = ledger
        self._mismatches = mismatches
        self._sent: int | None = None
        self._arrived = 0
        self._asked_at = 0
        self.view = View(clock.now())
        self.trouble: str | None = None
        """Why the view is older than it should be."""

    async def run(self) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            try:
                await self._ask()
                self.view = await asyncio.to_thread(self.look)
                self.trouble = None
            except (StateError, StoreError) as error:
                self.trouble = f"quality cannot be told now: {error}"
                log.warning("monitor: quality cannot be told now", error=str(error))
            except Exception as error:  # nothing may end the watch
                self.trouble = f"quality cannot be told now: {str(error) or type(error).__name__}"
                log.exception("monitor: a look failed")
            await asyncio.sleep(PERIOD_S)

    def look(self) -> View:
        """All components as they are. Raises StateError or StoreError."""
        now = self._clock.now()
        self._note_ledger(now)
        window = Window(now - self._window, now + 1)
        wrong = self._mismatches()
        qualities = tuple(self._standing(name, window, wrong) for name in self._reader.components)
        return View(now, qualities, alerts(qualities, self.thresholds, real=self._wanted_real()))

    def standing(self, component: str, window: Window) -> Quality:
        """One component over a window, with its accuracy as it stands. Raises StateError or StoreError."""
        return self._standing(component, window, self._mismatches())

    def quality(self, component: str, window: Window | None = None) -> Quality:
        """One component: as it stands, or over a window of the past. Raises StateError or StoreError."""
        if window is None:
            now = self._clock.now()
            return self.standing(component, Window(now - self._window, now + 1))
        tally = self._observer.tally(component, window.since, window.until)
        return self._assess(tally, window)

    def health(self) -> Health:
        return health(self.view.qualities)

    def recommendations(self) -> tuple[Recommendation, ...]:
        return recommend(self.view.qualities, self.thresholds)

    async def _ask(self) -> None:
        """Has real sources called that somebody should know of though nobody looks."""
        now = self._clock.now()
        if 0 <= now - self._asked_at < ASK_EVERY:
            return
        self._asked_at = now
        await asyncio.gather(*(self._reader.observe(name) for name in self.wanted()))

    def wanted(self) -> set[str]:
        """The components of which real values are shown to somebody, or read in the shadow."""
        flags = self._flags()
        return self._wanted_real() | {component.name for component in self._reader.components.values()
                                      if shadows(flags, component.flag)}

    def _wanted_real(self) -> set[str]:
        """The components of which some viewers should get real values."""
        flags = self._flags()
        return {component.name for component in self._reader.components.values() if share(flags, component.flag)}

    def _standing(self, component: str, window: Window, wrong: Iterable[Recounted]) -> Quality:
        tally = self._observer.tally(component, window.since, window.until)
        mismatches = comparisons(one for one in wrong if one.component == component)
        compared = max(self._observer.proof(component).compared, len(mismatches))
        if compared:
            tally.compared[Reference.RECOUNT.value] = Agreement(compared - len(mismatches), compared)
        for mismatch in mismatches:
            tally.add_example(mismatch)
        return self._assess(tally, window)

    def _assess(self, tally: Tally, window: Window) -> Quality:
        account = Ledger(tally.due, min(tally.due, tally.arrived)) if tally.due else None
        return assess(tally, window, self.thresholds, now=self._clock.now(), ledger=account)

    def _note_ledger(self, now: int) -> None:
        """What the trackers sent since the last look, and how much of that arrived; some arrives later.

        Both are counted beyond the most there ever was: what a tracker takes back and tells again is not sent twice.
        """
        account = self._ledger()
        sent, arrived = account.sent - account.waiting, account.arrived
        if self._sent is None:  # what was before, somebody else noted
            self._sent, self._arrived = sent, arrived
        due, arrived = max(0, sent - self._sent), max(0, arrived - self._arrived)
        self._sent, self._arrived = self._sent + due, self._arrived + arrived
        if due or arrived:
            for component in FED_BY_EVENTS & self._reader.components.keys():
                self._observer.accounted(component, due, arrived, now)


def comparisons(found: Iterable[Recounted]) -> list[Comparison]:
    """Each window of a recount as one comparison: its fields come from the same events, and prove no more than one."""
    return [
        of_window([
            compare(one.component, one.field, one.reported, one.recounted, Reference.RECOUNT,
                    window=(one.start, one.end), at=one.at) for one in several
        ]) for several in _windows(found).values()
    ]


def _windows(found: Iterable[Recounted]) -> Mapping[tuple[str, str, int, int], list[Recounted]]:
    windows: dict[tuple[str, str, int, int], list[Recounted]] = {}
    for one in found:
        windows.setdefault((one.component, one.kind, one.start, one.end), []).append(one)
    return windows

