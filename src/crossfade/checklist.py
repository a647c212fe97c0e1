"""Gathers what the guide's success criteria are judged by. What cannot be found out just now is unknown, with why."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from crossfade.app import App, total
from crossfade.core.checklist import FEW_CALLS, SIGNABLE, checklist
from crossfade.core.clock import DAY, HOUR, MINUTE
from crossfade.core.criterion import (
    Answered,
    Counted,
    Documented,
    Facts,
    Failed,
    Mocked,
    Mocks,
    Rehearsed,
    Row,
    Statement,
    Switches,
    Tracked,
    Unknown,
)
from crossfade.core.fact import of_quality
from crossfade.core.flag import Stage, names_of, own, share, stage
from crossfade.core.gate import Fact, Gate, Verdict, judge
from crossfade.core.quality import Quality
from crossfade.core.report import of_use
from crossfade.core.rollout import Move, Status
from crossfade.core.threshold import GUIDE, Window
from crossfade.sources.component import Source
from crossfade.state.errors import StateError
from crossfade.state.rollouts import Drill, Rollout
from crossfade.store.port import StoreError

MONTH = timedelta(days=31)
WATCHED = 7 * DAY
"""No further back are readings looked at for made-up values."""
SIGNED = "checklist: "
"""Before a criterion's name, as the audit log has its statements."""

Found = TypeVar("Found")


class CriterionError(ValueError):
    """Nobody can sign for this criterion: it is measured, or there is none of the name. The message says which can."""


def rows(app: App, behind: Sequence[str]) -> tuple[Row, ...]:
    """The checklist as it stands; it asks both stores, and belongs into a thread. Never raises.

    ``behind``: what ``app.behind`` says, which is to be asked on the event loop.
    """
    return checklist(Facts(
        flags=_found(lambda: _switches(app, behind)), tracking=_found(lambda: _tracked(app)),
        business=_found(lambda: _business(app)), aggregation=_found(lambda: _counted(app)),
        quality=_found(lambda: _qualities(app)), latency=_found(lambda: _answered(app)),
        errors=_found(lambda: _failed(app)), rollback=_found(lambda: _rehearsed(app)),
        mocks=_found(lambda: _mocks(app)), documentation=_found(lambda: _documented(app)),
    ))


def sign(app: App, name: str, *, who: str, reason: str) -> None:
    """Keeps that somebody states a criterion. Raises CriterionError where it is measured, or StateError."""
    if name not in SIGNABLE:
        raise CriterionError(f"nobody can sign for {name[:80]!r}; one can for: {', '.join(SIGNABLE)}")
    if not reason.strip():
        raise CriterionError("a statement needs a reason: where the documentation is, and what it says")
    app.state.sign(SIGNED + name, who=who, at=app.clock.now(), reason=reason.strip()[:1_000])


def _found(look: Callable[[], Found]) -> Found | Unknown:
    try:
        return look()
    except (StateError, StoreError) as error:
        return Unknown(str(error))


def _switches(app: App, behind: Sequence[str]) -> Switches:
    there, retired = {row.name for row in app.state.flag_rows()}, app.state.flags().retired
    wanted = names_of(one.flag for one in app.reader.components.values() if one.flag not in retired)
    return Switches(len(there & set(wanted)), tuple(name for name in wanted if name not in there), tuple(behind))


def _tracked(app: App) -> Tracked:
    now = app.clock.now()
    events = of_use(app.store.counts(now - DAY, now + 1))
    account = total(app.store.ledger())
    return Tracked(events, account.sent, account.arrived, account.waiting, account.missing)


def _business(app: App) -> Verdict | Unknown:
    found = _qualities(app)
    quality = None if isinstance(found, Unknown) else next(
        (one for one in found if one.component == "businessMetrics"), None)
    if quality is None:
        return found if isinstance(found, Unknown) else Unknown("there are no business metrics")
    gate = Gate("quality.validity", quality.component, least=GUIDE.quality, sample=FEW_CALLS)
    # What viewers were shown is no evidence of the source: its calls alone count.
    return judge(gate, Fact(quality.validity, quality.calls))


def _counted(app: App) -> Counted:
    now = app.clock.now()
    yesterday = app.days.of(now) - timedelta(days=1)
    counted = app.state.daily_stats(yesterday - MONTH, yesterday)
    row = counted.get(yesterday)
    return Counted(yesterday.isoformat(), None if row is None else row.aggregated_at, len(counted),
                   tuple(day.isoformat() for day in app.aggregator.lacking()))


def _qualities(app: App) -> tuple[Quality, ...] | Unknown:
    """As the monitor saw them last, unless that is long ago."""
    view = app.monitor.view
    if app.monitor.trouble is not None:
        return Unknown(app.monitor.trouble)
    if not view.qualities or app.clock.now() - view.at > MINUTE:
        return Unknown("nobody has looked at the quality for a minute")
    return view.qualities


