"""What every site registers when the storm is over: the same names in other words, which all must come to agree on."""

from collections.abc import Iterator
from datetime import timedelta

from contracts.catalog.applied import CatalogApplied, CatalogEntry, apply_id
from contracts.catalog.planning import ObservingProgramEntry, ObsUnitEntry
from contracts.catalog.sources import FixedSourceEntry
from tests.simulation.world import EPOCH

UNITS = 2
"""So many of the planned observations are registered; the others that are made wait for it."""


def registered_at(site: str) -> Iterator[CatalogApplied]:
    """The children before their parents, and each site's words in the place of those of the ones before it."""
    units = [ObsUnitEntry(name=f"unit-{n}", observing_program="P", source="M 31") for n in range(UNITS)]
    source = FixedSourceEntry(name="M 31", ra_deg=10.6847, dec_deg=41.2688, description=f"as {site} has it")
    program = ObservingProgramEntry(name="P", title=f"as {site} has it")
    at = EPOCH + timedelta(seconds=len(site))
    parts: tuple[tuple[CatalogEntry, ...], ...] = ((*units,), (source, program))
    for part, entries in enumerate(parts, start=1):
        yield CatalogApplied(
            apply_id=apply_id(site, at, "after the storm"),
            applied_at=at,
            applied_by="operator",
            part=part,
            parts=2,
            entries=entries,
        )
