"""Associations: exposures that are made into products together (the OPUS relations asn_…)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from contracts.association_states import (
    AssociationOrigin,
    AssociationState,
    CollectionReason,
    MemberStatus,
    ProductStatus,
)
from libs.opsdb.models.base import Base, WithProblem


class AsnAssociation(WithProblem, Base):
    """An association, its members apart.

    Attributes:
        association_id: IPPPSSAA0: instrument, program, observation set, sequence in it, 0.
        site: Where it was planned, and is collected.
        turn: Counts what was said of it; with `told_by`, the id of the event, it decides which telling is the latest.
        revision: Counts its openings.
        rule: The rule that it comes from, if `origin` is one.
        expected: How many exposures make it complete; null if nobody said so.
        deadline: When it is collected with what is there.
        opened_at: When this revision was opened; `opened_by` and `open_reason` say by whom and why.
        collected_at: When its rows were decided; null while it is open. `collected_by` and `collection_reason` say by
            whom and why.
        missing: How many exposures were not there then.
    """

    __tablename__ = "asn_association"
    __table_args__ = (
        CheckConstraint("association_id ~ '^[A-Z][0-9A-Z]{7}0$'", name="id"),
        CheckConstraint("(state = 'open') = (collected_at IS NULL)", name="collected"),
        CheckConstraint("turn >= 1 AND revision >= 1", name="counts"),
        Index("ix_asn_association_due", "deadline", postgresql_where=text("state = 'open'")),
    )

    association_id: Mapped[str] = mapped_column(String(9), primary_key=True)
    site: Mapped[str]
    turn: Mapped[int]
    told_by: Mapped[UUID]
    revision: Mapped[int]
    state: Mapped[AssociationState]
    origin: Mapped[AssociationOrigin]
    rule: Mapped[str | None]
    expected: Mapped[int | None]
    deadline: Mapped[datetime | None]
    opened_at: Mapped[datetime]
    opened_by: Mapped[str]
    open_reason: Mapped[str]
    collected_at: Mapped[datetime | None]
    collected_by: Mapped[str | None]
    collection_reason: Mapped[CollectionReason | None]
    missing: Mapped[int | None]


class AsnMember(Base):
    """A member of an association: an exposure, or a product.

    The first seven columns and both indexes are those of the OPUS relation asn_members; the first index is the
    table's primary key.

    Attributes:
        association_id: The association.
        program_id: Three characters in base 36; `obset_id` is the observation set in it.
        member_status: What became of it in the association; `product_status` as a product.
        member_num: An exposure's number in its observation set, or a product's: the association's number in its set
            and the product id.
        member_type: Its role.
        turn: Which event of the association told of it last; `told_by` is that event's id.
        revision: The revision of the association that the row tells of.
        executed_obs_unit_id: The observation that is this exposure, since `arrived_at`.
        raw_data_file_id: The file that is this product's data set, since `made_at`.
    """

    __tablename__ = "asn_members"
    __table_args__ = (
        PrimaryKeyConstraint("association_id", "program_id", "obset_id", "member_num", name="asn_members_1"),
        Index("asn_members_2", "program_id", "obset_id", "member_num"),
        Index("ix_asn_members_executed_obs_unit_id", "executed_obs_unit_id"),
        CheckConstraint("program_id ~ '^[0-9A-Z]{3}$'", name="program_id"),
        CheckConstraint("obset_id ~ '^[0-9A-Z]{2}$'", name="obset_id"),
        CheckConstraint(
            "member_num ~ CASE WHEN member_status = 'P' THEN '^[0-9A-Z]{3}$' ELSE '^[0-9A-Z]{2}$' END",
            name="member_num",
        ),
        CheckConstraint("(member_status = 'P') = (product_status <> 'E')", name="exposure_or_product"),
        CheckConstraint("(executed_obs_unit_id IS NULL) = (arrived_at IS NULL)", name="arrived"),
        CheckConstraint("(raw_data_file_id IS NULL) = (made_at IS NULL)", name="made"),
    )

    association_id: Mapped[str] = mapped_column(String(9))
    program_id: Mapped[str] = mapped_column(String(3))
    obset_id: Mapped[str] = mapped_column(String(2))
    member_num: Mapped[str] = mapped_column(String(3))
    member_type: Mapped[str] = mapped_column(String(12))
    member_status: Mapped[MemberStatus]
    product_status: Mapped[ProductStatus]
    turn: Mapped[int]
    told_by: Mapped[UUID]
    revision: Mapped[int]
    executed_obs_unit_id: Mapped[UUID | None]
    arrived_at: Mapped[datetime | None]
    raw_data_file_id: Mapped[UUID | None]
    made_at: Mapped[datetime | None]


class AsnProductLink(Base):
    """That a product of an association is made of an exposure in it.

    Attributes:
        association_id: The association.
        product_num: The product's member_num.
        program_id: The exposure's; so are `obset_id` and `member_num`.
    """

    __tablename__ = "asn_product_link"

    association_id: Mapped[str] = mapped_column(String(9), primary_key=True)
    product_num: Mapped[str] = mapped_column(String(3), primary_key=True)
    program_id: Mapped[str] = mapped_column(String(3), primary_key=True)
    obset_id: Mapped[str] = mapped_column(String(2), primary_key=True)
    member_num: Mapped[str] = mapped_column(String(3), primary_key=True)


class AsnExposure(Base):
    """Which exposure an observation is, as its instrument said when it filed it.

    Attributes:
        exposure_name: Instrument, program, observation set and number.
        program_id: That program; so are `obset_id` and `member_num` the set and the number.
        member_type: Its role.
        claims: The associations it is to be in, as `contracts.associations.Claim`.
        named_at: When it was filed; with `told_by`, the id of the event, it decides between two sites' tellings.
    """

    __tablename__ = "asn_exposure"
    __table_args__ = (
        Index("ix_asn_exposure_program_id_obset_id_member_num", "program_id", "obset_id", "member_num"),
    )

    executed_obs_unit_id: Mapped[UUID] = mapped_column(primary_key=True)
    exposure_name: Mapped[str] = mapped_column(String(8))
    program_id: Mapped[str] = mapped_column(String(3))
    obset_id: Mapped[str] = mapped_column(String(2))
    member_num: Mapped[str] = mapped_column(String(2))
    member_type: Mapped[str] = mapped_column(String(12))
    claims: Mapped[list[dict[str, Any]]] = mapped_column(JSONB())
    named_at: Mapped[datetime]
    told_by: Mapped[UUID]
