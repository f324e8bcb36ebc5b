"""The members of an association, and why each that is missing is missing."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from contracts.association_ids import product_name
from contracts.association_states import MemberStatus
from contracts.base import Message, Utc
from contracts.states import ObservationState
from libs.opsdb.reader import OpsDbReader

# Of several observations that are one exposure, the latest that was not aborted tells most.
_MEMBERS = """
SELECT m.association_id, m.program_id || m.obset_id || m.member_num AS key, m.member_num, m.member_type,
       m.member_status::text AS member_status, m.product_status::text AS product_status, m.arrived_at, m.made_at,
       m.raw_data_file_id, coalesce(m.executed_obs_unit_id, tried.id) AS observation, tried.state::text AS state,
       tried.file_count, tried.packaged
FROM asn_members m LEFT JOIN LATERAL (
    SELECT u.id, u.state, u.file_count, (
        SELECT count(*) FROM raw_data_file f WHERE f.executed_obs_unit_id = u.id AND f.state = 'packaged'
    ) AS packaged
    FROM asn_exposure e JOIN executed_obs_unit u ON u.id = e.executed_obs_unit_id
    WHERE m.arrived_at IS NULL AND m.member_status <> 'P'
      AND (e.program_id, e.obset_id, e.member_num) = (m.program_id, m.obset_id, m.member_num)
    ORDER BY u.state = 'aborted', e.named_at DESC, u.id LIMIT 1
) tried ON true
WHERE m.association_id = $1
ORDER BY m.member_status = 'P', key
"""


class Member(Message):
    """A member of an association, for a person.

    Attributes:
        since: When it arrived, or was made.
        observation: The observation that is the exposure, or is to become it.
        missing: Why it is not there; empty if it is.
    """

    name: str
    type: str
    member_status: str
    product_status: str
    since: Utc | None = None
    observation: UUID | None = None
    data_set: UUID | None = None
    missing: str = ""


async def members_of(opsdb: OpsDbReader, association: str) -> tuple[Member, ...]:
    """Every member, exposures first.

    Raises:
        Retriable: ``opsdb_unavailable``.
    """
    return tuple(_member(dict(row)) for row in await opsdb.fetch(_MEMBERS, association))


def _member(row: Mapping[str, Any]) -> Member:
    name = row["association_id"]
    is_product = row["member_status"] == MemberStatus.PRODUCT
    return Member(
        name=product_name(name, row["member_num"][-1]) if is_product else f"{name[0]}{row['key']}",
        type=row["member_type"],
        member_status=row["member_status"],
        product_status=row["product_status"],
        since=row["made_at"] if is_product else row["arrived_at"],
        observation=row["observation"],
        data_set=row["raw_data_file_id"],
        missing=_product_missing(row) if is_product else exposure_missing(row),
    )


def _product_missing(row: Mapping[str, Any]) -> str:
    return "" if row["made_at"] is not None else "its data set was not made"


def exposure_missing(row: Mapping[str, Any]) -> str:
    """Why an exposure is not there.

    Args:
        row: With ``arrived_at``, and ``observation``, ``state``, ``file_count`` and ``packaged`` of what may become it.
    """
    if row["arrived_at"] is not None:
        return ""
    if row["observation"] is None:
        return "not filed yet"
    match row["state"]:
        case ObservationState.RUNNING:
            return "being observed"
        case ObservationState.ABORTED:
            return "its observation was aborted"
        case ObservationState.FINISHED:
            return f"{row['packaged']} of {row['file_count']} files are packaged"
        case _:
            return "its observation is not known here yet"


def missing_of(members: Sequence[Member]) -> list[Member]:
    """The exposures that are not there."""
    return [one for one in members if one.missing and one.member_status != MemberStatus.PRODUCT]


def unmade_of(members: Sequence[Member]) -> list[Member]:
    """The products whose data sets were not made."""
    return [one for one in members if one.missing and one.member_status == MemberStatus.PRODUCT]
