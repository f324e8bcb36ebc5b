"""The servers of a test run: embedded, or containers where CHASQUI_TEST_DOCKER=1."""

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import asyncpg

from libs.embedded.servers import EmbeddedServers, NatsPlan
from libs.opsdb.migrating import migrate
from tests.support.quick import quick_folder

VARIABLE = "CHASQUI_TEST_SERVERS"
TEMPLATE = "chasqui_template"
WRITER, READER = "chasqui_projector", "chasqui_reader"
WRITER_PASSWORD, READER_PASSWORD = "writer-of-the-tests", "reader-of-the-tests"


@dataclass(frozen=True)
class TestServers:
    """Addresses and credentials that all tests of a run share; each test owns its streams, database and bucket.

    Attributes:
        s3_folder: Where an embedded S3 server keeps its files; empty for a container.
    """

    __test__ = False

    nats_url: str
    nats_user: str
    nats_password: str
    postgres_host: str
    postgres_port: int
    postgres_user: str
    postgres_password: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    s3_folder: str = ""

    def dsn(self, database: str, user: str | None = None, password: str | None = None) -> str:
        """A PostgreSQL address; the superuser's if no user is given."""
        user, password = user or self.postgres_user, password or self.postgres_password
        return f"postgresql://{user}:{password}@{self.postgres_host}:{self.postgres_port}/{database}"

    @classmethod
    def of_this_run(cls) -> "TestServers":
        """The servers that the controlling process started."""
        return cls(**json.loads(os.environ[VARIABLE]))


@contextmanager
def started() -> Iterator[TestServers]:
    """Start the servers of a run, make the template database, and stop them at the end."""
    starter = _containers if os.environ.get("CHASQUI_TEST_DOCKER") == "1" else _embedded
    with starter() as servers:
        asyncio.run(_template(servers))
        os.environ[VARIABLE] = json.dumps(asdict(servers))
        try:
            yield servers
        finally:
            del os.environ[VARIABLE]


@contextmanager
def _embedded() -> Iterator[TestServers]:
    folder = quick_folder()
    settings = {"fsync": "off", "max_connections": "300"}
    servers = EmbeddedServers(folder, nats=[NatsPlan("tests")], postgres=settings, s3=True)
    with asyncio.Runner() as runner:
        runner.run(servers.start())
        nats = servers.nats["tests"]
        try:
            yield TestServers(
                nats_url=nats.url,
                nats_user=nats.user,
                nats_password=nats.password,
                postgres_host=servers.postgres.host,
                postgres_port=servers.postgres.port,
                postgres_user=servers.postgres.superuser,
                postgres_password=servers.postgres.superuser_password,
                s3_endpoint=servers.s3.endpoint,
                s3_access_key=servers.s3.access_key,
                s3_secret_key=servers.s3.secret_key,
                s3_folder=str(servers.s3.folder),
            )
        finally:
            runner.run(servers.stop())
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _containers() -> Iterator[TestServers]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.waiting_utils import wait_for_logs
    from testcontainers.postgres import PostgresContainer

    key, secret = "chasqui-tests", "chasqui-tests-secret"
    nats = DockerContainer("nats:2.11").with_command("-js --user tests --pass tests").with_exposed_ports(4222)
    s3 = (
        DockerContainer("minio/minio:latest")
        .with_command("server /data")
        .with_env("MINIO_ROOT_USER", key)
        .with_env("MINIO_ROOT_PASSWORD", secret)
        .with_exposed_ports(9000)
    )
    with nats, s3, PostgresContainer("postgres:17", driver=None) as postgres:
        wait_for_logs(nats, "Server is ready", timeout=60)
        wait_for_logs(s3, "API:", timeout=60)
        yield TestServers(
            nats_url=f"nats://{nats.get_container_host_ip()}:{nats.get_exposed_port(4222)}",
            nats_user="tests",
            nats_password="tests",
            postgres_host=postgres.get_container_host_ip(),
            postgres_port=int(postgres.get_exposed_port(5432)),
            postgres_user=postgres.username,
            postgres_password=postgres.password,
            s3_endpoint=f"http://{s3.get_container_host_ip()}:{s3.get_exposed_port(9000)}",
            s3_access_key=key,
            s3_secret_key=secret,
        )


async def _template(servers: TestServers) -> None:
    """One migrated database, of which every test gets a copy within milliseconds."""
    admin = await asyncpg.connect(servers.dsn("postgres"))
    try:
        for role, password in ((WRITER, WRITER_PASSWORD), (READER, READER_PASSWORD)):
            await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        await admin.execute(f"CREATE DATABASE {TEMPLATE} OWNER {WRITER}")
    finally:
        await admin.close()
    await migrate(servers.dsn(TEMPLATE, WRITER, WRITER_PASSWORD), reader=READER)
