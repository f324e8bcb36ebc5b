"""What a live ops-db says of a table: asked of PostgreSQL's own catalogue, not of our models."""

from libs.opsdb.reader import OpsDbReader
from libs.sddl.comparing import Column, TableIndex, TableShape

# An enum has room for its longest label.
_COLUMNS = """
SELECT a.attname AS name, format_type(t.oid, NULL) AS type,
       CASE WHEN t.typtype = 'e'
            THEN (SELECT max(length(e.enumlabel::text)) FROM pg_enum e WHERE e.enumtypid = t.oid)
            WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 0 THEN a.atttypmod - 4
       END AS most
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""

_INDEXES = """
SELECT c.relname AS name, i.indisunique AS is_unique, i.indisclustered AS is_clustered,
       ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place) AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND i.indpred IS NULL
"""


async def table(opsdb: OpsDbReader, name: str) -> TableShape | None:
    """A table of the ops-db; None if it has none of that name.

    Raises:
        Retriable: ``opsdb_unavailable``.
    """
    columns = await opsdb.fetch(_COLUMNS, name)
    if not columns:
        return None
    return TableShape(
        name,
        {row["name"]: Column(row["type"], row["most"]) for row in columns},
        {
            row["name"]: TableIndex(tuple(row["columns"]), row["is_unique"], row["is_clustered"])
            for row in await opsdb.fetch(_INDEXES, name)
        },
    )
