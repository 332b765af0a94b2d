"""Alembic's entry: runs the migrations on the connection that it is handed."""

from __future__ import annotations

from alembic import context

_attributes = context.config.attributes

context.configure(
    connection=_attributes["connection"],
    version_table=_attributes["tables"].version,
    transactional_ddl=_attributes["transactional_ddl"],
)
with context.begin_transaction():
    context.run_migrations()
