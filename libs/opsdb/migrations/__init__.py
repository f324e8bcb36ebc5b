"""The ops-db's schema, step by step (Alembic). Run them with `libs.opsdb.migrating.migrate`."""
