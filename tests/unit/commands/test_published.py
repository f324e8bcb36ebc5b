"""The published schemas and AsyncAPI documents are current, right, and never change."""

import ast
import copy
import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from commands.published.comparing import breaks, differences
from commands.published.files import ASYNCAPI, PUBLISHED, ROOT, SCHEMAS, plan
from commands.published.schemas import digest, schemas
from commands.services import load_all
from contracts.letters import LetterBuried, LetterSettled
from contracts.registry import EVENTS, REQUESTS, UPCASTERS

GOLDEN = sorted((ROOT / "tests" / "golden").glob("*.json"))
SERVICES = load_all()


def schema_of(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))


def test_the_files_are_current() -> None:
    made = plan()
    assert made.refused == []
    assert list(made.texts) == [], "python -m commands.published"


def test_every_version_has_a_schema() -> None:
    versions = {name.removeprefix("chasqui.") for name in UPCASTERS} | set(schemas())
    assert {path.stem for path in SCHEMAS.glob("*.json")} - {"published"} == versions
    assert set(json.loads((SCHEMAS / PUBLISHED).read_text("utf-8"))) == versions


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_event_is_as_its_schema_says(path: Path) -> None:
    body = json.loads(path.read_text("utf-8"))["body"]
    Draft202012Validator.check_schema(schema_of(path.stem))
    validator = Draft202012Validator(schema_of(path.stem), format_checker=Draft202012Validator.FORMAT_CHECKER)
    validator.validate(body)
    for spoilt in (body | {"schema_version": 99}, body | {"surprise": 1}):
        with pytest.raises(ValidationError):
            validator.validate(spoilt)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A copy of what is published, to be spoilt."""
    return Path(shutil.copytree(SCHEMAS, tmp_path / "schemas"))


def spoil(folder: Path, name: str, *, digests: bool, **fields: Any) -> None:
    """As if the published schema had had other fields than the model has now."""
    path = folder / f"{name}.json"
    schema = json.loads(path.read_text("utf-8"))
    for field, value in fields.items():
        if value is None:
            del schema["properties"][field]
        else:
            schema["properties"][field] = value
    path.write_text(json.dumps(schema), "utf-8")
    if digests:
        lock = folder / PUBLISHED
        lock.write_text(json.dumps(json.loads(lock.read_text("utf-8")) | {name: digest(schema)}), "utf-8")


def test_an_event_that_changes_under_its_version_is_refused(published: Path) -> None:
    spoil(published, "package.sealed.v1", digests=True, buffer={"type": "integer"})
    (why,) = plan(published).refused
    assert why.startswith("package.sealed.v1: the message.properties.buffer: ")
    assert "new version" in why


def test_a_field_that_an_event_gains_is_refused_too(published: Path) -> None:
    spoil(published, "package.sealed.v1", digests=True, buffer=None)
    (why,) = plan(published).refused
    assert "buffer is new" in why


def test_a_file_that_was_edited_is_written_as_it_was(published: Path) -> None:
    spoil(published, "package.sealed.v1", digests=False, buffer={"type": "integer"})
    made = plan(published)
    assert (list(made.texts), made.refused) == ([published / "package.sealed.v1.json"], [])


def test_an_old_version_stays_as_it_was(published: Path) -> None:
    spoil(published, "copy.deletion_refused.v1", digests=False, batch={"type": "integer"})
    (edited,) = plan(published).refused
    (published / "copy.deletion_refused.v1.json").unlink()
    (gone,) = plan(published).refused
    assert "another one now" in edited
    assert "is gone" in gone


def test_a_request_grows_by_what_may_be_left_out(published: Path) -> None:
    spoil(published, "filing.finish", digests=True, quality=None)
    assert plan(published).refused == []
    spoil(published, "filing.finish", digests=True, ours={"type": "string"})
    (why,) = plan(published).refused
    assert "ours is gone" in why


def test_what_breaks_old_clients() -> None:
    old = schemas()["filing.start"]
    for spoilt, said in (
        ("required", "required"),
        ("instrument", "pattern"),
        ("Target", "ra_deg"),
    ):
        new = copy.deepcopy(old)
        match spoilt:
            case "required":
                new["required"].append("obs_unit")
            case "instrument":
                new["properties"]["instrument"]["pattern"] = "^x$"
            case _:
                del new["$defs"]["Target"]["properties"]["ra_deg"]
        assert any(said in why for why in breaks(old, new)), spoilt
        assert differences(old, new)
    words = copy.deepcopy(old) | {"title": "Another", "description": "Said better."}
    assert breaks(old, words) == differences(old, words) == []


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_an_asyncapi_document_is_valid_and_its_references_lead_somewhere(service: Any) -> None:
    path = ASYNCAPI / f"{service.name}.yaml"
    document = yaml.safe_load(path.read_text("utf-8"))
    ApplicationSchema.model_validate(document)
    for reference in references(document):
        if reference.startswith("#/"):
            at: Any = document
            for key in reference.removeprefix("#/").split("/"):
                at = at[key]
        else:
            assert (path.parent / reference).resolve().is_file(), reference


def references(value: Any) -> list[str]:
    match value:
        case {"$ref": str(reference)}:
            return [reference]
        case dict():
            return [found for each in value.values() for found in references(each)]
        case list():
            return [found for each in value for found in references(each)]
        case _:
            return []


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_declares_what_it_says(service: Any) -> None:
    """Whatever event its code makes is declared, and whatever is declared is made somewhere."""
    own = constructed(ROOT / "services" / service.name)
    declared = {event.__name__ for event in service.says}
    assert own - {LetterBuried.__name__, LetterSettled.__name__} <= declared
    assert declared <= own | constructed(ROOT / "libs")


@cache
def constructed(folder: Path) -> frozenset[str]:
    """The events that the modules of a folder make."""
    names = {event.__name__ for event in EVENTS}
    return frozenset(
        node.func.id
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    )


def test_requests_are_no_events() -> None:
    assert not {model.__name__ for model in REQUESTS.values()} & {event.__name__ for event in EVENTS}
