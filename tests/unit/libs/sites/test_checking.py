"""Every rule between the parts of a deployment, each broken once in an otherwise whole one."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from libs.sites import checks
from libs.sites.checking import RULES, check_deployment, check_running
from libs.sites.checks import associations, claims, instruments, locations, retention, routes, scrubs, servers
from libs.sites.findings import Issue, Severity
from libs.sites.loading import Report, load
from libs.sites.models import (
    Deployment,
    HttpSettings,
    InstrumentSettings,
    LogSettings,
    NatsSettings,
    RouteSettings,
    ScanSettings,
)
from libs.sites.retention import Retention

Look = Callable[[str], Report]

WHOLE = """\
version: 1
observatory: O
telescope: T
sites:
  chile:
    nats: {leaf_of: cologne}
    locations:
      source: {type: source, path: /c/source}
      buffer: {type: buffer, path: /c/buffer}
  relay:
    nats: {leaf_of: cologne}
    locations:
      halfway: {type: buffer, path: /r/buffer}
  cologne:
    locations:
      arrivals: {type: buffer, path: /k/buffer}
      archive: {type: long_term_archive, storage: s3, bucket: abc}
      work: {type: processing, path: /k/work}
instruments:
  camera: {site: chile, source: source, modules: [main]}
  spare: {site: chile, source: source, modules: [main]}
routes:
  road: {origin: chile, destination: cologne}
