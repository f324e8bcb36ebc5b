"""What Alembic runs around the steps; `libs.opsdb.migrating` hands it an open connection and a schema."""

from alembic import context

from libs.opsdb.models import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table_schema=context.config.attributes["schema"],
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
