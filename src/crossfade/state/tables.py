"""The control plane's tables. Every moment is a BIGINT: microseconds since the epoch, UTC."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
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
})


class FlagColumns(TypedColumns):
    """One row a flag, with who changed it last."""

    name: Named[str] = Column(Text, primary_key=True)
    value: Named[int] = Column(Integer)
    changed_at: Named[int] = Column(BigInteger)
    changed_by: Named[str] = Column(Text)


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
    Index("uq_alerts_live", "component", "check_name", unique=True, sqlite_where=text("status <> 'closed'"),
          postgresql_where=text("status <> 'closed'")),
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
