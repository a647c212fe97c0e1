"""The control plane's tables. Every moment is a BIGINT: microseconds since the epoch, UTC."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Named,
    String,
    Table,
    Text,
    TypedColumns,
    text,
)

# Names are given, so that a later migration can address every constraint on every database.
metadata = MetaData(naming_convention={
    "pk": "pk_%(table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
})


class FlagColumns(TypedColumns):
    """One row a flag, with who changed it last."""

    name: Named[str] = Column(Text, primary_key=True)
    value: Named[int] = Column(Integer)
    changed_at: Named[int] = Column(BigInteger)
    changed_by: Named[str] = Column(Text)
    # The number of the audit row of the last change.
    revision: Named[int] = Column(BigInteger, server_default=text("0"))


class AuditColumns(TypedColumns):
    """Who changed what, when and why. Rows are only ever added."""

    # SQLite counts up by itself in a column of the type INTEGER alone.
    id: Named[int] = Column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    at: Named[int] = Column(BigInteger)
    who: Named[str] = Column(Text)
    action: Named[str] = Column(Text)
    subject: Named[str] = Column(Text)
    old: Named[str | None] = Column(Text)
    new: Named[str | None] = Column(Text)
    reason: Named[str | None] = Column(Text)


class ScanColumns(TypedColumns):
    """One row a scan, however many of its events have arrived."""

    scan_id: Named[str] = Column(Text, primary_key=True)
    status: Named[str] = Column(Text)
    started_at: Named[int | None] = Column(BigInteger)
    ended_at: Named[int | None] = Column(BigInteger)
    files: Named[int | None] = Column(BigInteger)
    total_size: Named[int | None] = Column(BigInteger)
    duplicate_bytes: Named[int | None] = Column(BigInteger)
    path: Named[str | None] = Column(Text)


class DailyStatColumns(TypedColumns):
    """One row a counted day."""

    day: Named[str] = Column(String(10), primary_key=True)
    files: Named[int] = Column(BigInteger)
    total_size: Named[int | None] = Column(BigInteger)
    duplicates: Named[int] = Column(BigInteger)
    cleanup_actions: Named[int] = Column(BigInteger)
    segment: Named[int] = Column(BigInteger)
    aggregated_at: Named[int] = Column(BigInteger)


class CursorColumns(TypedColumns):
    """How far a follower has read the event store."""

    name: Named[str] = Column(Text, primary_key=True)
    segment: Named[int] = Column(BigInteger)


class RunColumns(TypedColumns):
    """One row a server run: the span in which the collector was alive."""

    started_at: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    seen_at: Named[int] = Column(BigInteger)


class TallyColumns(TypedColumns):
    """One row a component, slot and run."""

    component: Named[str] = Column(Text, primary_key=True)
    start: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    length: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    run: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    tally: Named[str] = Column(Text)


class SampleColumns(TypedColumns):
    """One row a component, slot and source."""

    component: Named[str] = Column(Text, primary_key=True)
    start: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    length: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    source: Named[str] = Column(Text, primary_key=True)
    as_of: Named[int] = Column(BigInteger)
    figures: Named[str] = Column(Text)


class AlertColumns(TypedColumns):
    """One row an alert, kept when it is closed."""

    id: Named[int] = Column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    component: Named[str] = Column(Text)
    check_name: Named[str] = Column(Text)
    severity: Named[str] = Column(Text)
    cause: Named[str] = Column(Text)
    message: Named[str] = Column(Text)
    evidence: Named[str] = Column(Text)
    status: Named[str] = Column(Text)
    since: Named[int] = Column(BigInteger)
    opened_at: Named[int | None] = Column(BigInteger)
    absent_since: Named[int | None] = Column(BigInteger)
    closed_at: Named[int | None] = Column(BigInteger)
    flaps: Named[int] = Column(BigInteger)
    told: Named[str | None] = Column(Text)
    acknowledged_at: Named[int | None] = Column(BigInteger)
    acknowledged_by: Named[str | None] = Column(Text)
    note: Named[str | None] = Column(Text)


class SilenceColumns(TypedColumns):
    """One row a silence, until somebody ends it."""

    id: Named[int] = Column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    component: Named[str] = Column(Text)
    check_name: Named[str] = Column(Text)
    until: Named[int] = Column(BigInteger)
    reason: Named[str] = Column(Text)
    made_by: Named[str] = Column(Text)
    made_at: Named[int] = Column(BigInteger)


class DeliveryColumns(TypedColumns):
    """One row a message and target: the outbox, and what became of it."""

    id: Named[int] = Column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    alert_id: Named[int] = Column(BigInteger)
    component: Named[str] = Column(Text)
    cause: Named[str] = Column(Text)
    target: Named[str] = Column(Text)
    title: Named[str] = Column(Text)
    body: Named[str] = Column(Text)
    tone: Named[str] = Column(Text)
    made_at: Named[int] = Column(BigInteger)
    status: Named[str] = Column(Text)
    attempts: Named[int] = Column(BigInteger)
    next_try: Named[int] = Column(BigInteger)
    last_error: Named[str | None] = Column(Text)
    done_at: Named[int | None] = Column(BigInteger)


class RecountColumns(TypedColumns):
    """One row a day: what of it was compared with the ground truth."""

    day: Named[str] = Column(String(10), primary_key=True)
    since: Named[int] = Column(BigInteger)
    until: Named[int] = Column(BigInteger)
    segment: Named[int | None] = Column(BigInteger)
    windows: Named[int] = Column(BigInteger)
    witness: Named[str] = Column(Text)
    at: Named[int] = Column(BigInteger)


class MismatchColumns(TypedColumns):
    """One row a field of a window that did not agree when it was last recounted."""

    component: Named[str] = Column(Text, primary_key=True)
    kind: Named[str] = Column(Text, primary_key=True)
    start: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    end: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    field: Named[str] = Column(Text, primary_key=True)
    reported: Named[int | None] = Column(BigInteger)
    recounted: Named[int | None] = Column(BigInteger)
    witness: Named[str] = Column(Text)
    at: Named[int] = Column(BigInteger)


class RolloutColumns(TypedColumns):
    """One row a rollout. ``turn`` counts its changes, so that of two servers that decide at once only one is right."""

    id: Named[int] = Column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    plan: Named[str] = Column(Text)
    started_at: Named[int] = Column(BigInteger)
    started_by: Named[str] = Column(Text)
    reason: Named[str | None] = Column(Text)
    turn: Named[int] = Column(BigInteger)
    over: Named[bool] = Column(Boolean)
    state: Named[str] = Column(Text)
    said: Named[str] = Column(Text)
    verdicts: Named[str] = Column(Text)


class RolloutStepColumns(TypedColumns):
    """One row a thing that a rollout did, and now and then how it stood."""

    id: Named[int] = Column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    rollout: Named[int] = Column(BigInteger)
    at: Named[int] = Column(BigInteger)
    who: Named[str] = Column(Text)
    move: Named[str] = Column(Text)
    phase: Named[int] = Column(BigInteger)
    step: Named[int] = Column(BigInteger)
    said: Named[str] = Column(Text)
    changes: Named[str] = Column(Text)
    verdicts: Named[str] = Column(Text)


class LeaseColumns(TypedColumns):
    """One row a task that only one server does at a time."""

    name: Named[str] = Column(Text, primary_key=True)
    holder: Named[str] = Column(Text)
    until: Named[int] = Column(BigInteger)


class DrillColumns(TypedColumns):
    """One row a rehearsed rollback."""

    id: Named[int] = Column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    at: Named[int] = Column(BigInteger)
    who: Named[str] = Column(Text)
    configuration: Named[str] = Column(Text)
    flags: Named[str] = Column(Text)
    micros: Named[int] = Column(BigInteger)
    processes: Named[int] = Column(BigInteger)
    unanswered: Named[str] = Column(Text)
    problem: Named[str | None] = Column(Text)
class RetirementColumns(TypedColumns):
    """One row a component whose mock was retired, for good, unless it is undone."""

    flag: Named[str] = Column(Text, primary_key=True)
    component: Named[str] = Column(Text)
    at: Named[int] = Column(BigInteger)
    who: Named[str] = Column(Text)
    reason: Named[str | None] = Column(Text)
    since: Named[int] = Column(BigInteger)
    purged_at: Named[int | None] = Column(BigInteger)
    revision: Named[int] = Column(BigInteger)


class ArchivedFlagColumns(TypedColumns):
    """One row a flag of a retired component, until it is purged: as it was in ``flags``."""

    name: Named[str] = Column(Text, primary_key=True)
    use_real: Named[str] = Column(Text)
    value: Named[int] = Column(Integer)
    changed_at: Named[int] = Column(BigInteger)
    changed_by: Named[str] = Column(Text)


class UserColumns(TypedColumns):
    """One row a user."""

    name: Named[str] = Column(Text, primary_key=True)
    role: Named[str] = Column(Text)
    password: Named[str | None] = Column(Text)
    disabled_at: Named[int | None] = Column(BigInteger)
    made_at: Named[int] = Column(BigInteger)
    made_by: Named[str] = Column(Text)


class SessionColumns(TypedColumns):
    """One row a browser that is signed in, known by the hash of its secret."""

    secret_hash: Named[str] = Column(String(64), primary_key=True)
    user_name: Named[str] = Column(Text, ForeignKey("users.name", ondelete="CASCADE"))
    made_at: Named[int] = Column(BigInteger)
    seen_at: Named[int] = Column(BigInteger)
    expires_at: Named[int] = Column(BigInteger)
    agent: Named[str] = Column(Text)


class LinkColumns(TypedColumns):
    """One row a sign-in link that nobody has used, known by the hash of its secret."""

    secret_hash: Named[str] = Column(String(64), primary_key=True)
    user_name: Named[str] = Column(Text, ForeignKey("users.name", ondelete="CASCADE"))
    expires_at: Named[int] = Column(BigInteger)


flags = Table("flags", metadata, FlagColumns)
# Without AUTOINCREMENT SQLite may give a deleted row's number again.
audit = Table("audit", metadata, AuditColumns, Index(None, "subject", "id"), sqlite_autoincrement=True)
scans = Table(
    "scans", metadata, ScanColumns,
    CheckConstraint("status IN ('running', 'completed', 'cancelled', 'failed')", name="status"),
    Index(None, "status", "ended_at", "scan_id"),
    Index(None, "status", "started_at"),
)
daily_stats = Table("daily_stats", metadata, DailyStatColumns)
cursors = Table("cursors", metadata, CursorColumns)
runs = Table("runs", metadata, RunColumns)
tallies = Table("tallies", metadata, TallyColumns, Index(None, "length", "start"))
samples = Table("samples", metadata, SampleColumns, Index(None, "length", "start"))
alerts = Table(
    "alerts", metadata, AlertColumns,
    CheckConstraint("status IN ('pending', 'open', 'acknowledged', 'closed')", name="status"),
    Index(None, "closed_at"),
    sqlite_autoincrement=True,
)
silences = Table("silences", metadata, SilenceColumns, Index(None, "until"), sqlite_autoincrement=True)
deliveries = Table(
    "deliveries", metadata, DeliveryColumns,
    CheckConstraint("status IN ('waiting', 'delivered', 'failed', 'withheld')", name="status"),
    Index(None, "target", "status", "next_try"),
    Index(None, "component", "made_at"),
    sqlite_autoincrement=True,
)
recounts = Table("recounts", metadata, RecountColumns)
mismatches = Table("mismatches", metadata, MismatchColumns, Index(None, "kind", "start"))
rollouts = Table("rollouts", metadata, RolloutColumns, sqlite_autoincrement=True)
rollout_steps = Table("rollout_steps", metadata, RolloutStepColumns, Index(None, "rollout", "id"),
                      sqlite_autoincrement=True)
leases = Table("leases", metadata, LeaseColumns)
drills = Table("drills", metadata, DrillColumns, sqlite_autoincrement=True)
retirements = Table("retirements", metadata, RetirementColumns)
archived_flags = Table("archived_flags", metadata, ArchivedFlagColumns)
users = Table("users", metadata, UserColumns, CheckConstraint("role IN ('viewer', 'operator', 'admin')", name="role"))
sessions = Table("sessions", metadata, SessionColumns, Index(None, "user_name"), Index(None, "expires_at"))
links = Table("links", metadata, LinkColumns, Index(None, "user_name"), Index(None, "expires_at"))
