"""Each flag knows which change was its last."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("flags", sa.Column("revision", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