"""

REAL = WHOLE.replace("{leaf_of: cologne}", "{url: 'nats://n.example:4222', domain: d}").replace(
    "  cologne:\n    locations",
    "  cologne:\n    nats: {url: 'nats://n.example:4222', domain: d}\n    locations",
)


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


MODELS = (InstrumentSettings, HttpSettings, LogSettings, NatsSettings, Retention, RouteSettings, ScanSettings)
E, W = Severity.ERROR, Severity.WARNING

# name: (text to replace, its replacement, code, line, severity)
BROKEN: dict[str, tuple[str, str, str, int, Severity]] = {
    "same name at two sites": ("halfway:", "buffer:", "location_twice", 13, E),
    "tilde": ("/c/buffer", "~/buffer", "path_odd", 9, E),
    "variable": ("/c/buffer", "/x/$HOME", "path_odd", 9, E),
    "equal folders": ("/c/buffer", "/c/source", "paths_overlap", 9, E),
    "folder in folder": ("/k/work", "/k/buffer/../buffer/work", "paths_overlap", 18, E),
    "folder above folder": ("/r/buffer", "/c", "paths_overlap", 13, E),
    "bucket name": ("bucket: abc", "bucket: Abc_", "bucket_invalid", 17, E),
    "bucket dots": ("bucket: abc", "bucket: a..b", "bucket_invalid", 17, E),
    "prefix": ("bucket: abc", "bucket: abc, prefix: ../x", "prefix_unsafe", 17, E),
    "log all the time": ("bucket: abc", "bucket: abc, log: {every: 100ms}", "log_too_often", 17, E),
    "log in crumbs": ("bucket: abc", "bucket: abc, log: {segment: 1 KiB}", "log_segment_odd", 17, E),
    "log in one piece": ("bucket: abc", "bucket: abc, log: {segment: 1 GB}", "log_segment_odd", 17, E),
    "log outside": ("bucket: abc", "bucket: abc, log: {folder: /log}", "log_folder_unsafe", 17, E),
    "log among packages": ("bucket: abc", "bucket: abc, log: {folder: camera/log}", "log_folder_taken", 17, E),
    "endless scrub": ("bucket: abc", "bucket: abc, scrub: {rate: 0}", "size_not_positive", 17, E),
    "breathless scrub": ("bucket: abc", "bucket: abc, scrub: {period: 0s}", "period_too_short", 17, E),
    "shared bucket": (
        "      work:",
        "      second: {type: long_term_archive, storage: s3, bucket: abc, prefix: p/}\n      work:",
        "bucket_shared",
        18,
        E,
    ),
    "archive on disk": ("storage: s3, bucket: abc", "path: /k/archive", "archive_on_disk", 17, E),
    "source without buffer": (
        "      buffer: {type: buffer, path: /c/buffer}\n",
        "",
        "buffer_missing",
        7,
        E,
    ),
    "archive without buffer": (
        "arrivals: {type: buffer,",
        "arrivals: {type: processing,",
        "buffer_missing",
        15,
        E,
    ),
    "inactive buffer": ("path: /c/buffer", "path: /c/buffer, active: false", "buffer_missing", 7, E),
    "copies": (
        "path: /c/buffer",
        "path: /c/buffer, retention: {archive_copies: 3}",
        "copies_unreachable",
        9,
        W,
    ),
    "archive sites": (
        "path: /c/buffer",
        "path: /c/buffer, retention: {archive_sites: 2}",
        "sites_unreachable",
        9,
        W,
    ),
    "low water above high": (
        "path: /c/source",
        "path: /c/source, retention: {high_water: 0.5, low_water: 0.6}",
        "low_water_above_high",
        8,
        E,
    ),
    "low water above the default": (
        "path: /c/source",
        "path: /c/source, retention: {low_water: 0.95}",
        "low_water_above_high",
        8,
        E,
    ),
    "proofs that never count": (
        "path: /c/buffer",
        "path: /c/buffer, retention: {keep_for: 0s, proof_max_age: 0s}",
        "proof_age_zero",
        9,
        E,
    ),
    "proofs that run out": (
        "path: /c/buffer",
        "path: /c/buffer, retention: {proof_max_age: 3d}",
        "proof_age_short",
        9,
        W,
    ),
    "retention of an archive": (
        "bucket: abc",
        "bucket: abc, retention: {keep_for: 30d}",
        "retention_unused",
        17,
        W,
    ),
    "instrument at no site": ("spare: {site: chile", "spare: {site: chili", "site_unknown", 21, E),
    "unknown source": ("spare: {site: chile, source: source", "spare: {site: chile, source: s", "location_unknown", 21, E),
    "source elsewhere": (
        "spare: {site: chile, source: source",
        "spare: {site: cologne, source: source",
        "source_elsewhere",
        21,
        E,
    ),
    "source is a buffer": (
        "spare: {site: chile, source: source",
        "spare: {site: chile, source: buffer",
        "source_wrong_type",
        21,
        E,
    ),
    "source inactive": ("path: /c/source", "path: /c/source, active: false", "source_inactive", 20, W),
    "folder with dots": ("spare: {", "spare: {folder: ../x, ", "folder_unsafe", 21, E),
    "folder absolute": ("spare: {", "spare: {folder: /etc, ", "folder_unsafe", 21, E),
    "folder empty step": ("spare: {", "spare: {folder: a//b, ", "folder_unsafe", 21, E),
    "folder of control characters": ("spare: {", 'spare: {folder: "a\\0b", ', "folder_unsafe", 21, E),
    "folder too long": ("spare: {", f"spare: {{folder: {'ä' * 128}, ", "folder_unsafe", 21, E),
    "same folder": ("spare: {", "spare: {folder: camera, ", "folders_overlap", 21, E),
    "folder within": ("spare: {", "spare: {folder: camera/raw, ", "folders_overlap", 21, E),
    "module twice": ("camera: {site: chile, source: source, modules: [main]}", "camera: {site: chile, source: source, modules: [main, x, main]}", "module_twice", 20, E),
    "tiny package": ("spare: {", "spare: {package_limit: 1000, ", "package_limit_odd", 21, E),
    "huge package": ("spare: {", "spare: {package_limit: 6 TiB, ", "package_limit_odd", 21, E),
    "no archive": (
        "  spare: {site: chile, source: source",
        "  spare: {site: relay, source: lone",
        "archive_unreachable",
        21,
        E,
    ),
    "no pause": ("  relay:\n", "  relay:\n    scan: {sweep: 0s}\n", "sweep_too_short", 11, E),
    "hasty redelivery": ("  relay:\n", "  relay:\n    claims: {redelivery: 0.5s}\n", "claim_too_short", 11, E),
    "hasty associations": (
        "  relay:\n", "  relay:\n    associations: {deadline: 1ms}\n", "deadline_too_short", 11, E
    ),
    "hasty lease": ("  relay:\n", "  relay:\n    claims: {lease: 10ms}\n", "claim_too_short", 11, E),
    "no quiet": ("  relay:\n", "  relay:\n    scan: {quiet: 0s}\n", "quiet_zero", 11, W),
    "unknown origin": ("{origin: chile,", "{origin: peru,", "site_unknown", 23, E),
    "unknown destination": ("destination: cologne", "destination: bonn", "site_unknown", 23, E),
    "round trip": ("{origin: chile,", "{origin: cologne,", "route_circular", 23, E),
    "no buffer at the end": (
        "halfway: {type: buffer",
        "halfway: {type: processing",
        "route_without_buffer",
        24,
        E,
    ),
    "relay through nothing": ("{origin: chile,", "{type: relay, origin: chile,", "via_missing", 23, E),
    "direct through something": ("{origin: chile,", "{via: [relay], origin: chile,", "via_unused", 23, E),
    "via unknown": ("{origin: chile,", "{type: relay, via: [x], origin: chile,", "site_unknown", 23, E),
    "via an end": ("{origin: chile,", "{type: relay, via: [chile], origin: chile,", "via_twice", 23, E),
    "via twice": ("{origin: chile,", "{type: relay, via: [relay, relay], origin: chile,", "via_twice", 23, E),
    "custom from nowhere": ("{origin: chile,", "{type: custom, to_location: arrivals, origin: chile,", "custom_incomplete", 23, E),
    "custom to a wrong type": (
        "{origin: chile,",
        "{type: custom, from_location: buffer, to_location: archive, origin: chile,",
        "custom_wrong_type",
        23,
        E,
    ),
    "custom at another site": (
        "{origin: chile,",
        "{type: custom, from_location: arrivals, to_location: arrivals, origin: chile,",
        "location_unknown",
        23,
        E,
    ),
    "direct with locations": ("{origin: chile,", "{from_location: buffer, origin: chile,", "location_unused", 23, E),
    "two routes": (
        "  road:",
        "  path: {origin: chile, destination: cologne}\n  road:",
        "route_twice",
        24,
        W,
    ),
    "small bundles": ("{origin: chile,", "{target_size: 1 GB, origin: chile,", "target_small", 23, W),
    "no rate": ("{origin: chile,", "{rate_limit: 0, origin: chile,", "size_not_positive", 23, E),
    "reserved request": ("  relay:\n", "  request:\n", "name_reserved", 10, E),
    "reserved dead": ("  relay:\n", "  dead:\n", "name_reserved", 10, E),
    "S3 address": ("bucket: abc", "bucket: abc, endpoint: s3.example", "address_invalid", 17, E),
    "S3 secret": ("bucket: abc", "bucket: abc, endpoint: 'https://k:s@s3.example'", "secret_in_file", 17, E),
    "database host": ("  relay:\n", "  relay:\n    opsdb: {host: 'postgres://h'}\n", "host_invalid", 11, E),
    "database name": ("  relay:\n", f"  relay:\n    opsdb: {{database: {'d' * 64}}}\n", "database_name_long", 11, E),
    "one role": ("  relay:\n", "  relay:\n    opsdb: {writer: x, reader: x}\n", "roles_equal", 11, E),
    "port twice": (
        "  relay:\n",
        "  relay:\n    http: {filing_port: 8000, gateway_port: 8000}\n",
        "port_taken",
        11,
        E,
    ),
    "leaf of nothing": ("relay:\n    nats: {leaf_of: cologne}", "relay:\n    nats: {leaf_of: bonn}", "site_unknown", 11, E),
    "leaf of itself": ("relay:\n    nats: {leaf_of: cologne}", "relay:\n    nats: {leaf_of: relay}", "leaf_circular", 11, E),
    "one domain": (
        "relay:\n    nats: {leaf_of: cologne}",
        "relay:\n    nats: {leaf_of: cologne, domain: chile}",
        "domain_shared",
        11,
        E,
    ),
    "not connected": ("chile:\n    nats: {leaf_of: cologne}", "chile:\n    description: x", "servers_apart", 23, E),
}  # fmt: skip

BROKEN_REAL: dict[str, tuple[str, str, str, int]] = {
    "leaf of a real server": ("chile:\n    nats: {", "chile:\n    nats: {leaf_of: cologne, ", "leaf_not_embedded", 6),
    "NATS address": ("relay:\n    nats: {url: 'nats", "relay:\n    nats: {url: 'http", "address_invalid", 11),
    "no address": ("relay:\n    nats: {url: 'nats://n.example:4222'", "relay:\n    nats: {url: 'nats://n:x'", "address_invalid", 11),
    "NATS secret": ("relay:\n    nats: {url: 'nats://n", "relay:\n    nats: {url: 'nats://u:p@n", "secret_in_file", 11),
    "two domains": ("chile:\n    nats: {url: 'nats://n.example:4222', domain: d}", "chile:\n    nats: {url: 'nats://n.example:4222', domain: e}", "domain_differs", 11),
    "real and embedded": ("chile:\n    nats: {url: 'nats://n.example:4222', domain: d}", "chile:\n    description: x", "servers_apart", 24),
    "one database": (
        "  relay:\n",
        "    opsdb: {host: h, database: o}\n  relay:\n    opsdb: {host: h, database: o}\n",
        "database_shared",
        12,
    ),
    "one port of one host": (
        "  relay:\n",
        "    http: {host: h, filing_port: 80}\n  relay:\n    http: {host: h, filing_port: 80}\n",
        "port_taken",
        12,
    ),
}  # fmt: skip


def test_whole_deployments_have_no_findings(look: Look) -> None:
    assert look(WHOLE).findings == ()
    assert look(REAL).findings == ()


@pytest.mark.parametrize("name", BROKEN)
def test_broken_rule_is_found_on_its_line(name: str, look: Look) -> None:
    old, new, code, line, severity = BROKEN[name]
    assert old in WHOLE
    text = WHOLE.replace(old, new, 1)
    if code == "route_without_buffer":
        text += "  spur: {origin: chile, destination: relay}\n"
    found = [(x.line, x.severity) for x in look(text).findings if x.problem.code == code]
    assert (line, severity) in found


@pytest.mark.parametrize("name", BROKEN_REAL)
def test_broken_rule_of_real_servers_is_found_on_its_line(name: str, look: Look) -> None:
    old, new, code, line = BROKEN_REAL[name]
    assert old in REAL
    report = look(REAL.replace(old, new, 1))
    assert line in [x.line for x in report.errors if x.problem.code == code]


@pytest.mark.parametrize(
    "settings",
    [
        "high_water: 0.5",
        "high_water: 0.01",
        "high_water: 0.5, low_water: 0.5",
        "proof_max_age: 8d",
        "proof_max_age: 0s, evidence: read",
        "evidence: asked, verify_before_delete: touched",
    ],
)
def test_retention_that_makes_sense_has_no_findings(settings: str, look: Look) -> None:
    text = WHOLE.replace("path: /c/source", f"path: /c/source, retention: {{{settings}}}")
    assert look(text).findings == ()


def test_a_misspelt_policy_is_found_on_its_line(look: Look) -> None:
    text = WHOLE.replace("path: /c/source", "path: /c/source, retention: {evidence: ask}")
    [found] = look(text).errors
    assert (found.line, found.problem.code) == (8, "value_not_allowed")
    assert "asked" in found.problem.remedy


def test_clearing_ends_a_little_below_where_it_begins_unless_told_otherwise() -> None:
    assert Retention().relieved_at == pytest.approx(0.85)
    assert Retention(high_water=0.02).relieved_at == 0.0
    assert Retention(high_water=0.9, low_water=0.4).relieved_at == 0.4


def test_leaf_nodes_in_a_ring_are_found_at_each(look: Look) -> None:
    text = WHOLE.replace("  cologne:\n", "  cologne:\n    nats: {leaf_of: chile}\n")
    found = [x.where for x in look(text).errors if x.problem.code == "leaf_circular"]
    assert found == ["sites.chile.nats.leaf_of", "sites.cologne.nats.leaf_of"]


def test_inactive_custom_location_is_found(look: Look) -> None:
    spare = "      spare: {type: buffer, path: /c/spare, active: false}\n  relay:\n"
    text = WHOLE.replace("  relay:\n", spare).replace(
        "{origin: chile,", "{type: custom, from_location: spare, to_location: arrivals, origin: chile,"
    )
    assert [x.problem.code for x in look(text).errors] == ["location_inactive"]


def test_an_address_is_never_shown_with_its_secret(look: Look) -> None:
    text = WHOLE.replace("bucket: abc", "bucket: abc, endpoint: 'https://key:hush@s3.example'")
    assert all("hush" not in str(x) for x in look(text).findings)


def test_same_ports_on_different_machines_are_fine(look: Look) -> None:
    text = REAL.replace("    locations:", "    http: {host: 0.0.0.0, filing_port: 80}\n    locations:")
    assert look(text).findings == ()


def _is_rule(value: object, module: str) -> bool:
    returns = getattr(value, "__annotations__", {}).get("return")
    return returns == Iterator[Issue] and getattr(value, "__module__", "") == module


def test_every_rule_is_listed() -> None:
    written = {
        rule
        for module in (associations, claims, instruments, locations, retention, routes, scrubs, servers)
        for name, rule in vars(module).items()
        if not name.startswith("_") and _is_rule(rule, module.__name__)
    }
    assert written == set(RULES)


def codes_in(*files: Path) -> set[str]:
    """The problem codes that modules write out: quoted words with an underscore that are no keys."""
    text = "".join(path.read_text("utf-8") for path in files)
    keys = {key for model in MODELS for key in model.model_fields}
    return set(re.findall(r'"([a-z][a-z0-9]*(?:_[a-z0-9]+)+)"', text)) - keys


def test_every_code_is_broken_in_a_test() -> None:
    tested = {row[2] for row in (*BROKEN.values(), *BROKEN_REAL.values())} | {"location_inactive"}
    codes = codes_in(*Path(str(checks.__file__)).parent.glob("*.py"))
    assert codes <= tested
    assert len(codes) > 30


@pytest.fixture
def here(tmp_path: Path, demo_text: str) -> Deployment:
    path = tmp_path / "demo.yaml"
    path.write_text(demo_text.replace("50 GB", "50 KB"))
    deployment = load(path)
    for name in ("chile-source", "chile-buffer"):
        deployment.disk(name).path.mkdir(parents=True)
    return deployment


def found_at(deployment: Deployment) -> list[str]:
    """Codes of the errors; how full this machine's disk is does not matter here."""
    return [x.problem.code for x in check_running(deployment, "chile") if x.severity is E]


