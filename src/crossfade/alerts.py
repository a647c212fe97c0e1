"""Alerts as the server keeps them: stepped on with the conditions that hold, acknowledged, silenced, listed."""

import asyncio
from collections.abc import Callable, Iterable, Iterator

import structlog
from msgspec import Struct

from crossfade.core.alert import (
    ANY,
    MAX_NAME,
    MAX_TEXT,
    Alert,
    AlertError,
    AlertKey,
    Condition,
    Evidence,
    Pace,
    Severity,
    Silence,
    Transitions,
    plain,
)
from crossfade.core.clock import DAY, SECOND, Clock
from crossfade.core.payloads import Service
from crossfade.state.deliveries import Delivery
from crossfade.state.errors import StateError
from crossfade.state.repository import State

log = structlog.get_logger(__name__)

EVERY_S = 2.0
"""Seconds between two looks at the conditions."""
LONGEST_SILENCE = 30 * DAY
INFRASTRUCTURE = "infrastructureMetrics"


class Shown(Struct, frozen=True):
    """An alert with what else is to be known of it."""

    alert: Alert
    silence: Silence | None
    """The one that covers it and lasts longest."""
    deliveries: tuple[Delivery, ...]


class Alerts:
    """Any thread may call. Every method but `live` may raise StateError."""

    def __init__(self, state: State, clock: Clock, *, targets: Iterable[str] = (), pace: Pace | None = None) -> None:
        self._state = state
        self._clock = clock
        self._targets = tuple(targets)
        self._pace = pace or Pace()
        self._live = state.live_alerts()

    def live(self) -> tuple[Alert, ...]:
        """The open alerts, the newest first, from memory: as this process last saw them."""
        return self._live

    def consider(self, conditions: Iterable[Condition], now: int | None = None) -> Transitions:
        """Take the alerts one step on: `conditions` are all that hold now. What is to be told is in the outbox then."""
        at = self._clock.now() if now is None else now
        made = self._state.step_alerts(conditions, at=at, pace=self._pace, targets=self._targets)
        for transition in made.changes:
            alert = transition.alert
            log.info("alert", change=transition.change.value, alert=alert.id, component=alert.key.component,
                     check=alert.key.check, severity=alert.severity.value, flaps=alert.flaps)
        self._refresh()
        return made

    async def run(self, conditions: Callable[[], Iterable[Condition]], woken: Callable[[], None]) -> None:
        """Consider the conditions again and again until cancelled; `woken` is called when there is news to deliver."""
        while True:
            try:
                made = await asyncio.to_thread(self.consider, conditions())
            except StateError:
                log.exception("alerts: they cannot be stepped on; they stay as they are")
            else:
                if made.notices:
                    woken()
            await asyncio.sleep(EVERY_S)

    def acknowledge(self, number: int, *, who: str, note: str | None = None) -> Alert:
        """Somebody knows of it. Raises AlertError when there is no such open alert."""
        told = None if note is None else plain(note, MAX_TEXT)
        made = self._state.acknowledge_alert(number, who=who, at=self._clock.now(), note=told)
        self._refresh()
        return made

    def silence(self, component: str, check: str = ANY, *, seconds: float, reason: str, who: str) -> Silence:
        """Tell nothing of what matches, for so many seconds. Raises AlertError for one that cannot be meant."""
        now = self._clock.now()
        length = int(seconds * SECOND)
        if not 0 < length <= LONGEST_SILENCE:
            raise AlertError("a silence lasts up to 30 days, and then expires")
        names = plain(component, MAX_NAME).strip(), plain(check, MAX_NAME).strip()
        why = plain(reason, MAX_TEXT).strip()
        if not all(names) or not why:
            raise AlertError("a silence needs a component, a check and a reason")
        return self._state.add_silence(Silence(*names, now + length, why, who, now))

    def unsilence(self, number: int, *, who: str) -> Silence:
        """End a silence before its time. Raises AlertError when there is none."""
        return self._state.end_silence(number, who=who, at=self._clock.now())

    def silences(self) -> tuple[Silence, ...]:
        """Those that have not expired."""
        return self._state.silences(self._clock.now())

    def shown(self, *, everything: bool = False, limit: int = 100, before_id: int | None = None) -> tuple[Shown, ...]:
        """The open alerts, or all that there were, the newest first, each with its silence and its deliveries."""
        now = self._clock.now()
        found = self._state.alerts(limit, before_id) if everything else self._state.live_alerts()[:limit]
        if not found:
            return ()
        silences = self._state.silences(now)
        told = self._state.deliveries({alert.key.component for alert in found}, min(map(_began, found)))
        groups = _Groups(found, told)
        return tuple(Shown(alert, _covering(silences, alert, now), groups.about(alert)) for alert in found)

    def _refresh(self) -> None:
        self._live = self._state.live_alerts()


def service_conditions(services: Iterable[Service]) -> Iterator[Condition]:
    """What is wrong with the parts that the rest stands on, as they were probed last."""
    for service in services:
        if service.status in {"down", "degraded"}:
            yield Condition(
                AlertKey(INFRASTRUCTURE, f"service {service.name}"),
                Severity.CRITICAL if service.status == "down" else Severity.WARNING,
                f"{service.name} does not answer as it should", f"{service.name} is {service.status}: {service.detail}",
                Evidence(figure=service.uptime, threshold=100.0, n=service.probes))


class _Groups:
    """Deliveries by what they told of: alerts of one component with one cause."""

    def __init__(self, alerts: Iterable[Alert], deliveries: Iterable[Delivery]) -> None:
        self._told: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in deliveries:
            self._told.setdefault((delivery.component, delivery.cause), []).append(delivery)
        self._began: dict[tuple[str, str], int] = {}
        for alert in alerts:
            if alert.live:
                self._began[alert.group] = min(_began(alert), self._began.get(alert.group, alert.since))

    def about(self, alert: Alert) -> tuple[Delivery, ...]:
        """Those made while the alert was open; one that joined an open group was not told of by itself."""
        first = self._began.get(alert.group, alert.since) if alert.live else _began(alert)
        last = alert.closed_at
        return tuple(
            delivery for delivery in self._told.get(alert.group, ())
            if delivery.made_at >= first and (alert.live or (last is not None and delivery.made_at <= last)))


def _began(alert: Alert) -> int:
    return alert.since if alert.opened_at is None else min(alert.since, alert.opened_at)


def _covering(silences: Iterable[Silence], alert: Alert, now: int) -> Silence | None:
    return max((silence for silence in silences if silence.covers(alert.key, now)),
               key=lambda silence: silence.until, default=None)
