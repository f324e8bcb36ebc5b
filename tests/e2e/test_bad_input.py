"""Bad observations beside a good one: the good one is archived, each bad file is told and kept until it is right."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import yaml

from commands.demo.tracking import Station
from contracts.observations import DeclaredFile, StartObservation
from tests.support.machine import INSTRUMENT, ROOT, Machine, chasqui, up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(480), pytest.mark.xdist_group("e2e")]

START = "2026-03-01T04:05:06Z"


def deployment(folder: Path) -> Path:
    """The demo's, but what is missing is told after a second."""
    told = yaml.safe_load((ROOT / "deploy/demo.yaml").read_text())
    told["sites"]["chile"]["scan"] |= {"missing_after": "1s", "unfiled_after": "1s"}
    path = folder / "deployment.yaml"
    path.write_text(yaml.safe_dump(told))
    return path


async def words(machine: Machine, *arguments: str) -> Any:
    """What a command prints with --json."""
    process = chasqui(*arguments, "--workdir", str(machine.workdir.path), "--json")
    out, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == 0, err
    return json.loads(out)


async def problem_of(machine: Machine, file: UUID) -> str | None:
    """The code of a file's problem as `chasqui explain` tells it; none if it has none."""
    found = await words(machine, "explain", str(file), "--site", "chile")
    if found["problem"] is None:
        return None
    assert found["problem"]["reason"]
    assert found["problem"]["remedy"]
    return str(found["problem"]["code"])


async def rows(machine: Machine, files: Collection[UUID]) -> dict[UUID, asyncpg.Record]:
    """State and problem of files in the telescope's ops-db: a command for each look takes seconds."""
    connection = await asyncpg.connect(machine.place("chile").opsdb_dsn())
    try:
        query = "SELECT id, state::text, problem_code FROM raw_data_file WHERE id = ANY($1::uuid[])"
        return {row["id"]: row for row in await connection.fetch(query, list(files))}
    finally:
        await connection.close()


async def until_told(machine: Machine, wanted: dict[UUID, str], within_s: float = 90.0) -> None:
    """Wait until each of these files has its problem, and see that it is explained."""
    deadline = time.monotonic() + within_s
    while (
        told := {file: row["problem_code"] for file, row in (await rows(machine, wanted)).items()}
    ) != wanted:
        assert time.monotonic() < deadline, told
        await asyncio.sleep(0.2)
    for file, code in wanted.items():
        assert await problem_of(machine, file) == code


def write(machine: Machine, path: str, data: bytes) -> Path:
    file = machine.source / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


async def file(machine: Machine, name: str, *files: DeclaredFile) -> tuple[UUID, tuple[UUID, ...]]:
    """Start an observation and file these files; it stays open."""
    unit = await machine.filing.start(
        StartObservation.model_validate({"instrument": INSTRUMENT, "start_time": START, "obs_unit": name})
    )
    return unit, await machine.filing.file(unit, files)


async def finish(machine: Machine, *units: UUID) -> None:
    for unit in units:
        await machine.filing.finish(unit, datetime.now(UTC))


async def archived(machine: Machine, unit: UUID) -> None:
    """Wait until the observation's one file is in the archive."""
    tracks = machine.tracker.tracks
    await machine.until(
        lambda: unit in tracks and tracks[unit].files[Station.ARCHIVED] == 1, f"{unit} in the archive"
    )


async def keep_growing(path: Path, stop: Callable[[], bool]) -> None:
    while not stop():
        with path.open("ab") as growing:
            growing.write(b"more")
        await asyncio.sleep(0.1)


async def test_bad_files_are_told_and_kept_and_hold_up_nobody(tmp_path: Path) -> None:
    async with up(tmp_path / "work", str(deployment(tmp_path))) as machine:
        done = False
        growing = write(machine, "growing/frame.raw", b"first")
        grower = asyncio.create_task(keep_growing(growing, lambda: done))
        try:
            await check_all(machine)
        finally:
            done = True
            await grower


async def check_all(machine: Machine) -> None:
    right = hashlib.sha256(b"sound bytes").hexdigest()
    write(machine, "good/frame.raw", b"good bytes")
    changed = write(machine, "changed/frame.raw", b"as it was scanned")
    vanished = write(machine, "vanished/frame.raw", b"soon gone")
    write(machine, "wrong/frame.raw", b"sound bytes")
    write(machine, "short/frame.raw", b"half")
    unfiled = write(machine, "unfiled/frame.raw", b"nobody told of me")
    link = machine.source / "unfiled" / "link.raw"
    link.symlink_to(unfiled)

    open_units = {
        name: await file(machine, name, DeclaredFile(path=f"{name}/frame.raw"))
        for name in ("changed", "vanished")
    }
    changed_id, vanished_id = (ids[0] for _, ids in open_units.values())
    # They are open, so nothing packages them; once scanned, one is replaced and the other vanishes.
    for one in (changed_id, vanished_id):
        await until_state(machine, one, "scanned")
    changed.unlink()
    write(machine, "changed/frame.raw", b"another file in its place")
    vanished.unlink()

    wrong_file = DeclaredFile(path="wrong/frame.raw", sha256="0" * 64)
    wrong, (wrong_id,) = await file(machine, "wrong", wrong_file)
    short, (short_id,) = await file(machine, "short", DeclaredFile(path="short/frame.raw", size=8))
    growing, (growing_id,) = await file(machine, "growing", DeclaredFile(path="growing/frame.raw"))
    absent, (absent_id,) = await file(machine, "absent", DeclaredFile(path="absent/frame.raw"))
    await finish(machine, wrong, short, growing, absent, *(unit for unit, _ in open_units.values()))
    good = await machine.observe("good", ["good/frame.raw"])

    await archived(machine, good)
    await until_told(
        machine,
        {
            wrong_id: "checksum_mismatch",
            short_id: "size_mismatch",
            growing_id: "file_not_quiet",
            absent_id: "file_missing",
            vanished_id: "file_missing",
        },
    )
    # What was replaced is scanned anew and travels as it is now.
    await archived(machine, open_units["changed"][0])
    await machine.until(lambda: not (machine.source / "good/frame.raw").exists(), "clearing of the good file")

    status = (await words(machine, "status"))["chile"]
    assert status["files"]["missing"] >= 4
    assert status["unfiled_files"] == 2
    assert status["oldest_unarchived"] is not None
    assert status["dead_letters"] == 0
    for path in ("wrong/frame.raw", "short/frame.raw", "growing/frame.raw", "unfiled/frame.raw"):
        assert (machine.source / path).is_file(), path
    assert link.is_symlink()

    write(machine, "short/frame.raw", b"complete")
    write(machine, "vanished/frame.raw", b"put back")
    write(machine, "absent/frame.raw", b"late")
    await machine.filing.file(wrong, [wrong_file.model_copy(update={"sha256": right})])
    for unit in (wrong, short, absent, open_units["vanished"][0]):
        await archived(machine, unit)
    assert await problem_of(machine, wrong_id) is None
    assert (machine.source / "unfiled/frame.raw").read_bytes() == b"nobody told of me"


async def until_state(machine: Machine, wanted: UUID, state: str, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while (states := [row["state"] for row in (await rows(machine, [wanted])).values()]) != [state]:
        assert time.monotonic() < deadline, states
        await asyncio.sleep(0.2)
