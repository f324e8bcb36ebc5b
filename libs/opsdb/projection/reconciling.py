"""Conclusions from rows that different streams make, in either order.

Each is a set-based update of the rows that a batch has touched, run after its upserts; each only ever moves
a row one way, so it makes no difference in which batch it is drawn.
"""

from collections.abc import Iterator, Sequence
from enum import Enum

import asyncpg

from libs.opsdb.projection.changes import Key, Values
from libs.opsdb.projection.coalescing import Coalesced
from libs.opsdb.projection.statements import Statement
from libs.opsdb.projection.tables import (
    API_TOKEN_USE,
    BUNDLED_PACKAGE,
    DATA_TRANSFER,
    RAW_DATA_FILE,
    UNFILED_FILE,
    Table,
)

TRANSFERRING = """
    UPDATE raw_data_package p SET state = 'transferring'
    FROM bundled_package b
    WHERE b.data_transfer_package_id = ANY($1::uuid[])
      AND p.id = b.raw_data_package_id
      AND (p.state IS NULL OR p.state < 'transferring')
      AND EXISTS (SELECT FROM data_transfer d WHERE d.data_transfer_package_id = b.data_transfer_package_id)
"""
"""A package is transferring once a transfer of a bundle it is in has begun, unless it is further already."""

FILED_AFTER_ALL = """
    UPDATE unfiled_file u SET filed = true
    FROM raw_data_file f
    WHERE f.id = ANY($1::uuid[]) AND u.location = f.location AND md5(u.path) = md5(f.path) AND u.path = f.path
      AND NOT u.filed
"""
"""An entry that nobody had filed is filed."""

FILED_BEFORE = """
    UPDATE unfiled_file u SET filed = true
    WHERE u.id = ANY($1::uuid[]) AND NOT u.filed AND EXISTS (
        SELECT FROM raw_data_file f
        WHERE f.location = u.location AND md5(f.path) = md5(u.path) AND f.path = u.path
    )
"""
"""An entry that is reported as filed by nobody has been filed meanwhile."""


ALL_USES = """
    UPDATE api_token t SET use_count = u.uses, last_used_at = u.last_used_at, last_address = u.last_address
    FROM (
        SELECT api_token_id, sum(uses)::bigint AS uses, max(last_used_at) AS last_used_at,
               (array_agg(last_address ORDER BY last_used_at DESC, last_address DESC))[1] AS last_address
        FROM api_token_use GROUP BY 1
    ) u
    WHERE u.api_token_id = t.id
"""

USES = ALL_USES.replace("GROUP BY", "WHERE api_token_id = ANY($1::uuid[]) GROUP BY")
"""A token was used as often as all sites together have told."""


class Conclusions(Enum):
    """When they are drawn."""

    AT_ONCE = "at_once"
    """With each batch, for the rows that it has touched."""
    LATER = "later"
    """By `conclude`, for all rows: whoever folds a whole log needs no indexes for them until then."""


async def conclude(connection: asyncpg.Connection) -> None:
    """Draw all conclusions from all rows, within the open transaction of a connection."""
    # A connection of the projector's kind would go through whole tables by their indexes.
    await connection.execute("SET LOCAL enable_seqscan TO on")
    for sql in (ALL_TRANSFERRING, ALL_FILED, ALL_USES):
        await connection.execute(sql)


ALL_TRANSFERRING = """
    UPDATE raw_data_package p SET state = 'transferring'
    WHERE (p.state IS NULL OR p.state < 'transferring') AND EXISTS (
        SELECT FROM bundled_package b JOIN data_transfer d USING (data_transfer_package_id)
        WHERE b.raw_data_package_id = p.id
    )
"""

ALL_FILED = """
    UPDATE unfiled_file u SET filed = true
    WHERE NOT u.filed AND EXISTS (
        SELECT FROM raw_data_file f
        WHERE f.location = u.location AND md5(f.path) = md5(u.path) AND f.path = u.path
    )
"""


def conclusions(coalesced: Coalesced) -> list[Statement]:
    """The updates that follow from what a batch has written."""
    found = (
        (TRANSFERRING, _bundles(coalesced)),
        (FILED_AFTER_ALL, _filed(coalesced)),
        (FILED_BEFORE, _unfiled(coalesced)),
        (USES, _used(coalesced)),
    )
    return [Statement(sql, [ids]) for sql, ids in found if ids]


def _rows(coalesced: Coalesced, table: Table) -> Iterator[tuple[Key, Values]]:
    if table in coalesced:
        for wave in coalesced[table].waves:
            yield from ((key, row.values) for key, row in wave.rows.items())


def _bundles(coalesced: Coalesced) -> Sequence[object]:
    sealed = {key[0] for key, _ in _rows(coalesced, BUNDLED_PACKAGE)}
    begun = {values["data_transfer_package_id"] for _, values in _rows(coalesced, DATA_TRANSFER)}
    return list(sealed | begun)


def _filed(coalesced: Coalesced) -> Sequence[object]:
    return [key[0] for key, values in _rows(coalesced, RAW_DATA_FILE) if "path" in values]


def _unfiled(coalesced: Coalesced) -> Sequence[object]:
    return [key[0] for key, _ in _rows(coalesced, UNFILED_FILE)]


def _used(coalesced: Coalesced) -> Sequence[object]:
    return list({key[0] for key, _ in _rows(coalesced, API_TOKEN_USE)})
