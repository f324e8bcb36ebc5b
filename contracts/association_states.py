"""The states of an association and its members, and the tables of what may follow what.

Letters are those of the OPUS relation asn_members. Its description tells of product_status M in one place and N in
another for the same thing: N is stored, M is read.
"""

from enum import StrEnum


class AssociationState(StrEnum):
    """The state of an association."""

    OPEN = "open"
    """It waits for its exposures, its deadline or an operator."""
    COLLECTED = "collected"
    """Its rows were decided together: it is what its products are made of."""
    FAILED = "failed"
    """It was to be collected, and none of its exposures was there."""


class AssociationOrigin(StrEnum):
    """Who planned an association."""

    FILING = "filing"
    """An instrument named it when it filed an exposure."""
    POOL = "pool"
    """A rule found its exposures in a pool."""
    OPERATOR = "operator"
    """A person listed its members."""
    IMPORT = "import"
    """It was read from an association table."""


class CollectionReason(StrEnum):
    """Why an association was collected when it was."""

    COMPLETE = "complete"
    """Every exposure was there."""
    DEADLINE = "deadline"
    """Its time was up."""
    FORCED = "forced"
    """An operator did not want to wait."""


class MemberStatus(StrEnum):
    """What a member of an association is, and whether it was collected."""

    UNCOLLECTED = "U"
    """An exposure before the collection."""
    COLLECTED = "C"
    """An exposure that was collected."""
    ORPHAN = "O"
    """An exposure that was not: it was missing, or came too late."""
    PRODUCT = "P"
    """A product, whatever became of it."""


class ProductStatus(StrEnum):
    """What became of a product of an association."""

    UNCOLLECTED = "U"
    """A product before the collection."""
    COLLECTED = "C"
    """Its data set was made."""
    NOT_COLLECTED = "N"
    """A product whose data set was missing at the collection. Some descriptions call it M, which is read as this."""
    EXPOSURE = "E"
    """No product at all, but an exposure."""
    UNKNOWN = "X"
    """Nobody knows; only records of old times say so."""

    @classmethod
    def _missing_(cls, value: object) -> "ProductStatus | None":
        return cls.NOT_COLLECTED if value == "M" else None


class AssociationStep(StrEnum):
    """What happens to an association."""

    EXTENDED = "extended"
    """Exposures were added to it."""
    ARRIVED = "arrived"
    """Exposures of it are there."""
    COLLECTED = "collected"
    """Its rows were decided, and some exposure was there."""
    FAILED = "failed"
    """Its rows were decided, and no exposure was there."""
    REOPENED = "reopened"
    """A new revision of it begins."""
    ORPHANED = "orphaned"
    """An exposure of it came after the collection."""
    MADE = "made"
    """The data set of one of its products is there."""


_OPEN = frozenset({AssociationState.OPEN})
_DECIDED = frozenset({AssociationState.COLLECTED, AssociationState.FAILED})

ASSOCIATION_STEPS: dict[AssociationStep, dict[AssociationState, frozenset[AssociationState]]] = {
    AssociationStep.EXTENDED: {AssociationState.OPEN: _OPEN},
    AssociationStep.ARRIVED: {AssociationState.OPEN: _OPEN},
    AssociationStep.COLLECTED: {AssociationState.COLLECTED: _OPEN},
    AssociationStep.FAILED: {AssociationState.FAILED: _OPEN},
    AssociationStep.REOPENED: {AssociationState.OPEN: _DECIDED},
    AssociationStep.ORPHANED: {
        state: frozenset({state}) for state in (AssociationState.COLLECTED, AssociationState.FAILED)
    },
    AssociationStep.MADE: {
        state: frozenset({state}) for state in (AssociationState.OPEN, AssociationState.COLLECTED)
    },
}
"""What each step makes of an association, and from which states; from any other it is refused."""

MEMBER_STEPS: dict[AssociationStep, dict[MemberStatus, frozenset[MemberStatus]]] = {
    AssociationStep.ARRIVED: {MemberStatus.UNCOLLECTED: frozenset({MemberStatus.UNCOLLECTED})},
    AssociationStep.COLLECTED: {
        MemberStatus.COLLECTED: frozenset({MemberStatus.UNCOLLECTED}),
        MemberStatus.ORPHAN: frozenset({MemberStatus.UNCOLLECTED}),
    },
    AssociationStep.FAILED: {MemberStatus.ORPHAN: frozenset({MemberStatus.UNCOLLECTED})},
    AssociationStep.REOPENED: {
        MemberStatus.UNCOLLECTED: frozenset({MemberStatus.COLLECTED, MemberStatus.ORPHAN})
    },
    AssociationStep.ORPHANED: {MemberStatus.ORPHAN: frozenset({MemberStatus.ORPHAN})},
}
"""What each step makes of an exposure's member_status; a new exposure begins as U, or as O if it comes too late."""

PRODUCT_STEPS: dict[AssociationStep, dict[ProductStatus, frozenset[ProductStatus]]] = {
    AssociationStep.COLLECTED: {
        ProductStatus.COLLECTED: frozenset({ProductStatus.UNCOLLECTED, ProductStatus.UNKNOWN}),
        ProductStatus.NOT_COLLECTED: frozenset({ProductStatus.UNCOLLECTED, ProductStatus.UNKNOWN}),
    },
    AssociationStep.FAILED: {
        ProductStatus.NOT_COLLECTED: frozenset({ProductStatus.UNCOLLECTED, ProductStatus.UNKNOWN})
    },
    # Before the collection the data set is noted, and counts when all rows are decided. After it, pipelines make of
    # what was collected what was still missing.
    AssociationStep.MADE: {
        ProductStatus.UNCOLLECTED: frozenset({ProductStatus.UNCOLLECTED, ProductStatus.UNKNOWN}),
        ProductStatus.COLLECTED: frozenset(
            {ProductStatus.NOT_COLLECTED, ProductStatus.COLLECTED, ProductStatus.UNKNOWN}
        ),
    },
    AssociationStep.REOPENED: {
        ProductStatus.UNCOLLECTED: frozenset(
            {ProductStatus.COLLECTED, ProductStatus.NOT_COLLECTED, ProductStatus.UNKNOWN}
        )
    },
}
"""What each step makes of a product's product_status."""


class IllegalStep(ValueError):
    """A step that the tables do not have."""


def association_after(step: AssociationStep, before: AssociationState) -> AssociationState:
    """The state of an association after a step.

    Raises:
        IllegalStep: The step does not lead from there.
    """
    for after, sources in ASSOCIATION_STEPS[step].items():
        if before in sources:
            return after
    raise IllegalStep(f"an association that is {before} cannot be {step}")


def check_member(step: AssociationStep, before: MemberStatus, after: MemberStatus) -> MemberStatus:
    """The status of an exposure after a step, if the step leads there.

    Raises:
        IllegalStep: It does not.
    """
    if before in MEMBER_STEPS.get(step, {}).get(after, ()):
        return after
    raise IllegalStep(
        f"an exposure of status {before} does not become {after} when its association is {step}"
    )


def check_product(step: AssociationStep, before: ProductStatus, after: ProductStatus) -> ProductStatus:
    """The status of a product after a step, if the step leads there.

    Raises:
        IllegalStep: It does not.
    """
    if before in PRODUCT_STEPS.get(step, {}).get(after, ()):
        return after
    raise IllegalStep(f"a product of status {before} does not become {after} when its association is {step}")
