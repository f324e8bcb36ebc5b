"""Associations: exposures that are made into products together, as OPUS has them.

Every event tells what the association is after it (`head`), and in full each row of it that changed. It also counts
the events of the association (`turn`), so that the rows come out the same in whatever order the events are read.
"""

from uuid import UUID

from pydantic import Field, model_validator

from contracts.association_ids import (
    AssociationId,
    ExposureKey,
    ExposureName,
    ExposureNumber,
    MemberType,
    ObsetId,
    ProductId,
    ProgramId,
    product_name,
)
from contracts.association_states import (
    AssociationOrigin,
    AssociationState,
    CollectionReason,
    MemberStatus,
    ProductStatus,
)
from contracts.base import Event, Message, Utc
from contracts.problems import Problem

MOST_EXPOSURES = 1000
"""Exposures of one association: all its rows fit into one message."""

Words = Field(min_length=1, max_length=1000)


class Claim(Message):
    """An association that an instrument wants its exposure to be in.

    Attributes:
        exposures: How many exposures it will have; None if the instrument does not know.
    """

    association_id: AssociationId
    exposures: int | None = Field(default=None, ge=1, le=MOST_EXPOSURES)


class Exposure(Message):
    """What an instrument names when it files an observation that is an exposure.

    Attributes:
        member_type: The role it has in its associations.
        associations: Those that it is to be in; none if they are planned otherwise.
    """

    name: ExposureName
    member_type: MemberType = "EXP"
    associations: tuple[Claim, ...] = Field(default=(), max_length=36)

    @model_validator(mode="after")
    def _can_be(self) -> "Exposure":
        others = [
            claim.association_id for claim in self.associations if claim.association_id[0] != self.name[0]
        ]
        if others:
            raise ValueError(
                f"exposures of instrument {self.name[0]} are in no association such as {others[0]}"
            )
        if len({claim.association_id for claim in self.associations}) < len(self.associations):
            raise ValueError("an association is named twice")
        return self


class ExposureNamed(Event):
    """An instrument said which exposure its observation is.

    It is told by filing, under the same guard as the observation's other events.
    """

    entity = "observation"
    fact = "exposure_named"

    executed_obs_unit_id: UUID
    exposure: Exposure

    def identity(self) -> tuple[object, ...]:
        return (self.executed_obs_unit_id,)

    def about(self) -> UUID:
        return self.executed_obs_unit_id


class Collection(Message):
    """How an association was collected.

    Attributes:
        actor: A service, or a person.
        missing: How many exposures were not there.
    """

    reason: CollectionReason
    at: Utc
    actor: str = Words
    missing: int = Field(default=0, ge=0)


class Opening(Message):
    """Since when a revision of an association is open, and why."""

    at: Utc
    actor: str = Words
    reason: str = Words


class Head(Message):
    """What an association is, its members apart.

    Attributes:
        turn: Counts what was said of it, from 1.
        revision: Counts its openings, from 1.
        expected: How many exposures make it complete; None if nobody said so.
        deadline: When it is collected with what is there; None if it waits for ever.
        rule: The rule that found its exposures in a pool, if one did.
        collection: How it was collected; None while it is open.
        problem: What is wrong with what was collected, if anything.
    """

    association_id: AssociationId
    turn: int = Field(ge=1)
    revision: int = Field(ge=1)
    state: AssociationState
    origin: AssociationOrigin
    opening: Opening
    expected: int | None = Field(default=None, ge=1, le=MOST_EXPOSURES)
    deadline: Utc | None = None
    rule: str | None = Field(default=None, max_length=250)
    collection: Collection | None = None
    problem: Problem | None = None

    @model_validator(mode="after")
    def _decided_or_open(self) -> "Head":
        if (self.state is AssociationState.OPEN) != (self.collection is None):
            raise ValueError("an association has a collection if, and only if, it is not open")
        return self


