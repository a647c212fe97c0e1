"""A flag may be a percentage."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("flags") as flags:
        flags.alter_column("value", existing_type=sa.Boolean(), type_=sa.Integer(), existing_nullable=False,
                           postgresql_using="value::integer")
