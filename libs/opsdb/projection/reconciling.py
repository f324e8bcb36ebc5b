"""Conclusions from rows that different streams make, in either order.

Each is a set-based update of the rows that a batch has touched, run after its upserts; each only ever moves
a row one way, so it makes no difference in which batch it is drawn.
"""

from collections.abc import Sequence

from libs.opsdb.projection.coalescing import Coalesced
from libs.opsdb.projection.statements import Statement
from libs.opsdb.projection.tables import BUNDLED_PACKAGE, DATA_TRANSFER, RAW_DATA_FILE, UNFILED_FILE

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


def conclusions(coalesced: Coalesced) -> list[Statement]:
    """The updates that follow from what a batch has written."""
    found = (
        (TRANSFERRING, _bundles(coalesced)),
        (FILED_AFTER_ALL, _filed(coalesced)),
        (FILED_BEFORE, _unfiled(coalesced)),
    )
    return [Statement(sql, [ids], 0) for sql, ids in found if ids]


def _bundles(coalesced: Coalesced) -> Sequence[object]:
    sealed = {key[0] for wave in coalesced.get(BUNDLED_PACKAGE, ()) for key in wave.rows}
    begun = {
        row.values["data_transfer_package_id"]
        for wave in coalesced.get(DATA_TRANSFER, ())
        for row in wave.rows.values()
    }
    return list(sealed | begun)


def _filed(coalesced: Coalesced) -> Sequence[object]:
    return [
        key[0]
        for wave in coalesced.get(RAW_DATA_FILE, ())
        for key, row in wave.rows.items()
        if "path" in row.values
    ]


def _unfiled(coalesced: Coalesced) -> Sequence[object]:
    return [key[0] for wave in coalesced.get(UNFILED_FILE, ()) for key in wave.rows]
