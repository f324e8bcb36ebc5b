"""Whether what somebody asks for exists, as far as this site knows."""

from collections.abc import Sequence
from uuid import UUID

from nats.aio.client import Client

from contracts.staging import Selection
from libs.errors import UserError
from libs.insight.queues import projections_of
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place

CATCH_UP_S = 3.0
MOST_NAMED = 10


async def require_known(opsdb: OpsDbReader, client: Client, place: Place, selection: Selection) -> None:
    """Check that everything selected is in ops-db; what was stored before now is waited for a little.

    Raises:
        UserError: ``unknown_ids``, naming them.
        Retriable: ``bus_unavailable``, ``opsdb_unavailable``, or ``projection_lags``: it cannot be told yet.
    """
    unknown = await _unknown(opsdb, selection)
    if not unknown:
        return
    for projection in await projections_of(place, client, opsdb):
        await opsdb.wait_applied(projection.stream, projection.stored, CATCH_UP_S)
    if unknown := await _unknown(opsdb, selection):
        named = "; ".join(unknown[:MOST_NAMED])
        more = f"; and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
        raise UserError(
            "unknown_ids",
            f"nothing here has these ids: {named}{more}",
            "Check the ids; what another site has not sent yet cannot be staged here.",
        )


async def _unknown(opsdb: OpsDbReader, selection: Selection) -> list[str]:
    asked: tuple[tuple[str, Sequence[UUID]], ...] = (
        ("executed_obs_unit", selection.executed_obs_unit_ids),
        ("raw_data_package", selection.package_ids),
        ("raw_data_file", selection.file_ids),
    )
    return [f"{table} {one}" for table, ids in asked for one in await _missing(opsdb, table, ids)]


async def _missing(opsdb: OpsDbReader, table: str, ids: Sequence[UUID]) -> list[UUID]:
    if not ids:
        return []
    rows = await opsdb.fetch(f"SELECT id FROM {table} WHERE id = ANY($1)", list(ids))  # noqa: S608  names of this module
    known = {row["id"] for row in rows}
    return [one for one in dict.fromkeys(ids) if one not in known]
