"""Gathers the report of a migration: of a rollout, or of the flags where there has been none."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from crossfade.app import App
from crossfade.checklist import rows, switched_at
from crossfade.core.alert import Alert
from crossfade.core.chronicle import Chronicle, chronicle
from crossfade.core.clock import MINUTE
from crossfade.core.criterion import Row
from crossfade.core.migration import Around, Drilled, Migration, Underway, migration
from crossfade.core.quality import Health, Quality
from crossfade.state.audit import AuditEntry
from crossfade.state.rollouts import Drill, Rollout, Step

MOST_ENTRIES = 2_000
"""Audit entries that a report has."""
MOST_INCIDENTS = 500
PAGE = 1_000
"""Steps that are read at a time."""


class Report(Struct, frozen=True):
    """All that is told. Moments are microseconds since the epoch."""

    at: int
    since: int
    until: int
    """The span that it is about."""
    rollout: Rollout | None
    migration: Migration
    story: Chronicle | None
    audit: tuple[AuditEntry, ...]
    """The first of the span."""
    drill: Drill | None
    """The last one before the end of the span."""
    incidents: tuple[Alert, ...]
    """Alerts that were open in the span, in the order in which they opened."""
    health: Health
    qualities: tuple[Quality, ...]
    """As they are now."""
    trouble: str | None
    """Why they are not of this moment."""
    checklist: tuple[Row, ...]


def gather(app: App, rollout: Rollout | None, behind: Sequence[str]) -> Report:
    """The report of the rollout, or of the flags without one. Raises StateError when the control database is away.

    ``behind``: what ``app.behind`` says, which is to be asked on the event loop; all else belongs into a thread.
    """
    now = app.clock.now()
    since, until = _span(app, rollout, now)
    story = None if rollout is None else chronicle(
        rollout.plan, rollout.state, _steps(app, rollout.id), app.state.flags())
    drill = next((drill for drill in app.state.rollouts.drills(100) if drill.at <= until), None)
    incidents = app.state.alerts_between(since, until, MOST_INCIDENTS)
    return Report(
        now, since, until, rollout, standing(app, rollout, behind), story,
        app.state.audit_between(since, until, MOST_ENTRIES), drill, tuple(reversed(incidents)),
        app.monitor.health(), app.monitor.view.qualities, app.monitor.trouble, rows(app, behind),
    )


def standing(app: App, rollout: Rollout | None, behind: Sequence[str]) -> Migration:
    """How the migration stands by this rollout, or by the flags alone. Raises StateError. ``behind``: as for `gather`.
    """
    drill = app.drills.last()
    around = Around(
        app.state.flags(), {name: one.flag for name, one in app.reader.components.items()}, app.alerts.live(),
        app.monitor.view.qualities, None if drill is None else Drilled(drill.at, drill.problem), tuple(behind),
        app.controller.trouble, switched_at(app),
    )
    found = None if rollout is None else Underway(
        rollout.plan, rollout.state, rollout.started_at, rollout.said, rollout.verdicts)
    return migration(found, around, app.clock.now())


def _span(app: App, rollout: Rollout | None, now: int) -> tuple[int, int]:
    """A little beyond the end: what the end brought about is told too."""
    if rollout is None:
        return switched_at(app) or app.started_at, now
    return rollout.started_at, min(now, rollout.state.seen_at + MINUTE) if rollout.state.status.over else now


def _steps(app: App, number: int) -> Iterator[Step]:
    after = 0
    while found := app.state.rollouts.steps(number, after=after, limit=PAGE):
        yield from found
        after = found[-1].id
