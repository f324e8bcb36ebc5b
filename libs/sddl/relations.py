"""What an SDDL description says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record.

    Attributes:
        type: Its type as written: C9, I4, R8, …
        units: Of its values; None if they have none.
    """

    name: str
    type: str
    units: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a relation.

    Attributes:
        kinds: As written, in lower case: unique, clustered, nonclustered, …
    """

    name: str
    kinds: frozenset[str]
    fields: tuple[str, ...]

    @property
    def unique(self) -> bool:
        """Whether no two rows have the same values in its fields."""
        return "unique" in self.kinds


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation.

    Attributes:
        record: The record whose fields it has.
        used_by: The subsystems that use it.
    """

    name: str
    record: str
    fields: tuple[Field, ...]
    indexes: tuple[Index, ...] = ()
    used_by: tuple[str, ...] = ()
    description: str | None = None
