"""Every mistake of form: its code, its line, and that all of a file's mistakes come together."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from libs.sites.findings import ConfigError
from libs.sites.loading import MAX_BYTES, Report, examine, load
from libs.sites.models import DiskLocation, S3Location
from libs.sites.shape import model_at, nearest

Look = Callable[[str], Report]

HEAD = "version: 1\nobservatory: O\ntelescope: T\n"
INSTRUMENT = f"{HEAD}sites: {{a: {{}}}}\ninstruments:\n  i:\n    site: a\n    source: s\n"
SITE = f"{HEAD}sites:\n  a:\n"

MISTAKES = {
    "empty": ("", "yaml_invalid", 1, ""),
    "comments_only": ("# nothing\n", "yaml_invalid", 1, ""),
    "list": ("- a\n- b\n", "not_a_mapping", 1, ""),
    "word": ("hello\n", "not_a_mapping", 1, ""),
    "syntax": (f"{HEAD}sites: [a\n", "yaml_invalid", 5, ""),
    "tab": (f"{HEAD}sites:\n\ta: 1\n", "yaml_invalid", 5, ""),
    "control_character": (f"{HEAD}sites: \x07\n", "yaml_invalid", 4, ""),
    "two_documents": (f"{HEAD}sites: {{a: {{}}}}\n---\nx: 1\n", "yaml_invalid", 5, ""),
    "object_tag": (f"{HEAD}sites: !!python/object:os.system {{}}\n", "yaml_invalid", 4, ""),
    "bad_tagged_int": (f"{HEAD}sites: !!int many\n", "yaml_invalid", 4, ""),
    "bad_tagged_bool": (f"{HEAD}sites: !!bool perhaps\n", "yaml_invalid", 4, ""),
    "unknown_alias": (f"{HEAD}sites: *nowhere\n", "yaml_invalid", 4, ""),
    "key_twice": (f"{HEAD}telescope: U\nsites: {{a: {{}}}}\n", "key_twice", 4, "telescope"),
    "site_twice": (f"{SITE}    description: x\n  a: {{}}\n", "key_twice", 7, "sites.a"),
    "key_number": (f"{HEAD}sites:\n  2020: {{}}\n", "key_not_text", 5, "sites.2020"),
    "key_list": (f"{HEAD}sites:\n  ? [a]\n  : {{}}\n", "key_not_text", 4, "sites.?"),
    "alias_endless": (f"{HEAD}sites: &s\n  a: *s\n", "alias_endless", 5, "sites.a"),
    "version": (f"{HEAD.replace('1', '2')}sites: {{a: {{}}}}\n", "value_not_allowed", 1, "version"),
    "missing_top": ("version: 1\nobservatory: O\nsites: {a: {}}\n", "key_missing", 1, "telescope"),
    "no_sites": (f"{HEAD}sites: {{}}\n", "value_empty", 4, "sites"),
    "null_sites": (f"{HEAD}sites:\n", "type_wrong", 4, "sites"),
    "number_for_text": (f"{HEAD.replace('O', '5')}sites: {{a: {{}}}}\n", "type_wrong", 2, "observatory"),
    "unknown_top": (f"{HEAD}sites: {{a: {{}}}}\nrouts: {{}}\n", "key_unknown", 5, "routs"),
    "unknown_in_scrub": (
        f"{SITE}    locations:\n      x: {{type: long_term_archive, storage: s3, bucket: abc, scrub: {{speed: 1}}}}\n",
        "key_unknown",
        7,
        "sites.a.locations.x.scrub.speed",
    ),
    "unknown_in_site": (f"{SITE}    scan:\n      queit: 1s\n", "key_unknown", 7, "sites.a.scan.queit"),
    "bad_site_name": (f"{HEAD}sites:\n  Chile: {{}}\n", "name_invalid", 5, "sites.Chile"),
    "bad_name_value": (f"{SITE}    nats: {{leaf_of: A b}}\n", "name_invalid", 6, "sites.a.nats.leaf_of"),
    "bad_type": (
        f"{SITE}    locations:\n      l:\n        type: sourc\n        path: x\n",
        "value_not_allowed",
        8,
        "sites.a.locations.l.type",
    ),
    "no_path": (
        f"{SITE}    locations:\n      l:\n        type: source\n",
        "key_missing",
        7,
        "sites.a.locations.l.path",
    ),
    "tape": (
        f"{SITE}    locations:\n      l: {{type: buffer, storage: tape}}\n",
        "value_not_allowed",
        7,
        "sites.a.locations.l.storage",
    ),
    "s3_buffer": (
        f"{SITE}    locations:\n      l: {{type: buffer, storage: s3, bucket: abc}}\n",
        "value_invalid",
        7,
        "sites.a.locations.l",
    ),
    "empty_location": (f"{SITE}    locations:\n      l:\n", "type_wrong", 7, "sites.a.locations.l"),
    "duration": (f"{SITE}    scan: {{quiet: 5 furlongs}}\n", "value_invalid", 6, "sites.a.scan.quiet"),
    "duration_negative": (f"{SITE}    scan: {{quiet: -5}}\n", "value_out_of_range", 6, "sites.a.scan.quiet"),
    "duration_endless": (
        f"{SITE}    scan: {{quiet: {'9' * 30}d}}\n",
        "value_invalid",
        6,
        "sites.a.scan.quiet",
    ),
    "duration_infinite": (f"{SITE}    scan: {{quiet: .inf}}\n", "type_wrong", 6, "sites.a.scan.quiet"),
    "duration_truth": (f"{SITE}    scan: {{quiet: yes}}\n", "value_invalid", 6, "sites.a.scan.quiet"),
    "port": (
        f"{SITE}    http: {{filing_port: 70000}}\n",
        "value_out_of_range",
        6,
        "sites.a.http.filing_port",
    ),
    "port_text": (f"{SITE}    http: {{filing_port: many}}\n", "type_wrong", 6, "sites.a.http.filing_port"),
    "size": (
        f"{INSTRUMENT}    modules: [m]\n    package_limit: 5 furlongs\n",
        "type_wrong",
        10,
        "instruments.i.package_limit",
    ),
    "size_negative": (
        f"{INSTRUMENT}    modules: [m]\n    package_limit: -1\n",
        "type_wrong",
        10,
        "instruments.i.package_limit",
    ),
    "size_endless": (
        f"{INSTRUMENT}    modules: [m]\n    package_limit: .inf\n",
        "type_wrong",
        10,
        "instruments.i.package_limit",
    ),
    "size_huge": (
        f"{INSTRUMENT}    modules: [m]\n    package_limit: {'9' * 400} GB\n",
        "type_wrong",
        10,
        "instruments.i.package_limit",
    ),
    "no_modules": (
        f"{INSTRUMENT}    modules: []\n",
        "value_empty",
        9,
        "instruments.i.modules",
    ),
    "bad_module": (
        f"{INSTRUMENT}    modules:\n    - m\n    - M\n",
        "name_invalid",
        11,
        "instruments.i.modules[1]",
    ),
    "route_type": (
        f"{HEAD}sites: {{a: {{}}}}\nroutes:\n  r: {{origin: a, destination: a, type: teleport}}\n",
        "value_not_allowed",
        6,
        "routes.r.type",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_mistake_is_found_on_its_line(mistake: str, look: Look) -> None:
    text, code, line, where = MISTAKES[mistake]
    found = [(x.problem.code, x.line, x.where) for x in look(text).errors]
    assert found == [(code, line, where)]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_load_refuses_every_mistake_with_a_remedy(mistake: str, tmp_path: Path) -> None:
    path = tmp_path / "deployment.yaml"
    path.write_text(MISTAKES[mistake][0])
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert refused.value.problem.code == "config_invalid"
    assert str(refused.value).startswith(f"{path}:")
    assert all(x.problem.reason and x.problem.remedy.endswith((".", "FILE")) for x in refused.value.findings)


def test_all_mistakes_come_together_in_the_order_of_lines(look: Look) -> None:
    report = look("version: 1\nversion: 1\nobservatory: 5\ntelescop: T\nsites:\n  A: {}\n")
    assert [(x.line, x.problem.code) for x in report.findings] == [
        (1, "key_missing"),
        (2, "key_twice"),
        (3, "type_wrong"),
        (4, "key_unknown"),
        (6, "name_invalid"),
    ]


def test_column_points_at_the_value(look: Look) -> None:
    (found,) = look(f"{SITE}    scan: {{sweep: 2s, quiet: soon}}\n").findings
    assert (found.line, found.column) == (6, 30)


def test_near_misses_are_named(look: Look) -> None:
    (found,) = look(f"{HEAD}sites: {{a: {{}}}}\nrouts: {{}}\n").errors
    assert "Did you mean routes?" in found.problem.remedy
    (found,) = look(f"{SITE}    locations:\n      l: {{type: Sourc, path: x}}\n").errors
    assert "Did you mean source?" in found.problem.remedy
    assert nearest("zzz", ["path"]) == ""


def test_bucket_on_a_disk_leads_to_storage_s3(look: Look) -> None:
    report = look(f"{SITE}    locations:\n      l: {{type: long_term_archive, bucket: abc}}\n")
    assert any("storage: s3" in x.problem.remedy for x in report.errors)


def test_word_that_yaml_takes_for_a_truth_value_wants_quotes(look: Look) -> None:
    (found,) = look(f"{HEAD.replace('T', 'no')}sites: {{a: {{}}}}\n").errors
    assert found.problem.remedy == "Put quotes around it."


def test_date_stays_text(look: Look) -> None:
    assert look(f"{HEAD.replace('T', '2026-13-45')}sites: {{a: {{}}}}\n").errors == ()


def test_anchor_and_merge_are_followed(look: Look) -> None:
    text = (
        f"{SITE}    scan: &scan\n      quiet: 1s\n      sweep: 3s\n"
        "  b:\n    scan:\n      <<: *scan\n      quiet: 2s\n      typo: 1\n"
    )
    assert [(x.line, x.where) for x in look(text).errors] == [(13, "sites.b.scan.typo")]
    report = look(text.replace("      typo: 1\n", ""))
    assert report.deployment is not None
    assert report.deployment.sites["b"].scan.quiet.total_seconds() == 2
    assert report.deployment.sites["b"].scan.sweep.total_seconds() == 3


def test_alias_bomb_is_refused_quickly(look: Look) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    assert {x.problem.code for x in look("\n".join(lines)).errors} == {"key_unknown", "key_missing"}


def test_deep_nesting_is_refused(look: Look) -> None:
    (found,) = look("[" * 20_000).errors
    assert found.problem.code == "yaml_invalid"


def test_file_that_is_not_there(tmp_path: Path) -> None:
    (found,) = examine(tmp_path / "none.yaml").errors
    assert found.problem.code == "file_unreadable"
    (found,) = examine(tmp_path).errors
    assert found.problem.code == "file_unreadable"


def test_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"version: 1\nobservatory: \xff\n")
    (found,) = examine(path).errors
    assert found.problem.code == "file_not_utf8"
    assert "line 2" in found.problem.reason


def test_file_that_never_ends() -> None:
    (found,) = examine(Path("/dev/zero")).errors
    assert found.problem.code == "file_too_large"
    assert str(MAX_BYTES) in found.problem.reason


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEAD}sites: {{a: {{}}}}\n".encode())
    assert load(path).observatory == "O"


def test_relative_paths_begin_at_the_file(tmp_path: Path, demo_text: str) -> None:
    path = tmp_path / "etc" / "demo.yaml"
    path.parent.mkdir()
    path.write_text(demo_text)
    assert load(path).disk("chile-source").path == tmp_path / "etc/sites/chile/source"
    assert load(path, base=tmp_path / "w").disk("chile-source").path == tmp_path / "w/sites/chile/source"


def test_absolute_paths_stay(tmp_path: Path, demo_text: str) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text(demo_text.replace("sites/chile/source", "/data/source", 1))
    assert load(path, base=tmp_path / "w").disk("chile-source").path == Path("/data/source")


def test_relative_base_becomes_absolute(
    tmp_path: Path, demo_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("demo.yaml").write_text(demo_text)
    assert load(Path("demo.yaml")).disk("chile-source").path == Path(os.getcwd(), "sites/chile/source")  # noqa: PTH109 - what the process itself sees


def test_storage_is_a_disk_if_it_does_not_say(look: Look) -> None:
    report = look(f"{SITE}    locations:\n      l: {{type: buffer, path: x}}\n")
    assert report.deployment is not None
    assert isinstance(report.deployment.location("l")[1], DiskLocation)


def test_every_settings_class_knows_its_keys() -> None:
    assert model_at(("sites", "a", "locations", "l", "s3")) is S3Location
    assert model_at(("sites", "a", "locations", "l")) is None
