"""S3 errors, silences, resets, cut and changed bytes, lost answers: while everything works."""

import asyncio
import json

import pytest

from libs.storage.s3_upload import abort_uploads
from tests.faults.checks import log
from tests.faults.checks.everything import archived, until
from tests.faults.conftest import PlayBetween
from tests.faults.doing.disturbing import disturb
from tests.faults.scenario import Scene, check, loaded
from tests.support.s3_proxy import Fault

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("between"),
]

BEYOND_PATIENCE_S = 70.0
"""Longer than a client waits for an answer."""


async def test_s3_does_whatever_servers_and_networks_do(play_between: PlayBetween, *, long: bool) -> None:
    async with play_between("S3 errors, silences, resets, cut, flipped and lost answers") as (scene, between):
        async with loaded(scene):
            await disturb(scene, between.s3, list(Fault), 180 if long else 12)
            if long:
                between.s3.patience_s = BEYOND_PATIENCE_S
                await disturb(scene, between.s3, (Fault.SILENT, Fault.STALLED), BEYOND_PATIENCE_S)
        between.s3.patience_s = 2.0
        assert {fault for fault, _ in between.s3.happened} == {*Fault}
        await hours_later(scene)
        await check(scene)


async def hours_later(scene: Scene) -> None:
    """What the janitor does when nothing has happened to an upload for hours, once all are archived.

    Of an upload that was begun, and the answer lost, nobody knows. The next upload of its key aborts it, but not while a
    damaged object is replaced: another replacement may be under way. These alone may be left now.
    """
    await until(scene.stage.world, archived, log.settled)
    replaced = await asyncio.to_thread(replaced_packages, scene)
    for store in scene.stage.world.stores.values():
        for key in [one async for one in store.unfinished("") if one.rpartition("/")[2] in replaced]:
            await abort_uploads(store._client, store.settings.bucket, key, None)
            scene.did(f"the upload of {key}, which was replaced, is aborted, as hours later")


def replaced_packages(scene: Scene) -> set[str]:
    """The names of packages of which an archive's damaged object was replaced; blocking."""
    lines = (scene.system.workdir.logs / "cologne-archiver.log").read_text().splitlines()
    return {json.loads(line)["package"] for line in lines if '"archived_again"' in line}
