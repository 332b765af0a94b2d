"""Logs that are trimmed: each scope knows up to which revision its own is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column: no log was trimmed so far, and servers of the version before do not trim any."""
    t = context.config.attributes["tables"]
    column = sa.Column("log_trimmed", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    # MariaDB and MySQL commit each statement: it is there if an upgrade was broken off.
    if column.name not in {known["name"] for known in sa.inspect(op.get_bind()).get_columns(t.scope)}:
        op.add_column(t.scope, column)
