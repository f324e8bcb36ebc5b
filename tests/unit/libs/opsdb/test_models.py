"""Every table of the data model is there, and says what it is and in which units."""

import ast
import inspect
import re
from itertools import pairwise
from pathlib import Path

import pytest

from libs.opsdb import models
from libs.opsdb.models import METADATA, Base

REFERENCE = (Path(__file__).parent / "data_model_reference.txt").read_text().split()
"""The table names of the Data Model Reference of the data centre's documentation."""

MODELS = sorted(
    (mapper.class_ for mapper in Base.registry.mappers), key=lambda model: str(model.__tablename__)
)

_EVIDENT = """
    id name description title message site service instrument instrument_module observatory telescope source line role
    permission user_name full_name email location path size kind state institution principal_investigator time
    observing_program obs_unit obs_mode observation_configuration naif_id scan_pattern sideband frequency_unit reason
    telescope created_at deleted_at sealed_at planned_at received_at started_at completed_at packaged_at scanned_at
    requested_by requested_at expires_at origin destination route engine file_count package_count packages files bucket
    endpoint library priority active via type handler failure staged_at buried_at settled_at number sha256 issued_at
    issued_by storage_type location_type route_type placed_by placed_at stream sequence event_id about causation_id
"""
SELF_EVIDENT = frozenset(_EVIDENT.split())
"""Columns that need no words beside their names."""


def column_names(model: type) -> list[str]:
    return [column.name for column in METADATA.tables[model.__tablename__].columns]  # type: ignore[attr-defined]


def documented(model: type) -> str:
    """The docstrings of a model and of what it is made of, the columns of a problem included."""
    return "\n".join(
        inspect.getdoc(one) or "" for one in model.__mro__ if one.__module__.startswith("libs.opsdb")
    )


def test_every_table_of_the_reference_is_there() -> None:
    assert len(REFERENCE) == len(set(REFERENCE)) == 48
    assert set(REFERENCE) - set(METADATA.tables) == set()


def test_every_table_is_a_model() -> None:
    assert {str(model.__tablename__) for model in MODELS} == set(METADATA.tables)
    assert {model.__name__ for model in MODELS} <= set(models.__all__)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__tablename__)
def test_a_model_says_in_its_own_words_what_it_is(model: type) -> None:
    own = model.__dict__.get("__doc__")
    assert own, "a docstring of its own"
    first = own.strip().splitlines()[0]
    assert len(first) > 10
    others = [one.__doc__ for one in model.__mro__[1:] if one.__doc__]
    assert own not in others


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__tablename__)
def test_every_column_is_self_evident_or_documented(model: type) -> None:
    words = documented(model)
    columns = METADATA.tables[model.__tablename__].columns  # type: ignore[attr-defined]
    unsaid = [
        column.name
        for column in columns
        if not column.foreign_keys and not evident(column.name) and not said(column.name, words)
    ]
    assert unsaid == []


def evident(column: str) -> bool:
    """Whether its name says it, as that of the id of a row of another table does."""
    return column in SELF_EVIDENT or column.removesuffix("_id") in METADATA.tables


def said(column: str, words: str) -> bool:
    """Whether it is named, or belongs to a problem whose first column is."""
    if re.search(rf"\b{column}\b", words):
        return True
    group = re.sub(r"_(reason|remedy)$", "_code", column)
    return group != column and said(group, words)


@pytest.mark.parametrize(
    ("suffix", "unit"),
    [
        ("_deg", "degrees"),
        ("_arcsec", "arcsec"),
        ("_ghz", "GHz"),
        ("_mhz", "MHz"),
        ("_hz", "Hz"),
        ("_m", "metres"),
        ("_h", "hours"),
        ("_deg_s", "degrees per second"),
        ("_km_s", "km/s"),
        ("_ns", "nanoseconds"),
    ],
)
def test_the_unit_in_a_columns_name_is_the_one_in_its_words(suffix: str, unit: str) -> None:
    found = [(model, name) for model in MODELS for name in column_names(model) if name.endswith(suffix)]
    assert found
    for model, name in found:
        assert re.search(rf"\b{name}\b", documented(model)), name
        assert unit in documented(model), (model, name)


def test_no_two_models_have_the_same_words() -> None:
    words = sorted(str(model.__doc__) for model in MODELS)
    assert all(one != other for one, other in pairwise(words))


def test_models_stand_in_modules_of_one_subject() -> None:
    for module in {inspect.getmodule(model) for model in MODELS}:
        assert module is not None
        text = inspect.getsource(module)
        assert ast.get_docstring(ast.parse(text))
        assert text.count("\n") < 250