class ExposureMember(Message):
    """An exposure's row.

    Attributes:
        executed_obs_unit_id: The observation that is this exposure, once it is there.
        arrived_at: When it was there: finished, and every file of it packaged.
    """

    program_id: ProgramId
    obset_id: ObsetId
    member_num: ExposureNumber
    member_type: MemberType
    member_status: MemberStatus = MemberStatus.UNCOLLECTED
    executed_obs_unit_id: UUID | None = None
    arrived_at: Utc | None = None

    @model_validator(mode="after")
    def _is_exposure(self) -> "ExposureMember":
        if self.member_status is MemberStatus.PRODUCT:
            raise ValueError("an exposure's member_status is U, C or O")
        if (self.executed_obs_unit_id is None) != (self.arrived_at is None):
            raise ValueError("what arrived is told with the time at which it did")
        return self

    @property
    def key(self) -> str:
        """What it is matched by."""
        return f"{self.program_id}{self.obset_id}{self.member_num}"

    @property
    def there(self) -> bool:
        """Whether it arrived."""
        return self.executed_obs_unit_id is not None


class ProductMember(Message):
    """A product's row.

    Attributes:
        dataset: The RawDataFile that is its data set, once it was made.
        made_at: When that was told.
    """

    product_id: ProductId
    member_type: MemberType
    product_status: ProductStatus = ProductStatus.UNCOLLECTED
    dataset: UUID | None = None
    made_at: Utc | None = None

    @model_validator(mode="after")
    def _is_product(self) -> "ProductMember":
        if self.product_status is ProductStatus.EXPOSURE:
            raise ValueError("a product's product_status is U, C, N or X")
        if (self.dataset is None) != (self.made_at is None):
            raise ValueError("a data set is told with the time at which it was made")
        return self


class ProductLink(Message):
    """What a product is made of."""

    product_id: ProductId
    exposures: tuple[ExposureKey, ...] = Field(max_length=MOST_EXPOSURES)


class AssociationEvent(Event):
    """What all events of an association tell: itself, and its rows that changed, in full.

    Attributes:
        links: Of exposures that are new in it, and the products they go into.
    """

    entity = "association"

    head: Head
    exposures: tuple[ExposureMember, ...] = Field(default=(), max_length=MOST_EXPOSURES)
    products: tuple[ProductMember, ...] = Field(default=(), max_length=36)
    links: tuple[ProductLink, ...] = Field(default=(), max_length=36)

    def about(self) -> str:
        return self.head.association_id

    def _of_revision(self, *parts: object) -> tuple[object, ...]:
        return (self.head.association_id, self.head.revision, *parts)


class AssociationPlanned(AssociationEvent):
    """An association is to be collected, of these members."""

    fact = "planned"

    def identity(self) -> tuple[object, ...]:
        return (self.head.association_id,)


class MembersAdded(AssociationEvent):
    """Exposures are members of an association from now on."""

    fact = "members_added"

    def identity(self) -> tuple[object, ...]:
        return self._of_revision(*(member.key for member in self.exposures))


class MembersArrived(AssociationEvent):
    """Exposures of an association are there."""

    fact = "members_arrived"

    def identity(self) -> tuple[object, ...]:
        return self._of_revision(*(f"{m.key}:{m.executed_obs_unit_id}" for m in self.exposures))


class AssociationCollected(AssociationEvent):
    """Every row of an association was decided, together; a revision is collected once.

    A missing exposure is a warning, told as the problem.
    """

    fact = "collected"

    def identity(self) -> tuple[object, ...]:
        return self._of_revision()


class AssociationFailed(AssociationEvent):
    """An association was to be collected, and none of its exposures was there."""

    fact = "failed"

    def identity(self) -> tuple[object, ...]:
        return self._of_revision()


class AssociationReopened(AssociationEvent):
    """A new revision of an association waits for its exposures."""

    fact = "reopened"

    def identity(self) -> tuple[object, ...]:
        return self._of_revision()


class OrphanNoted(AssociationEvent):
    """An exposure of an association came after the collection."""

    fact = "orphan_noted"

    def identity(self) -> tuple[object, ...]:
        return self._of_revision(*(f"{m.key}:{m.executed_obs_unit_id}" for m in self.exposures))


class ProductMade(AssociationEvent):
    """The data set of a product of an association is there."""

    fact = "product_made"

    actor: str = Words

    def identity(self) -> tuple[object, ...]:
        return self._of_revision(*(f"{one.product_id}:{one.dataset}" for one in self.products))

    def names(self) -> tuple[str, ...]:
        """The names of the data sets."""
        return tuple(product_name(self.head.association_id, one.product_id) for one in self.products)


AssociationSaying = (
    AssociationPlanned
    | MembersAdded
    | MembersArrived
    | AssociationCollected
    | AssociationFailed
    | AssociationReopened
    | OrphanNoted
    | ProductMade
)
