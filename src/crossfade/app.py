"""The composition root: builds the parts upon a data folder, starts them, stops them in the reverse order."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import date
from functools import reduce
from hashlib import blake2b

import structlog

from crossfade import __version__, controller, drill
from crossfade.access import OwnEvents, Passwords, Sessions, SignIn, Users
from crossfade.aggregator import Aggregator
from crossfade.alerts import Alerts, service_conditions
from crossfade.archive import Archive
from crossfade.auditor import Auditor
from crossfade.controller import Controller
from crossfade.core.alert import Alert, Condition, Pace
from crossfade.core.answers import Answers
from crossfade.core.clock import DAY, HOUR, SECOND, Clock
from crossfade.core.days import Days
from crossfade.core.event import Limits
from crossfade.core.flag import FlagValue, names_of, seed
from crossfade.core.ledger import Standing, add, stand
from crossfade.core.payloads import (
    BusinessMetrics,
    HistoryPoint,
    InfrastructureMetrics,
    IngestQueue,
    SystemMetrics,
)
from crossfade.core.threshold import Thresholds
from crossfade.courier import Courier, check
from crossfade.datafolder import DataFolder
from crossfade.declared import configured, find, together
from crossfade.drill import Drills
from crossfade.followers import Followers
from crossfade.ingest import Ingest
from crossfade.journal import Journal
from crossfade.keys import Keys, Verifier, obtain
from crossfade.loader import Loader
from crossfade.measure import Measured
from crossfade.monitor import Monitor, comparisons
from crossfade.notifier import Notifier
from crossfade.observer import Observer
from crossfade.packer import Packer
from crossfade.preflight import Preflight
from crossfade.reader import Reader
from crossfade.requestlog import RequestLog
from crossfade.retirements import Retirements
from crossfade.sampler import Sampler
from crossfade.secondreader import ClientTimer, SecondReader, parts
from crossfade.settings import Settings
from crossfade.sources.beside import Beside
from crossfade.sources.business import MockBusiness, RealBusiness
from crossfade.sources.component import Component
from crossfade.sources.history import MockHistory, RealHistory
from crossfade.sources.infrastructure import MockInfrastructure, RealInfrastructure
from crossfade.sources.probe import Impaired, Probe, target
from crossfade.sources.prober import Prober
from crossfade.sources.processes import Processes
from crossfade.sources.second import DiskReader, MachineReader
from crossfade.sources.system import MockSystem, RealSystem
from crossfade.state.repository import State
from crossfade.store.embedded import EmbeddedStore
from crossfade.store.port import Ledger

log = structlog.get_logger(__name__)

WORKERS = 32
"""Threads for what would block the event loop; they are made as they are needed."""
WRITE_SOURCE = 1
"""The number under which events of the write key are stored."""


class App:
    """Everything that a server needs, made but not started. Close it when it was not run."""

    def __init__(self, settings: Settings, clock: Clock, environment: Mapping[str, str]) -> None:
        """Raises DataFolderError, StoreError, StateError, FlagError, DeclarationError or TargetError: it cannot start.

        The message says why.
        """
        self.settings = settings
        self.clock = clock
        self.started_at = clock.now()
        self._closing = ExitStack()
        self._untouched = True
        try:
            self._build(settings, clock, environment)
        except BaseException:
            self._closing.close()
            raise

    def _build(self, settings: Settings, clock: Clock, environment: Mapping[str, str]) -> None:
        flags = seed(environment)
        targets = {name: address.get_secret_value() for name, address in settings.alert_targets.items()}
        check(targets)
        self._build_stores(settings, clock, environment, flags)
        self._build_access(clock)
        self._build_components(settings, clock)
        self._build_watch(settings, clock, targets)
        self._build_rollout(settings, clock)

    def _build_stores(self, settings: Settings, clock: Clock, environment: Mapping[str, str],
                      flags: Mapping[str, FlagValue]) -> None:
        """What is on disk, and what writes there."""
        self.folder = DataFolder(settings.data)
        self._closing.callback(self.folder.close)
        self.keys: Keys = obtain(settings.data, environment)
        self.admin = Verifier(self.keys.admin_token)
        self.writer = Verifier(self.keys.write_key)
        self.days = Days(settings.time_zone)
        self.state = State.open(self.folder.state)
        self._closing.callback(self.state.close)
        self.state.seed_flags(flags, at=self.started_at)
        self.store = EmbeddedStore(self.folder.events, self.days, memory_limit=settings.shares.engine)
        self._closing.callback(self.store.close)
        archive = Archive(self.folder.journal, keep_hours=settings.journal_keep_hours)
        self.journal = Journal(self.folder.journal, loaded_through=self.store.last_segment(),
                               max_unsynced=settings.shares.unsynced,
                               max_pending=int(settings.max_pending_mb * 1e6))
        self._closing.callback(self.journal.close)
        self.packer = Packer(archive, self.store.last_segment, clock)
        self._closing.callback(self.packer.close)
        self.loader = Loader(self.journal, self.store, clock, pack=self.packer.wake,
                             raw_keep_days=settings.raw_keep_days)
        self._closing.callback(self.loader.close)
        self.aggregator = Aggregator(self.store, self.state, self.days, clock)
        self._run = self.state.begin_run(self.started_at)
        self.loader.follow(self._note_alive)
        self.loader.follow(self.aggregator.follow)
        self.processes = Processes(self.store, clock, settings.request_window_s)
        self.loader.follow(self.processes.follow)
        self.auditor = Auditor(
            self.store, self.state, self.days, clock, self.folder.journal, lead=limits(settings).max_lead,
            share=settings.audit_cpu_share, repair=self._repair, count_days=self.aggregator.mend,
            emit=lambda found: self.observer.compared(comparisons(found)),
        )
        self._closing.callback(self.auditor.close)
        self.ingest = Ingest(self.journal, clock, limits(settings), max_plain=int(settings.max_body_mb * 4e6))

    def _build_access(self, clock: Clock) -> None:
        """Who may come in."""
        passwords, own = Passwords(), OwnEvents(lambda body: self.ingest.take("track", body, WRITE_SOURCE), clock)
        self.sessions = Sessions(self.state.people, clock)
        self.sign_in = SignIn(self.state.people, self.sessions, passwords, own, clock)
        self.users = Users(self.state.people, self.sessions, passwords, clock)

    def _build_components(self, settings: Settings, clock: Clock) -> None:
        """The dashboard's parts and their sources."""
        self.requests = RequestLog(settings.request_window_s, clock)
        self.answers = {route: Answers() for route in ("/v1", "/api", "other")}
        self.prober = Prober(
            self._probes(), clock, interval_s=settings.probe_interval_s, timeout_s=settings.probe_timeout_s
        )
        self._machine = MachineReader(clock)
        self._system = Beside(
            RealSystem(self.processes, self.requests, self.started_at, clock), self._machine.look, clock)
        self._infrastructure = Beside(
            RealInfrastructure(self.prober, self._queue, settings.data),
            DiskReader(settings.data, self.folder.journal, self.store.last_segment, clock).look, clock)
        self._parts = self._all_components()
        self.flag_names = names_of(component.flag for component in self._parts)
        self.state.ensure_flags((*self.flag_names, drill.FLAG), self.started_at)

    def _build_watch(self, settings: Settings, clock: Clock, targets: Mapping[str, str]) -> None:
        """What looks at the flags and the components, and tells."""
        self.followers = Followers(self.state.refresh, self.state.flags(), clock)
        self.alerts = Alerts(self.state, clock, targets=targets, pace=Pace(
            pending=int(settings.alert_pending_s * SECOND), hold=int(settings.alert_hold_s * SECOND)))
        self.notifier = Notifier(self.state, targets, Courier().send, clock, cap=settings.alert_daily_cap)
        self.observer = Observer(clock, self.state, self._run)
        self.reader = Reader(self._parts, self.state.flags, clock, max_age=settings.reading_max_age_s,
                             watch=self.observer)
        self.monitor = Monitor(
            self.reader, self.observer, self.state.flags, clock, thresholds=thresholds(settings),
            window_s=settings.quality_window_s, ledger=lambda: total(self.store.ledger()),
            mismatches=self.state.mismatches,
        )
        self.retirements = Retirements(
            self.state, self.reader, clock, lambda: {part.name: part.mock for part in self._all_components()
                                                     if part.mock is not None},
            after_days=settings.retire_after_days,
        )
        self.retirements.reconcile()
        self.sampler = Sampler(self.reader, self.state, clock, self.monitor.wanted)
        self._client = ClientTimer(self.requests, clock)
        self.second_reader = SecondReader(
            parts(self._system, self._infrastructure, self._machine, self.started_at), observe=self.reader.observe,
            wanted=self.monitor.wanted, emit=self.observer.compared, keep=self.state.put_samples, client=self._client,
            interval_s=settings.second_reader_interval_s, max_age_s=settings.reading_max_age_s,
        )

    def _build_rollout(self, settings: Settings, clock: Clock) -> None:
        """What changes flags by itself, or before it is needed."""
        measured = Measured(self.monitor, self.reader, ledger=lambda: total(self.store.ledger()), alerts=self._heeded)
        self.drills = Drills(
            self.state, self.followers, clock, configuration=fingerprint(settings, self.flag_names),
            components=self._switchable, all_allowed=settings.drill_all_components)
        self.preflight = Preflight(self.reader, self.store, measured, clock, behind=self.behind,
                                   drill=self.drills.held)
        self.controller = Controller(
            self.state.rollouts, self.state.refresh, clock, holder=f"{socket.gethostname()}:{os.getpid()}",
            measure=measured, behind=self.followers.behind,
            changed=lambda: self.followers.publish(self.state.flags()),
        )

    def _switchable(self) -> list[str]:
        """The flags of the components that are not real for good."""
        retired = self.state.flags().retired
        return [one.flag for one in self.reader.components.values() if one.flag not in retired]

    def reach(self, url: str) -> None:
        """Where the server answers: its second reader times requests of its own there."""
        self._client.url = here(url)

    def untouched(self) -> bool:
        """Whether no event has ever come. Raises StoreError."""
        self._untouched = self._untouched and not self.journal.pending_events and not self.store.last_segment()
        return self._untouched

    def close(self) -> None:
        self._closing.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Started within, stopped and closed after: what was acknowledged is on disk, whatever else happens."""
        tasks: list[asyncio.Task[None]] = []
        # Name look-ups that hang occupy threads of the same pool as the sources: let there be enough.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WORKERS, "worker"))
        try:
            self.packer.start()
            self.loader.start()
            self.auditor.start()
            tasks.append(asyncio.create_task(self.followers.run(), name="followers"))
            tasks.append(asyncio.create_task(self.prober.run(), name="prober"))
            tasks.append(asyncio.create_task(self.notifier.run(), name="notifier"))
            tasks.append(asyncio.create_task(self.observer.run(), name="observer"))
            tasks.append(asyncio.create_task(self.monitor.run(), name="monitor"))
            tasks.append(asyncio.create_task(self.controller.run(), name="rollout"))
            tasks.append(asyncio.create_task(self.sampler.run(), name="sampler"))
            tasks.append(asyncio.create_task(self.second_reader.run(), name="second reader"))
            tasks.append(asyncio.create_task(self.retirements.run(), name="retirements"))
            tasks.append(asyncio.create_task(self.alerts.run(self.conditions, self.notifier.wake), name="alerts"))
            yield
        finally:
            for task in reversed(tasks):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await self.reader.close()
            await asyncio.to_thread(self.observer.store)
            await asyncio.to_thread(self.close)

    def conditions(self) -> Iterable[Condition]:
        """Everything that is wrong at this moment: what alerts are made of."""
        return (*service_conditions(self.prober.services()), *self.monitor.view.conditions,
                *self.controller.conditions())

    def behind(self) -> tuple[str, ...]:
        """Names of the processes that are not known to have the present flags."""
        return self.followers.behind(self.state.flags().revision)

    def _heeded(self) -> Iterator[Alert]:
        """The alerts that a rollout looks at: not those about rollouts."""
        return (alert for alert in self.alerts.live() if alert.key.component != controller.COMPONENT)

    def _note_alive(self) -> None:
        self.state.touch_run(self._run, self.clock.now())

    def _repair(self, minutes: Collection[int], days: Collection[date]) -> None:
        """By the loader's thread, since no other changes the event store. Raises what the store raises."""
        self.loader.between(lambda: self.store.repair(minutes, days)).result()

    def _all_components(self) -> tuple[Component, ...]:
        return configured(together(self._components(), find(self.settings.components)), self.settings)

    def _components(self) -> tuple[Component, ...]:
        settings, as_of = self.settings, self.loader.as_of
        parts = (
            ("businessMetrics", "business", "use_real_business_metrics", BusinessMetrics,
             MockBusiness(settings.mock_seed),
             RealBusiness(self.store, self.state, as_of, int(settings.scan_timeout_h * HOUR))),
            ("systemMetrics", "system", "use_real_system_metrics", SystemMetrics, MockSystem(settings.mock_seed),
             self._system),
            ("infrastructureMetrics", "infrastructure", "use_real_infrastructure_metrics",
             InfrastructureMetrics, MockInfrastructure(settings.mock_seed), self._infrastructure),
            ("historicalData", "history", "use_real_historical_data", HistoryPoint,
             MockHistory(settings.mock_seed, self.days), RealHistory(self.store, self.state, self.days, as_of)),
        )
        return tuple(Component(name, section, flag, mock, real, model=model)
                     for name, section, flag, model, mock, real in parts)

    def _probes(self) -> tuple[Probe, ...]:
        own = (
            Probe("eventStore", self._ask_event_store),
            Probe("stateStore", self._ask_state_store),
            Probe("ingestQueue", self._ask_ingest_queue),
        )
        return (*own, *(target(name, address) for name, address in self.settings.targets.items()))

    def _queue(self) -> IngestQueue:
        return IngestQueue(self.journal.pending_events, self.journal.pending_bytes)

    async def _ask_event_store(self) -> str:
        status = await asyncio.to_thread(self.store.status)
        told = f"{status.stored:,} events, {status.bytes / 1e6:,.1f} MB"
        if status.quarantined:
            return Impaired(f"{told}, {status.quarantined:,} lines in quarantine")
        return told

    async def _ask_state_store(self) -> str:
        await asyncio.to_thread(self.state.ping)
        return "answers"

    async def _ask_ingest_queue(self) -> str:
        """The queue is well while the loader keeps within a few seconds of what is acknowledged."""
        now = self.clock.now()
        oldest = await asyncio.to_thread(self.journal.oldest_pending)
        waiting = f"{self.journal.pending_events:,} events waiting"
        if self.loader.trouble is not None:
            return Impaired(f"{waiting}: {self.loader.trouble}")
        if oldest is not None and now - oldest > 5 * SECOND:
            return Impaired(f"{waiting} for more than 5 s")
        return waiting