def test_folders_that_are_there_are_fine(here: Deployment) -> None:
    assert found_at(here) == []
    assert check_deployment(here) == ()


def test_missing_folder_is_found(here: Deployment) -> None:
    here.disk("chile-buffer").path.rmdir()
    assert found_at(here) == ["folder_missing"]


def test_file_in_place_of_a_folder_is_found(here: Deployment) -> None:
    here.disk("chile-buffer").path.rmdir()
    here.disk("chile-buffer").path.write_text("")
    assert found_at(here) == ["folder_not_a_folder"]


def test_symbolic_link_to_another_location_is_found(here: Deployment) -> None:
    here.disk("chile-buffer").path.rmdir()
    here.disk("chile-buffer").path.symlink_to(here.disk("chile-source").path)
    assert found_at(here) == ["folder_shared"]


def test_folder_without_rights_is_found(here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = here.disk("chile-buffer").path
    monkeypatch.setattr(os, "access", lambda path, _mode: path != closed)
    assert found_at(here) == ["folder_not_writable"]


def test_full_disks_are_warned_of(here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: _Usage(100, 95, 5))
    codes = [(x.problem.code, x.severity) for x in check_running(here, "chile")]
    assert codes == [("disk_nearly_full", W), ("disk_nearly_full", W), ("disk_too_small", W)]
