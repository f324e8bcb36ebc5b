"""What administrators have said of the live tables, said of those that take their place."""

from itertools import groupby

import asyncpg

from libs.opsdb.connecting import quoted


async def copy_grants(connection: asyncpg.Connection, live: str, beside: str, tables: list[str]) -> None:
    """Let whoever may do something with a live table do it with the one beside, too."""
    rows = await connection.fetch(_GRANTS, live, tables)
    for (right, grantee, grantable), some in groupby(
        rows, lambda row: (row["right"], row["grantee"], row["grantable"])
    ):
        places = ", ".join(_place(beside, row["relname"]) for row in some)
        to = quoted(grantee) if grantee else "PUBLIC"
        option = " WITH GRANT OPTION" if grantable else ""
        await connection.execute(f"GRANT {right} ON {places} TO {to}{option}")


_GRANTS = """
    SELECT c.relname, a.privilege_type AS right, r.rolname AS grantee, a.is_grantable AS grantable
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
         aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE n.nspname = $1 AND c.relname = ANY($2::name[]) AND c.relkind <> 'S' AND a.grantee <> c.relowner
    ORDER BY 2, 3, 4, 1
"""


async def copy_settings(connection: asyncpg.Connection, live: str, beside: str, tables: list[str]) -> None:
    """Set the storage parameters that a live table has and the one beside has not (how eagerly it is vacuumed, ...)."""
    for row in await connection.fetch(_SETTINGS, live, beside, tables):
        name, value = quoted(row["name"]), row["value"].replace("'", "''")
        await connection.execute(f"ALTER TABLE {_place(beside, row['relname'])} SET ({name} = '{value}')")


_SETTINGS = """
    SELECT c.relname, o.option_name AS name, o.option_value AS value
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_options_to_table(c.reloptions) o
    WHERE n.nspname = $1 AND c.relname = ANY($3::name[]) AND c.relkind = 'r' AND NOT EXISTS (
        SELECT FROM pg_class b JOIN pg_namespace m ON m.oid = b.relnamespace,
                    pg_options_to_table(b.reloptions) p
        WHERE m.nspname = $2 AND b.relname = c.relname AND p.option_name = o.option_name
    )
"""


def _place(schema: str, table: str) -> str:
    return f"{quoted(schema)}.{quoted(table)}"
