"""A catalog file: what it says, what is wrong with it and where, and what it would change."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commands.catalog import examine
from contracts.base import Event
from contracts.catalog.applied import CatalogApplied, CatalogEntry
from contracts.registry import REGISTRY
from libs.catalog.differences import EntryChange, differences
from libs.catalog.reading import Contents, contents
from libs.catalog.registered import Registered
from libs.catalog.sections import SECTIONS
from libs.catalog.telling import events_of
from libs.opsdb.catalog import SHAPE_OF, SHAPES
from libs.sites.document import parse
from libs.sites.findings import Finding, Severity

ROOT = Path(__file__).resolve().parents[4]
EXAMPLE = ROOT / "examples" / "catalog.yaml"
NOTHING = Registered()
NOW = datetime(2026, 9, 1, tzinfo=UTC)

HEAD = """version: 1
observatories: {FYST: }
telescopes: {six: {observatory: FYST}}
instruments: {chai: {telescope: six}}
observing_programs: {P: }
"""


def examined(tmp_path: Path, text: str, known: Registered = NOTHING) -> tuple[Contents, tuple[Finding, ...]]:
    file = tmp_path / "catalog.yaml"
    file.write_text(text)
    found, findings, _ = examine(file, known)
    return found, findings


def after(found: Contents, known: Registered = NOTHING) -> Registered:
    """What is registered once a file was applied."""
    changes = differences(found, known)
    entries = dict(known.entries)
    there = set(known.there)
    for change in changes:
        key = change.shape.key_of(change.after)
        entries[change.shape.table, key] = change.shape, change.after
        there |= {(change.shape.table, key), *([(change.shape.subtype, key)] if change.shape.subtype else [])}
    return Registered(entries, there, set(), NOW)


def test_the_example_is_complete_and_right() -> None:
    found, findings, text = examine(EXAMPLE, NOTHING)
    assert findings == ()
    assert {one.shape.kind for one in found.entries} == {shape.kind for shape in SHAPES}
    assert all(f"\n{key}:" in text for key in SECTIONS)


def test_the_document_explains_every_section_and_field() -> None:
    words = (ROOT / "docs" / "catalog.md").read_text("utf-8")
    for key, section in SECTIONS.items():
        assert f"### {key}\n" in words, key
        part = words.split(f"### {key}\n")[1].split("\n###")[0]
        for name in section.shape.entry.model_fields:
            if name not in (*section.shape.key, "kind", "retired", "description"):
                assert f"`{name}`" in part, (key, name)


def test_every_kind_of_entry_has_a_shape_and_comes_after_what_it_refers_to() -> None:
    assert set(SHAPE_OF) == set(CatalogEntry.__args__)
    seen: set[str] = set()
    for shape in SHAPES:
        for reference in shape.refers:
            assert set(reference.tables) <= seen, shape.kind
        seen |= {shape.table, *([shape.subtype] if shape.subtype else [])}
        fields = set(shape.entry.model_fields) - {"kind"}
        assert fields == {*shape.key, *shape.columns, *shape.subtype_columns}


def test_a_file_that_was_applied_changes_nothing() -> None:
    found, _, _ = examine(EXAMPLE, NOTHING)
    known = after(found)
    assert differences(found, known) == []
    again, findings, _ = examine(EXAMPLE, known)
    assert findings == ()
    assert differences(again, known) == []


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("telescopes: {six: {observatory: FIST}}", "parent_unknown", 2, "Did you mean FYST"),
        ("fixed_sources: {M 31: {ra_deg: 360, dec_deg: 41}}", "value_out_of_range", 2, "below 360"),
        ("fixed_sources: {M 31: {ra_deg: 10, dec_deg: -90.5}}", "value_out_of_range", 2, "not below -90"),
        ("fixed_sources: {M 31: {ra_deg: .nan, dec_deg: 1}}", "value_invalid", 2, "finite"),
        ("fixed_sources: {M 31: {ra_deg: 10}}", "key_missing", 2, "dec_deg"),
        ("fixed_sources: {M 31: {ra_deg: 1, dec_deg: 1, dec: 1}}", "key_unknown", 2, "Did you mean dec_deg"),
        (
            "fixed_sources:\n  M 31: {ra_deg: 1, dec_deg: 1}\n  M 31: {ra_deg: 1, dec_deg: 1}",
            "key_twice",
            4,
            "line 3",
        ),
        (
            "fixed_sources: {Uranus: {ra_deg: 1, dec_deg: 1}}\nsolar_system_objects: {Uranus: }",
            "name_twice",
            3,
            "fixed_sources",
        ),
        ("fixed_source: {}", "section_unknown", 2, "Did you mean fixed_sources"),
        ("fixed_sources: [M 31]", "type_wrong", 2, "keys and values"),
        ("lines: {CO: {rest_frequency: 0}}", "value_out_of_range", 2, "above 0"),
        ("lines: {CO: {rest_frequency: 1, frequency_unit: MHZ}}", "value_not_allowed", 2, "MHz"),
        (
            "constant_elevation_sources: {e: {elevation_deg: 4, azimuth_min_deg: 9, azimuth_max_deg: 8}}",
            "value_invalid",
            2,
            "Add 360",
        ),
        ("roles: {viewer: {permissions: [read]}}", "name_invalid", 2, "'read' is no permission"),
        ("roles: {viewer: {permissions: 'read:*'}}", "type_wrong", 2, "a list"),
        ("obs_modes: {' scan': }", "name_invalid", 2, "' scan' is no name"),
        ("obs_modes: {scan: {name: raster}}", "key_unknown", 2, "Leave it out"),
        ("obs_modes: {scan: {description: 5}}", "type_wrong", 2, "quotes"),
        ("users: {p: {roles: [boss]}}", "parent_unknown", 2, "no role is called 'boss'"),
        ("obs_units: {u: {observing_program: P, sub_observing_program: x}}", "parent_unknown", 2, "'P/x'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_a_remedy(
    tmp_path: Path, text: str, code: str, line: int, words: str
) -> None:
    known = after(examined(tmp_path, HEAD)[0])
    _, findings = examined(tmp_path, f"version: 1\n{text}\n", known)
    [found] = [one for one in findings if one.problem.code == code]
    assert found.severity is Severity.ERROR
    assert found.line == line
    assert words in f"{found.problem.reason} {found.problem.remedy}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("observatories: {}", "version_unknown"),
        ("version: 2", "version_unknown"),
        ("[1]", "not_a_mapping"),
        ("a: [", "yaml_invalid"),
        ("", "yaml_invalid"),
    ],
)
def test_what_is_no_catalog_is_refused(tmp_path: Path, text: str, code: str) -> None:
    assert [one.problem.code for one in examined(tmp_path, text)[1]] == [code]


def test_a_file_that_is_not_there_is_told() -> None:
    _, [finding], _ = examine(Path("/nowhere/catalog.yaml"), NOTHING)
    assert finding.problem.code == "file_unreadable"


def change_of(changes: list[EntryChange]) -> EntryChange:
    [change] = changes
    return change


def test_a_change_names_the_fields_that_differ(tmp_path: Path) -> None:
    known = after(examined(tmp_path, HEAD)[0])
    found, _ = examined(tmp_path, "version: 1\nobserving_programs: {P: {priority: 7}}\n", known)
    change = change_of(differences(found, known))
    assert [(one.field, one.before, one.after) for one in change.fields] == [("priority", 5, 7)]


def test_what_a_file_does_not_name_stays(tmp_path: Path) -> None:
    known = after(examined(tmp_path, HEAD)[0])
    found, findings = examined(tmp_path, "version: 1\n", known)
    assert findings == ()
    assert differences(found, known) == []


def test_what_is_taken_out_of_a_list_is_retired_and_can_come_back(tmp_path: Path) -> None:
    text = "version: 1\nroles: {viewer: {permissions: [%s]}}\n"
    known = after(examined(tmp_path, text % '"read:*", "list:*"')[0])
    found, _ = examined(tmp_path, text % '"read:*"', known)
    change = change_of(differences(found, known))
    assert (change.name, change.after.retired) == ("viewer/list:*", True)
    known = after(found, known)
    assert differences(found, known) == []
    silent, _ = examined(tmp_path, "version: 1\nroles: {viewer: }\n", known)
    assert differences(silent, known) == []
    back, _ = examined(tmp_path, text % '"read:*", "list:*"', known)
    assert not change_of(differences(back, known)).after.retired


def test_a_source_does_not_change_its_kind(tmp_path: Path) -> None:
    known = after(examined(tmp_path, "version: 1\nsolar_system_objects: {Uranus: }\n")[0])
    _, findings = examined(tmp_path, "version: 1\nfixed_sources: {Uranus: {ra_deg: 1, dec_deg: 1}}\n", known)
    assert [one.problem.code for one in findings] == ["kind_differs"]


def test_a_reference_to_something_retired_is_a_warning(tmp_path: Path) -> None:
    text = "version: 1\nobserving_programs: {P: {retired: true}}\nobs_units: {u: {observing_program: P%s}}\n"
    _, [finding] = examined(tmp_path, text % "")
    assert (finding.problem.code, finding.severity) == ("parent_retired", Severity.WARNING)
    assert examined(tmp_path, text % ", retired: true")[1] == ()


def told(found: Contents, known: Registered, now: datetime = NOW) -> list[CatalogApplied]:
    return events_of(differences(found, known), known, site="chile", now=now, by="me", reason="why")


def test_a_change_is_newer_than_what_it_replaces_even_if_the_clock_was_set_back(tmp_path: Path) -> None:
    known = after(examined(tmp_path, HEAD)[0])
    found, _ = examined(tmp_path, "version: 1\nobserving_programs: {P: {priority: 7}}\n", known)
    [late] = told(found, known, NOW + timedelta(days=1))
    [early] = told(found, known, NOW - timedelta(days=1))
    assert late.applied_at == NOW + timedelta(days=1)
    assert early.applied_at > NOW


def test_a_long_catalog_is_told_in_parts_that_can_be_read() -> None:
    units = "".join(f"  unit {n}: {{observing_program: P}}\n" for n in range(1200))
    file = "version: 1\nobserving_programs: {P: }\nobs_units:\n" + units
    events = told(contents(parse(file)), NOTHING)
    assert [(one.part, one.parts) for one in events] == [(1, 3), (2, 3), (3, 3)]
    assert len({one.event_id("chile") for one in events}) == 3
    for event in events:
        read: Event = REGISTRY.read(event.type_name(), event.model_dump_json().encode())
        assert read == event
    assert sum(len(one.entries) for one in events) == 1201
