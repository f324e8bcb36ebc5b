import contextlib
import os
import pwd
import signal
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest

from libs.embedded import identity
from libs.embedded.identity import Identity, Way, reachable
from libs.embedded.postgres import EmbeddedPostgres, postgres_programs
from libs.errors import UserError

pytestmark = pytest.mark.integration

STAND_IN = (pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
OPEN = reachable(postgres_programs() / "initdb", Identity(Way.SETUID, *STAND_IN))
OWN_WAYS = (Way.NAMESPACE, Way.SAME if os.geteuid() else Way.SETUID if OPEN else Way.NAMESPACE)


async def value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_rows_outlive_a_restart_and_a_kill_of_everything(
    tmp_path: Path, relatives: Callable[[tuple[int, ...]], list[psutil.Process]]
) -> None:
    server = EmbeddedPostgres(tmp_path)
    async with server:
        dsn = server.dsn()
        await execute(dsn, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)")
    async with server:
        assert server.dsn() == dsn
        await execute(dsn, "INSERT INTO t VALUES (2)")
        for process in relatives(server.pids):
            with contextlib.suppress(psutil.NoSuchProcess):  # a backend may end by itself meanwhile
                process.send_signal(signal.SIGKILL)
    async with server:
        assert await value(server.dsn(), "SELECT count(*) FROM t") == 2


async def test_it_is_local_and_wants_the_right_password(
    tmp_path: Path, listening: Callable[[tuple[int, ...]], set[str]]
) -> None:
    async with EmbeddedPostgres(tmp_path, settings={"work_mem": "7MB"}) as server:
        assert listening(server.pids) == {"127.0.0.1"}
        for password in ("wrong", ""):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(server.dsn(user="postgres", password=password))
        verifier = "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'postgres'"
        assert await value(server.dsn(), verifier) is True
        methods = "SELECT string_agg(DISTINCT auth_method, ' ') FROM pg_hba_file_rules"
        assert await value(server.dsn(), methods) == "scram-sha-256"
        for name, wanted in {"fsync": "on", "unix_socket_directories": "", "work_mem": "7MB"}.items():
            assert await value(server.dsn(), f"SHOW {name}") == wanted
    assert (tmp_path / "superuser.password").stat().st_mode & 0o077 == 0


async def test_roles_and_databases_are_made_once(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as server:
        for password in ("p'1", "p'2"):
            await server.ensure_database("ops db", 'the "owner"', password)
            await server.ensure_role("reader", password)
        dsn = server.dsn("ops db", 'the "owner"', "p'2")
        assert await value(dsn, "SELECT current_user || '@' || current_database()") == 'the "owner"@ops db'
        await execute(dsn, "CREATE SCHEMA own")
        assert await value(server.dsn("ops db", "reader", "p'2"), "SELECT rolsuper FROM pg_roles "
                           "WHERE rolname = current_user") is False  # fmt: skip
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.dsn("ops db", "reader", "p'1"))


async def test_a_start_that_was_killed_in_initdb_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "PG_VERSION").write_text("18")
    async with EmbeddedPostgres(tmp_path) as server:
        assert await value(server.dsn(), "SELECT 1") == 1
    assert not (tmp_path / "data.new").exists()


async def test_two_side_by_side_and_one_twice(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path / "one") as one, EmbeddedPostgres(tmp_path / "two") as two:
        assert one.port != two.port
        with pytest.raises(UserError, match=str(os.getpid())):
            await EmbeddedPostgres(tmp_path / "one").start()


@pytest.mark.parametrize("ways", [OWN_WAYS, OWN_WAYS[::-1]], ids=["first", "last"])
async def test_every_way_works_below_a_closed_folder_on_the_same_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ways: tuple[Way, Way]
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "pg")
    for expected, way in enumerate((*ways, ways[0]), start=1):
        chosen = (
            Identity(way, *STAND_IN) if way is not Way.SAME else Identity(way, os.geteuid(), os.getegid())
        )
        monkeypatch.setattr(identity, "own_candidates", lambda chosen=chosen: (chosen,))
        async with server:
            await execute(server.dsn(), "CREATE TABLE IF NOT EXISTS t (n int)", "INSERT INTO t VALUES (1)")
            assert await value(server.dsn(), "SELECT count(*) FROM t") == expected
            seen = psutil.Process(server.pids[0]).uids().effective
            assert seen == (STAND_IN[0] if way is Way.SETUID else os.geteuid())
    assert (closed.stat().st_mode & 0o777, closed.stat().st_uid) == (0o700, os.geteuid())


def test_a_changed_user_must_reach_the_programs_by_itself(tmp_path: Path) -> None:
    program = tmp_path / "closed" / "bin" / "initdb"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    stranger = Identity(Way.SETUID, *STAND_IN)
    (tmp_path / "closed").chmod(0o700)
    assert not reachable(program, stranger)
    assert reachable(program, Identity(Way.NAMESPACE, *STAND_IN))


async def test_no_identity_at_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impossible = Identity(Way.SETUID, 2**31, 2**31) if os.geteuid() else Identity(Way.NAMESPACE, -7, -7)
    monkeypatch.setattr(identity, "own_candidates", lambda: (impossible,))
    with pytest.raises(UserError) as caught:
        await EmbeddedPostgres(tmp_path).start()
    assert caught.value.problem.code == "postgres_refuses_user"
