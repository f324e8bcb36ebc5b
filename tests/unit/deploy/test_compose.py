"""The container deployment, as far as it can be judged without a container engine.

compose-spec.json is the schema of the Compose Specification (Apache License 2.0, LICENSE.compose-spec).
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from libs.embedded.nats import nats_binary
from libs.sites.credentials import required
from libs.sites.loading import load

ROOT = Path(__file__).parents[3]
CONTAINERS = ROOT / "deploy" / "containers"
SERVERS = {"nats-chile", "nats-cologne", "postgres", "s3"}
SITES = {
    "chile": "filing scanner packager bundler mover associator janitor renderer projector gateway",
    "cologne": "verifier archiver stager janitor projector gateway",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    document = json.loads(Path(__file__).with_name("compose-spec.json").read_text())
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def test_it_follows_the_schema(compose: dict[str, Any], schema: Draft202012Validator) -> None:
    assert [error.message for error in schema.iter_errors(compose)] == []


def test_the_schema_refuses_what_compose_would(compose: dict[str, Any], schema: Draft202012Validator) -> None:
    wrong = {**compose, "services": {**compose["services"], "s3": {"image": "x", "port": "9000:9000"}}}
    assert not schema.is_valid(wrong)


def test_every_service_of_every_site_has_its_container(compose: dict[str, Any]) -> None:
    config = "/etc/chasqui/deployment.yaml"
    wanted = {
        f"{site}-{service}": ["run", service, "--site", site, "--config", config]
        for site, services in SITES.items()
        for service in services.split()
    }
    wanted |= {f"{site}-provision": ["provision", "--site", site, "--config", config] for site in SITES}
    found = {name: made["command"] for name, made in compose["services"].items() if name not in SERVERS}
    assert found == wanted


def test_nothing_is_published_beyond_this_machine(compose: dict[str, Any]) -> None:
    ports = [port for made in compose["services"].values() for port in made.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_every_secret_must_be_given(compose: dict[str, Any]) -> None:
    values = [
        str(value)
        for made in compose["services"].values()
        for name, value in made.get("environment", {}).items()
        if re.search(r"PASSWORD|SECRET|ACCESS_KEY|ROOT_USER|LEAF_URL", name)
    ]
    assert values
    assert all(re.search(r"\$\{[A-Z0-9_]+:\?.+\}", value) for value in values)


@pytest.mark.parametrize("site", SITES)
def test_services_get_the_secrets_they_ask_for(compose: dict[str, Any], site: str) -> None:
    deployment = load(CONTAINERS / "deployment.yaml")
    environment = compose["services"][f"{site}-projector"]["environment"]
    assert set(environment) == set(required(deployment, site))


def test_servers_have_health_checks_that_services_wait_for(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert all("test" in services[name]["healthcheck"] for name in SERVERS)
    for name in services.keys() - SERVERS:
        waits = services[name]["depends_on"]
        assert waits
        for awaited, how in waits.items():
            expected = "service_healthy" if awaited in SERVERS else "service_completed_successfully"
            assert how == {"condition": expected}


@pytest.mark.parametrize("site", SITES)
def test_services_start_after_their_site_was_made_ready(compose: dict[str, Any], site: str) -> None:
    services = compose["services"]
    for name in services:
        if name.startswith(f"{site}-") and name != f"{site}-provision":
            assert f"{site}-provision" in services[name]["depends_on"]
    provision = services[f"{site}-provision"]["environment"]
    assert set(required(load(CONTAINERS / "deployment.yaml"), site)) <= set(provision)


def test_mounted_files_and_volumes_exist(compose: dict[str, Any]) -> None:
    mounts = [mount for made in compose["services"].values() for mount in made.get("volumes", ())]
    for source in {mount.split(":")[0] for mount in mounts}:
        assert (ROOT / source).is_file() if source.startswith("./") else source in compose["volumes"]


def test_every_location_of_a_site_is_mounted(compose: dict[str, Any]) -> None:
    deployment = yaml.safe_load((CONTAINERS / "deployment.yaml").read_text())
    for site, settings in deployment["sites"].items():
        mounted = {mount.split(":")[1] for mount in compose["services"][f"{site}-janitor"]["volumes"]}
        assert {place["path"] for place in settings["locations"].values() if "path" in place} <= mounted


@pytest.mark.parametrize("name", ["nats-chile", "nats-cologne"])
def test_nats_accepts_its_configuration(compose: dict[str, Any], name: str) -> None:
    given = {"NATS_PASSWORD": "a", "NATS_LEAF_PASSWORD": "b", "NATS_LEAF_URL": "nats-leaf://leaf:b@hub:7422"}
    wanted = compose["services"][name]["environment"].keys()
    environment = os.environ | {key: value for key, value in given.items() if key in wanted}
    arguments = [str(nats_binary()), "-t", "-c", str(CONTAINERS / f"{name}.conf")]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert "sync_interval: always" in (CONTAINERS / f"{name}.conf").read_text()
