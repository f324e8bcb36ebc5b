"""What several services ask."""

import json
from collections.abc import Collection, Iterator
from uuid import UUID

from contracts.copies import copy_id
from contracts.states import CopyKind
from tests.simulation.opsdb.tables import Record, Row, Tables


def files(tables: Tables) -> Iterator[Row]:
    """Every RawDataFile."""
    return iter(tables["raw_data_file"].values())


def packages(tables: Tables) -> Iterator[Row]:
    """Every RawDataPackage."""
    return iter(tables["raw_data_package"].values())


def copies(tables: Tables) -> Iterator[Row]:
    """Every PhysicalCopy."""
    return iter(tables["physical_copy"].values())


def package_of(tables: Tables, file: Row) -> Row:
    """The package of a file; without columns if there is none."""
    return tables["raw_data_package"].get((file["raw_data_package_id"],), {})


def sealed_in(package: Row) -> str | None:
    """The site at which a package was sealed, as its provenance says."""
    found: str | None = json.loads(str(package["provenance"] or "{}")).get("site")
    return found


def copy_at_home(tables: Tables, file: Row) -> Row:
    """The copy of a file at the location it was filed at; without columns if there is none."""
    copy = copy_id(CopyKind.RAW_DATA_FILE, UUID(str(file["id"])), str(file["location"]))
    return tables["physical_copy"].get((copy,), {})


def records(tables: Tables, stream: str, types: Collection[str]) -> Iterator[Record]:
    """The events of some types in a stream, as recorded."""
    return (one for one in tables.records if one.stream == stream and one.type in types)


def newest(found: Iterator[Record]) -> Record | None:
    """The one with the highest sequence."""
    return max(found, key=lambda one: one.sequence, default=None)
