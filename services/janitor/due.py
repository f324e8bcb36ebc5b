"""Which packages are up for a sweep at a location: the oldest first, without reading more copies than it takes."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.janitor.ledger import BEGIN, PAGE, Place
from services.janitor.queries import Fetching

MOST_PAGES = 10
"""Pages that one sweep reads of a location at most; the next sweep reads on from there."""

_COPIES = """
SELECT copy.created_at, copy.id, package.id AS package, package.archived_at
FROM (SELECT id, kind, entity_id, created_at FROM physical_copy
      WHERE location = $1 AND state <> 'deleted' AND (created_at, id) > ($2, $3)
      ORDER BY created_at, id LIMIT $4) copy
LEFT JOIN raw_data_file file ON copy.kind = 'raw_data_file' AND file.id = copy.entity_id
LEFT JOIN raw_data_package package
    ON package.id = coalesce(file.raw_data_package_id, copy.entity_id) AND package.state = 'archived'
ORDER BY copy.created_at, copy.id
"""


@dataclass(slots=True)
class Due:
    """Packages in the order in which their copies came to a location.

    Attributes:
        old: Their age lets them go.
        young: They are archived, and would go before their age.
    """

    old: list[UUID] = field(default_factory=list)
    young: list[UUID] = field(default_factory=list)


class Walk:
    """Reads a location's copies from the oldest on, sweep after sweep.

    Copies at the head that stay for long are read again with every sweep, but only so many: a sweep that comes to its
    limit is gone on with by the next one, and the one after the last page begins anew.
    """

    def __init__(self, opsdb: Fetching, location: str, *, size: int = PAGE, most: int = MOST_PAGES) -> None:
        self._opsdb = opsdb
        self._location = location
        self._size = size
        self._most = most
        self._place = BEGIN

    async def due(self, archived_before: datetime, but: Collection[UUID], limit: int, *, young: bool) -> Due:
        """What the next sweep is about.

        Args:
            archived_before: What was archived by then is old.
            but: Packages that are left alone for now.
            limit: At most so many packages of either kind.
            young: Whether young ones are looked for, too.
        """
        found: dict[UUID, bool] = {}
        place = self._place
        for _ in range(self._most):
            rows = await self._opsdb.fetch(_COPIES, self._location, place.since, place.copy, self._size)
            for row in rows:
                if row["package"] is not None and row["package"] not in but:
                    found.setdefault(row["package"], row["archived_at"] <= archived_before)
            if len(rows) < self._size:
                place = BEGIN
                break
            place = Place(rows[-1]["created_at"], rows[-1]["id"])
            if sum(young or old for old in found.values()) >= limit:
                place = BEGIN  # what is found goes first; whatever stays is left alone by the next sweep
                break
        self._place = place
        old = [package for package, is_old in found.items() if is_old]
        return Due(old[:limit], [one for one, is_old in found.items() if not is_old][:limit] if young else [])
