"""Indexes of the large tables that folding does not look through: built once, at the end, instead of row by row."""

import asyncpg

from libs.opsdb.connecting import quoted
from libs.opsdb.upkeep.progress import Progress, Stage, Tell

BUILT_LAST = (
    "ix_event_record_about",
    "ix_event_record_time",
    "ix_physical_copy_entity_id",
    "ix_physical_copy_location_state",
    "ix_raw_data_file_executed_obs_unit_id",
    "ix_raw_data_file_looked_for",
    "ix_raw_data_file_physical_copy_raw_data_file_id",
    "ix_raw_data_package_physical_copy_raw_data_package_id",
)
"""No statement of `libs.opsdb.projection` needs one of these."""


async def put_off(connection: asyncpg.Connection, schema: str) -> list[str]:
    """Drop them; returns the statements that make them again."""
    rows = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = $1 AND indexname = ANY($2::name[])",
        schema,
        BUILT_LAST,
    )
    for row in rows:
        await connection.execute(f"DROP INDEX {quoted(schema)}.{quoted(row['indexname'])}")
    return [row["indexdef"] for row in rows]


async def build(connection: asyncpg.Connection, statements: list[str], tell: Tell) -> None:
    """Make what `put_off` has dropped."""
    for done, statement in enumerate(statements):
        tell(Progress(Stage.INDEXING, done, len(statements), statement.split(" ON ")[0].rpartition(" ")[2]))
        await connection.execute(statement)
