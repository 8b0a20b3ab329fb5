"""Alembic's environment: runs on the connection that ``storage.engine.migrate`` hands over.

Lives here: that wiring; no file on disk configures it. Must not live here: the migrations.
Law: migrations run in the one transaction of the given connection, whole or not at all.
"""

from alembic import context

from storage.schema.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=False,
)
with context.begin_transaction():
    context.run_migrations()