def here(url: str) -> str:
    """The address by which this machine reaches a server, which may listen on all of its addresses."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


@contextmanager
def lone_auditor(settings: Settings, clock: Clock) -> Iterator[Auditor]:
    """An auditor for a data folder that no server has, to be used by the calling thread.

    Raises DataFolderError, StoreError or StateError when the folder cannot be had.
    """
    with ExitStack() as closing:
        folder = closing.enter_context(DataFolder(settings.data))
        days = Days(settings.time_zone)
        state = State.open(folder.state)
        closing.callback(state.close)
        store = EmbeddedStore(folder.events, days, memory_limit=settings.shares.engine)
        closing.callback(store.close)
        yield Auditor(
            store, state, days, clock, folder.journal, lead=limits(settings).max_lead, share=0, repair=store.repair,
            count_days=Aggregator(store, state, days, clock).mend,
        )


def fingerprint(settings: Settings, flags: Iterable[str]) -> str:
    """What a drill was made with: another version, setting or component, and it must be made again."""
    told = (__version__, settings.model_dump_json(), *flags)
    return blake2b("\0".join(told).encode(), digest_size=8).hexdigest()


@contextmanager
def lone_state(settings: Settings) -> Iterator[State]:
    """The control database of a data folder that no server has. Raises DataFolderError or StateError."""
    with ExitStack() as closing:
        folder = closing.enter_context(DataFolder(settings.data))
        state = State.open(folder.state)
        closing.callback(state.close)
        yield state


def thresholds(settings: Settings) -> Thresholds:
    """How good is good enough, as the settings have it."""
    return Thresholds(
        quality=settings.quality_threshold, accuracy=settings.accuracy_threshold, fresh_s=settings.stale_limit_s,
        fallbacks_noted=settings.fallbacks_noted, fallbacks=settings.fallbacks_allowed, errors=settings.errors_allowed,
        error_rate=settings.error_rate_allowed, p95_ms=settings.p95_allowed_ms,
    )


def total(ledger: Ledger) -> Standing:
    """All trackers' events together."""
    return reduce(add, map(stand, ledger.entries), ledger.past)


def limits(settings: Settings) -> Limits:
    """What an event may be. One older than raw events are kept could not be told from a repeat, so it is refused."""
    oldest = min(settings.max_event_age_days, settings.raw_keep_days or settings.max_event_age_days)
    return Limits(int(settings.max_event_kb * 1000), oldest * DAY, int(settings.max_clock_lead_s * SECOND))