def _answered(app: App) -> Answered | Unknown:
    found = _qualities(app)
    if isinstance(found, Unknown):
        return found
    summary = app.requests.summary(app.clock.now())
    return Answered(_judged(found, "latency_p95", GUIDE.p95_ms), summary.p95_ms, summary.requests)


def _failed(app: App) -> Failed | Unknown:
    rollout, since = app.state.rollouts.newest(), switched_at(app)
    if rollout is not None:
        over = rollout.state.status is Status.DONE
        window = Window(rollout.started_at, (rollout.state.seen_at if over else app.clock.now()) + 1)
    elif since is not None:
        window = Window(since, app.clock.now() + 1)
    else:
        return Unknown("the migration has not begun")
    found = [app.monitor.quality(name, window) for name in app.reader.components]
    return Failed(window, _judged(found, "error_rate", GUIDE.error_rate))


def _judged(found: Sequence[Quality], figure: str, most: float) -> tuple[Verdict, ...]:
    return tuple(judge(Gate(f"quality.{figure}", quality.component, most=most), of_quality(quality, figure))
                 for quality in found)


def _rehearsed(app: App) -> Rehearsed | None:
    """The last drill or the last rollout that went back, whichever is later."""
    drill, held = next(iter(app.state.rollouts.drills(1)), None), app.drills.last()
    reverted = next((one for one in app.state.rollouts.latest(100) if one.state.status is Status.REVERTED), None)
    found = [_of_drill(drill, holds=held is not None)] if drill is not None else []
    if reverted is not None:
        found.append(_of_reverted(app, reverted))
    return max(found, key=lambda one: one.at, default=None)


def _of_drill(drill: Drill, *, holds: bool) -> Rehearsed:
    return Rehearsed(drill.at, f"a drill by {drill.who}", drill.micros, drill.processes, drill.problem, holds)


def _of_reverted(app: App, rollout: Rollout) -> Rehearsed:
    """From the moment that it went back to the moment that all flags were; by somebody's rollback in one moment."""
    moments = {entry.action: entry.at for entry in app.state.audit(100, subject=rollout.subject)}  # the first of each
    began, ended = moments.get(f"rollout.{Move.REVERT}"), moments.get(f"rollout.{Move.REVERTED}")
    took = None if began is None or ended is None else max(0, ended - began)
    return Rehearsed(rollout.state.seen_at, f"the way back of rollout {rollout.id} ({rollout.plan.name})", took, None)


def _mocks(app: App) -> Mocks:
    """Of components that are real only what was served since they are; whole hours, as that is kept."""
    flags, now = app.state.flags(), app.clock.now()
    stages = {name: stage(flags, one.flag) for name, one in app.reader.components.items()}
    if not set(stages.values()) <= {Stage.REAL_ONLY, Stage.RETIRED}:
        return Mocks(tuple(Mocked(name, found, 0, 0) for name, found in stages.items()), None)
    names = {name for one in app.reader.components.values() for name in own(one.flag)[:2]} | {"fallback_on_error"}
    switches = [row.changed_at for row in app.state.flag_rows() if row.name in names]
    window = Window(-(-max([now - WATCHED, *switches]) // HOUR) * HOUR, now + 1)
    return Mocks(tuple(_mocked(app, name, found, window) for name, found in stages.items()), window)


def _mocked(app: App, name: str, found: Stage, window: Window) -> Mocked:
    tally = app.observer.tally(name, window.since, max(window.since, window.until))
    return Mocked(name, found, sum(tally.served.values()), tally.synthetic)


def _documented(app: App) -> Documented:
    described = {name: _says_what_it_is(one.real) for name, one in app.reader.components.items()}
    row = next(iter(app.state.audit(1, subject=SIGNED + "documentation")), None)
    return Documented(
        tuple(name for name, is_described in described.items() if is_described),
        tuple(name for name, is_described in described.items() if not is_described),
        None if row is None else Statement(row.who, row.at, row.reason or ""),
    )


def _says_what_it_is(source: Source) -> bool:
    """By its own docstring, and none that it inherits; a function's stands for the source that is made of it."""
    own = vars(source) if "__doc__" in vars(source) else vars(type(source))
    return bool((own.get("__doc__") or "").strip())


def switched_at(app: App) -> int | None:
    """When the first of the components that are real became so; None if none is. Raises StateError."""
    flags = app.state.flags()
    on = {one.flag for one in app.reader.components.values() if share(flags, one.flag)}
    return min((row.changed_at for row in app.state.flag_rows() if row.name in on), default=None)
