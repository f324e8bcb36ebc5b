"""Assets, tasks and cameras have the fields, types, options and enums of the network's own schemas, no more and no less."""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, get_args
from uuid import UUID

import annotated_types
import pytest
from pydantic import AwareDatetime, BaseModel, StringConstraints
from pydantic.fields import FieldInfo
from sqlalchemy import Enum, String
from sqlalchemy.dialects.postgresql import ARRAY

from contracts.skynet.assets import ObservationAsset
from contracts.skynet.cameras import Camera
from contracts.skynet.tasks import OpticalImagingTask
from libs.opsdb import models

CONTRACTS: dict[str, type[BaseModel]] = {
    "ObservationAsset": ObservationAsset,
    "OpticalImagingTask": OpticalImagingTask,
    "Camera": Camera,
}
TABLES: dict[str, Any] = {name: getattr(models, name) for name in CONTRACTS}

PYTHON = {
    "Integer": int,
    "Float": float,
    "Boolean": bool,
    "UUID": UUID,
    "DateTime": datetime,
    "DATETIME": timedelta,  # printed so, though it is an interval
}


class Printed(NamedTuple):
    """A field as its schema prints it."""

    model: str
    name: str
    type: str
    optional: bool

    @property
    def values(self) -> list[str] | None:
        """Of an enum."""
        found = re.fullmatch(r"Enum\((.*)\)", self.type)
        return found[1].split(", ") if found else None

    @property
    def length(self) -> int | None:
        """Of a bounded text."""
        found = re.fullmatch(r"String\((\d+)\)", self.type)
        return int(found[1]) if found else None


def printed() -> list[Printed]:
    found, model = [], ""
    for line in (Path(__file__).parent / "skynet_fields.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            model = line.strip("[]")
        elif line:
            name, kind = line.removesuffix(" (Optional)").split(" ", 1)
            found.append(Printed(model, name, kind, line.endswith(" (Optional)")))
    return found


FIELDS = printed()


@pytest.mark.parametrize(
    ("model", "count"), [("ObservationAsset", 23), ("OpticalImagingTask", 31), ("Camera", 26)]
)
def test_a_contract_has_exactly_the_fields_of_its_schema(model: str, count: int) -> None:
    names = [field.name for field in FIELDS if field.model == model]
    assert len(names) == len(set(names)) == count
    assert set(CONTRACTS[model].model_fields) == set(names)
    assert set(names) <= {column.key for column in TABLES[model].__mapper__.columns}


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.model}.{field.name}")
def test_a_field_is_as_its_schema_says(field: Printed) -> None:
    info = CONTRACTS[field.model].model_fields[field.name]
    kind, optional = type_of(info)
    assert optional == field.optional
    if field.values is not None:
        assert issubclass(kind, StrEnum)
        assert [member.value for member in kind] == field.values
    elif field.type.startswith("String"):
        assert kind is str
        assert length_of(info) == field.length
    elif field.type == "ARRAY":
        assert kind is tuple
    else:
        assert kind is PYTHON[field.type]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.model}.{field.name}")
def test_a_column_is_as_its_schema_says(field: Printed) -> None:
    column = TABLES[field.model].__mapper__.columns[field.name]
    assert column.nullable == field.optional
    if isinstance(column.type, Enum):
        assert column.type.enums == field.values
    elif isinstance(column.type, String):
        assert field.type.startswith("String")
        assert column.type.length == field.length
    elif isinstance(column.type, ARRAY):
        assert field.type == "ARRAY"
    else:
        assert column.type.python_type is PYTHON[field.type]


def type_of(info: FieldInfo) -> tuple[type, bool]:
    """The bare type of a field, and whether it may be None."""
    parts = _parts(info.annotation)
    bare = [part for part in parts if part is not type(None)]
    [kind] = bare
    return datetime if kind is AwareDatetime else kind, len(parts) > 1


def _parts(annotation: Any) -> list[type]:
    if hasattr(annotation, "__metadata__"):
        return _parts(annotation.__origin__)
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation]
    if getattr(annotation, "__origin__", None) is tuple:
        return [tuple]
    return [part for one in get_args(annotation) for part in _parts(one)]


def length_of(info: FieldInfo) -> int | None:
    """The greatest length of a text."""
    constraints = list(info.metadata)
    for one in get_args(info.annotation):
        constraints += getattr(one, "__metadata__", ())
    for constraint in constraints:
        if isinstance(constraint, StringConstraints | annotated_types.MaxLen):
            return constraint.max_length
    return None
