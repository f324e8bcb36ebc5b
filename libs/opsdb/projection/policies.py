"""What becomes of a column when it is told twice.

Each policy exists twice, and the two must agree: for merging the changes of a batch in Python
(`coalescing`), and for merging a change with the row that is there, in SQL (`statements`).
"""

from dataclasses import dataclass, field
from enum import Enum


class Policy(Enum):
    """How the value of one column that is there and one that comes become one."""

    REPLACE = "replace"
    """The later one counts, null included. For columns that events of one stream alone write."""
    FIXED = "fixed"
    """Every telling is the same, for the key derives from it, and every writer of the row tells it."""
    EARLIEST = "earliest"
    """The smaller one counts; null counts for nothing. Order does not matter."""
    LATEST = "latest"
    """The larger one counts; null counts for nothing. Order does not matter."""
    ABSORB = "absorb"
    """The one further down the column's declared order counts. Order does not matter."""


@dataclass(frozen=True)
class Guarded:
    """Columns that a step changes only from certain states of the row.

    A table's groups all hang on its state column. Each change brings the set of states from which it is
    taken (bits, see `Table.state_bit`); taken or not, it is so as a whole.

    Attributes:
        columns: Written together, or not at all.
    """

    columns: tuple[str, ...]


@dataclass(frozen=True)
class Versioned:
    """Columns that events of several streams write: the highest version counts. Order does not matter.

    Attributes:
        version: Columns that make the version, compared from left to right.
        columns: The others, written with it.
        void_in: A state of the row in which the columns stay null whatever was told; who brings the row
            there tells the columns, too, as null.
    """

    version: tuple[str, str]
    columns: tuple[str, ...]
    void_in: str | None = None

    @property
    def all(self) -> tuple[str, ...]:
        """The version's columns and the others."""
        return (*self.version, *self.columns)


@dataclass(frozen=True)
class Policies:
    """The policies of one table; whatever is not named is REPLACE.

    Attributes:
        columns: Those of single columns.
        order: The states of an ABSORB column, the absorbing one last.
        guarded: Groups that depend on `state`; the first one contains it and is written by every step.
        versioned: Groups with a version each.
    """

    columns: dict[str, Policy] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    guarded: tuple[Guarded, ...] = ()
    versioned: tuple[Versioned, ...] = ()


def merged(policy: Policy, order: tuple[str, ...], old: object, new: object) -> object:
    """The value of a column told first as `old`, then as `new`."""
    if policy is Policy.REPLACE:
        return new
    if old is None or new is None:
        return new if old is None else old
    match policy:
        case Policy.FIXED:
            return old
        case Policy.EARLIEST:
            return min(old, new)  # type: ignore[call-overload]  # both are of the column's type
        case Policy.LATEST:
            return max(old, new)  # type: ignore[call-overload]  # both are of the column's type
        case Policy.ABSORB:
            return max(old, new, key=lambda state: order.index(str(state)))
