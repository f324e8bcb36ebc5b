"""Holds that stand, and whether one of them covers a copy: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.states import HoldKind

Scope = tuple[HoldKind, str]
"""What is held: its kind, and its name or its id in lower case."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody wants copies to stay.

    Attributes:
        target: The name or id of what is held.
        package: The package that a held file is in; None if it is in none, or something else is held.
    """

    id: UUID
    kind: HoldKind
    target: str
    reason: str
    placed_by: str | None = None
    placed_at: datetime | None = None
    package: UUID | None = None

    @property
    def scope(self) -> Scope:
        """What is held."""
        return scope(self.kind, self.target)


def scope(kind: HoldKind, target: str | UUID) -> Scope:
    """Names something that may be held."""
    return kind, str(target).strip().lower()


@dataclass(frozen=True, slots=True)
class Holds:
    """All holds that stand: looking one up costs the same however many there are."""

    by_scope: Mapping[Scope, Hold] = field(default_factory=dict)
    by_package: Mapping[UUID, Hold] = field(default_factory=dict)

    @classmethod
    def of(cls, holds: Iterable[Hold]) -> "Holds":
        """The holds, of several on one thing the first."""
        by_scope: dict[Scope, Hold] = {}
        by_package: dict[UUID, Hold] = {}
        for hold in holds:
            by_scope.setdefault(hold.scope, hold)
            if hold.package is not None:
                by_package.setdefault(hold.package, hold)
        return cls(by_scope, by_package)

    def on(
        self,
        *,
        location: str,
        instrument: str | None = None,
        unit: UUID | None = None,
        package: UUID | None = None,
        file: UUID | None = None,
    ) -> Hold | None:
        """The hold that covers a copy; None if none does.

        Args:
            location: Where it is.
            instrument: Whose it is.
            unit: Of which observation it is.
            package: The package that it is, or is in.
            file: The file that it is; None for a package, which is covered by a hold on any of its files.
        """
        if not self.by_scope:
            return None
        names: tuple[tuple[HoldKind, str | UUID | None], ...] = (
            (HoldKind.LOCATION, location),
            (HoldKind.INSTRUMENT, instrument),
            (HoldKind.EXECUTED_OBS_UNIT, unit),
            (HoldKind.RAW_DATA_PACKAGE, package),
            (HoldKind.RAW_DATA_FILE, file),
        )
        for kind, name in names:
            if name is not None and (found := self.by_scope.get(scope(kind, name))) is not None:
                return found
        return self.by_package.get(package) if package is not None and file is None else None


NO_HOLDS = Holds()
