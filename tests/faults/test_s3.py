"""S3 errors, silences, resets, cut and changed bytes, lost answers: while everything works."""

from datetime import timedelta

import pytest

from services.janitor.leftovers import GRACE
from tests.faults.checks import archive, log
from tests.faults.checks.everything import archived, until
from tests.faults.conftest import PlayBetween
from tests.faults.deployment import CENTRE
from tests.faults.doing.disturbing import disturb
from tests.faults.doing.killing import kill
from tests.faults.scenario import Scene, check, loaded
from tests.support.s3_proxy import Fault, S3Proxy

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
        await hours_later(scene, between.s3)
        await check(scene)


async def hours_later(scene: Scene, proxy: S3Proxy) -> None:
    """Let the janitor see a time, by the server's clock, when nothing has happened to any upload for hours.

    Of an upload that was begun, and the answer lost, nobody knows. The next upload of its key aborts it, but not while a
    damaged object is replaced: another replacement may be under way. So one is begun here that nobody knows of, lest
    chance leave none.
    """
    await until(scene.stage.world, archived, log.settled)
    await begun_and_forgotten(scene)
    left = await archive.uploads(scene.stage.world)
    scene.did(f"uploads that nobody goes on with: {len(left)}; hours go by, by the clock of S3")
    proxy.ahead = GRACE + timedelta(hours=1)
    try:
        await kill(scene, f"janitor@{CENTRE}")  # it looks for them when it starts, and then once an hour
        await until(scene.stage.world, archive.uploads)
    finally:
        proxy.ahead = timedelta()


async def begun_and_forgotten(scene: Scene) -> None:
    """An upload of an archived package's key, as one whose answer is lost."""
    for store in scene.stage.world.stores.values():
        key, *_ = [one.key async for one in store.list() if one.key.endswith(".tar")]
        await store._client.create_multipart_upload(Bucket=store.settings.bucket, Key=key)
