"""What the janitor asks ops-db about holds."""

from contracts.states import HoldKind
from services.janitor.holds import Hold, Holds
from services.janitor.queries import Fetching

# What is no id cannot be a file's; casting it would fail the whole question.
_STANDING = """
SELECT hold.id, hold.kind::text AS kind, hold.target, coalesce(hold.reason, '') AS reason, hold.placed_by,
       hold.placed_at, file.raw_data_package_id AS package
FROM deletion_hold hold
LEFT JOIN raw_data_file file ON file.id =
    CASE WHEN hold.kind = 'raw_data_file' AND hold.target ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
         THEN hold.target::uuid END
WHERE hold.released_at IS NULL AND hold.kind IS NOT NULL AND hold.target IS NOT NULL
ORDER BY hold.placed_at, hold.id
"""


async def standing(opsdb: Fetching) -> Holds:
    """Every hold that stands, as far as its event is known at this site."""
    rows = [dict(row) for row in await opsdb.fetch(_STANDING)]
    return Holds.of(Hold(**{**row, "kind": HoldKind(row["kind"])}) for row in rows)
