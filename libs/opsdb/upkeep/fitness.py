"""Whether the live tables can be replaced: looked at before hours of work, not after."""

import asyncpg

from libs.errors import UserError
from libs.opsdb.connecting import unavailable_as_retriable
from libs.opsdb.migrating import known_revisions, stored_revision
from libs.opsdb.models import METADATA


async def require_replaceable(connection: asyncpg.Connection, schema: str) -> None:
    """Look at the live tables with the eyes of the role that is to replace them.

    Args:
        connection: With that role, and the schema in its search path.
        schema: Theirs.

    Raises:
        UserError: ``opsdb_newer``, ``opsdb_not_owned`` or ``opsdb_has_dependents``.
        Retriable: ``opsdb_unavailable``.
    """
    await _require_known(connection)
    names = [*METADATA.tables, "alembic_version"]
    with unavailable_as_retriable():
        not_owned = await connection.fetch(_NOT_OWNED, schema, names)
        may = await connection.fetchrow(_MAY_CREATE, schema)
        dependents = await connection.fetch(_DEPENDENTS, schema, names)
    if not_owned or may is None or not (may["in_database"] and may["in_schema"]):
        what = f"its table {not_owned[0]['relname']}" if not_owned else "the right to create there"
        raise UserError(
            "opsdb_not_owned",
            f"the role of the projector does not own {what}",
            f"As an administrator: ALTER TABLE … OWNER TO, GRANT CREATE ON SCHEMA {schema}, and GRANT CREATE ON "
            "DATABASE, each for that role.",
        )
    if dependents:
        found = ", ".join(row["name"] for row in dependents)
        raise UserError(
            "opsdb_has_dependents",
            f"something else is built on the tables and would go with them: {found}",
            "Drop it, rebuild, and make it again.",
        )


async def _require_known(connection: asyncpg.Connection) -> None:
    there = await stored_revision(connection)
    if there is not None and there not in await known_revisions():
        raise UserError(
            "opsdb_newer",
            f"the tables are of revision {there}, which this release does not know",
            "Rebuild with the release that made them, or a newer one.",
        )


_NOT_OWNED = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = ANY($2::name[]) AND NOT pg_has_role(c.relowner, 'USAGE') ORDER BY 1
"""

_MAY_CREATE = """
    SELECT has_database_privilege(current_database(), 'CREATE') AS in_database,
           has_schema_privilege($1::text, 'CREATE') AS in_schema
"""

_DEPENDENTS = """
    WITH ours AS (
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = ANY($2::name[])
    )
    SELECT DISTINCT r.ev_class::regclass::text AS name
    FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid IN (SELECT oid FROM ours) AND r.ev_class NOT IN (SELECT oid FROM ours)
    UNION
    SELECT DISTINCT k.conrelid::regclass::text FROM pg_constraint k
    WHERE k.contype = 'f' AND k.confrelid IN (SELECT oid FROM ours) AND k.conrelid NOT IN (SELECT oid FROM ours)
    ORDER BY 1
"""
