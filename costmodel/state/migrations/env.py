"""Run by Alembic inside the transaction of `migrate.upgrade`."""

from alembic import context

from costmodel.state.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
