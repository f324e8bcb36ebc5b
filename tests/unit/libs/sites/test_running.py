import os
import stat
import subprocess
from pathlib import Path

import pytest

from libs.errors import UserError
from libs.sites.credentials import Credentials
from libs.sites.loading import load
from libs.sites.models import Deployment
from libs.sites.resolving import Endpoints, HttpEndpoint, OpsDbEndpoint, embedded_servers, resolve
from libs.sites.running import Running, SiteUrls, Workdir, announced, find_credentials, find_running, is_alive

ENDPOINTS = Endpoints(
    nats={"chile": "nats://127.0.0.1:1", "cologne": "nats://127.0.0.1:2"},
    opsdb={"chile": OpsDbEndpoint(host="127.0.0.1", port=3), "cologne": OpsDbEndpoint(host="::1", port=4)},
    s3={"cologne-archive": "http://127.0.0.1:5"},
    http={"chile": HttpEndpoint(filing_port=6, gateway_port=7)},
)
SECRETS = Credentials({"CHASQUI_NATS_CHILE_PASSWORD": "hush"})


@pytest.fixture
def deployment(tmp_path: Path, demo_text: str) -> Deployment:
    path = tmp_path / "demo.yaml"
    path.write_text(demo_text)
    return load(path)


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    return Workdir(tmp_path / "w")


@pytest.fixture
def running(deployment: Deployment) -> Running:
    urls = {"chile": SiteUrls(filing="http://127.0.0.1:6")}
    return Running.here(resolve(deployment, ENDPOINTS), ("chile", "cologne"), urls, Path("/d.yaml"))


def code_of(workdir: Workdir) -> str:
    with pytest.raises(UserError) as refused:
        find_running(workdir)
    if refused.value.problem.code == "not_running":
        assert f"chasqui up --workdir '{workdir.path}'" in refused.value.problem.remedy
    return refused.value.problem.code


def test_what_was_announced_is_found(workdir: Workdir, running: Running) -> None:
    with announced(workdir, running, SECRETS):
        assert find_running(workdir) == running
        assert find_credentials(workdir) == SECRETS
        assert "hush" not in workdir.running_file.read_text()
        assert stat.S_IMODE(workdir.credentials_file.stat().st_mode) == 0o600
    assert list(workdir.run.iterdir()) == []
    assert code_of(workdir) == "not_running"


def test_files_go_when_the_block_fails(workdir: Workdir, running: Running) -> None:
    with pytest.raises(KeyboardInterrupt), announced(workdir, running, SECRETS):
        raise KeyboardInterrupt
    assert list(workdir.run.iterdir()) == []


def test_a_workdir_that_is_not_there_runs_nothing(workdir: Workdir) -> None:
    assert code_of(workdir) == "not_running"
    with pytest.raises(UserError):
        find_credentials(workdir)


def test_a_dead_process_is_stale(workdir: Workdir, running: Running) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        child.kill()
    with announced(workdir, running.model_copy(update={"pid": child.pid}), SECRETS):
        assert code_of(workdir) == "not_running"


def test_a_reused_number_is_stale(workdir: Workdir, running: Running) -> None:
    earlier = running.model_copy(update={"process_started": running.process_started - 60})
    with announced(workdir, earlier, SECRETS):
        assert code_of(workdir) == "not_running"


def test_a_zombie_is_not_alive(running: Running) -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        started = Running.here(running.deployment, (), {}).process_started
        assert is_alive(os.getpid(), started)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(child.pid, started)
    finally:
        child.wait(timeout=10)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"{}", b"[]"])
def test_a_damaged_file_is_told(content: bytes, workdir: Workdir) -> None:
    workdir.create()
    workdir.running_file.write_bytes(content)
    assert code_of(workdir) == "running_unreadable"


def test_stopping_between_two_reads_is_not_running(workdir: Workdir, running: Running) -> None:
    with announced(workdir, running, SECRETS):
        workdir.credentials_file.unlink()
        with pytest.raises(UserError) as refused:
            find_credentials(workdir)
    assert refused.value.problem.code == "not_running"


def test_resolving_leaves_nothing_embedded(deployment: Deployment) -> None:
    assert embedded_servers(deployment) == (("chile", "cologne"), ("chile", "cologne"), ("cologne-archive",))
    found = resolve(deployment, ENDPOINTS)
    assert embedded_servers(found) == ((), (), ())
    chile = found.site("chile")
    assert (chile.nats.url, chile.nats.domain, chile.nats.leaf_of) == (
        "nats://127.0.0.1:1",
        "chile",
        "cologne",
    )
    assert (chile.opsdb.host, chile.opsdb.port, chile.opsdb.database) == ("127.0.0.1", 3, "opsdb_chile")
    assert (chile.http.filing_port, chile.http.gateway_port) == (6, 7)
    assert found.site("cologne").http.filing_port == 0
    assert resolve(found, Endpoints()) == found


def test_a_resolved_deployment_survives_json(deployment: Deployment) -> None:
    found = resolve(deployment, ENDPOINTS)
    assert Deployment.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("kind", ["nats", "opsdb", "s3"])
def test_an_embedded_server_without_address_is_told(kind: str, deployment: Deployment) -> None:
    with pytest.raises(UserError) as refused:
        resolve(deployment, ENDPOINTS.model_copy(update={kind: {}}))
    assert refused.value.problem.code == "endpoint_missing"
