"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "flags",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_flags"),
    )
    op.create_table(
        "audit",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("old", sa.Text(), nullable=True),
        sa.Column("new", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_subject_id", "audit", ["subject", "id"])
    op.create_table(
        "scans",
        sa.Column("scan_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("files", sa.BigInteger(), nullable=True),
        sa.Column("total_size", sa.BigInteger(), nullable=True),
        sa.Column("duplicate_bytes", sa.BigInteger(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("scan_id", name="pk_scans"),
        sa.CheckConstraint(
            "status IN ('running', 'completed', 'cancelled', 'failed')", name=op.f("ck_scans_status")),
    )
    op.create_index("ix_scans_status_ended_at_scan_id", "scans", ["status", "ended_at", "scan_id"])
    op.create_index("ix_scans_status_started_at", "scans", ["status", "started_at"])
    op.create_table(
        "daily_stats",
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("total_size", sa.BigInteger(), nullable=True),
        sa.Column("duplicates", sa.BigInteger(), nullable=False),
        sa.Column("cleanup_actions", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.BigInteger(), nullable=False),
        sa.Column("aggregated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_daily_stats"),
    )
    op.create_table(
        "cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("segment", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_cursors"),
    )
    op.create_table(
        "runs",
        sa.Column("started_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("started_at", name="pk_runs"),
    )
