"""`chasqui up` again on its data, after kill -9 of the supervisor; after an orderly end: test_demo."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from tests.support.machine import Machine, up

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(480), pytest.mark.xdist_group("e2e")]


async def observed(machine: Machine, name: str) -> str:
    """One small observation, archived; its id."""
    path = machine.source / name / "frame.raw"
    path.parent.mkdir()
    path.write_bytes(name.encode() * 1000)
    unit = await machine.observe(name, [f"{name}/frame.raw"])
    await machine.archived(unit)
    return str(unit)


async def known(machine: Machine, unit: str) -> dict[str, int]:
    """An observation's packages by state, as the data centre's gateway tells them."""
    url = machine.started["sites"]["cologne"]["gateway"]
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        answer = await http.get(f"/executed_obs_units/{unit}")
    assert answer.status_code == 200, answer.text
    packages: dict[str, int] = answer.json()["packages"]
    return packages


async def staged(machine: Machine, unit: str) -> Path:
    """Bring an observation back; the folder."""
    from uuid import UUID

    from commands.demo.restoring import request_staging

    job = await request_staging(machine.started["sites"]["cologne"]["gateway"], [UUID(unit)])
    await machine.watch.until(lambda: job in machine.tracker.staged, "staging")
    return machine.workdir.site("cologne") / "processing" / "staging" / str(job)


async def test_it_goes_on_where_it_was_after_a_kill(tmp_path: Path) -> None:
    work = tmp_path / "work"
    async with up(work, end=signal.SIGKILL) as machine:
        first = await observed(machine, "first")
        second = await observed(machine, "second")
        folder = await staged(machine, first)
        assert (folder / "sky-camera/first/frame.raw").read_bytes() == b"first" * 1000
    async with up(work) as machine:
        await until_known(machine, first)
        await until_known(machine, second)
        folder = await staged(machine, second)
        assert (folder / "sky-camera/second/frame.raw").read_bytes() == b"second" * 1000


async def until_known(machine: Machine, unit: str) -> None:
    """What the ops-db lacks after a kill, the projector brings it."""
    for _ in range(300):
        if await known(machine, unit) == {"archived": 1}:
            return
        await asyncio.sleep(0.1)
    assert await known(machine, unit) == {"archived": 1}
