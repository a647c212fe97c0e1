"""What was recounted of each day, and where the recount disagreed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recounts",
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.BigInteger(), nullable=True),
        sa.Column("windows", sa.BigInteger(), nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_recounts"),
    )
    op.create_table(
        "mismatches",
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("reported", sa.BigInteger(), nullable=True),
        sa.Column("recounted", sa.BigInteger(), nullable=True),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("component", "kind", "start", "end", "field", name="pk_mismatches"),
    )
    op.create_index("ix_mismatches_kind_start", "mismatches", ["kind", "start"])
