"""The link between the sites, cut and healed."""

import asyncio

from contracts.bundles import BundleSealed
from contracts.packages import PackageSealed
from tests.faults.doing.filling import goes_on
from tests.faults.scenario import Scene
from tests.support.link import Link, State


async def cut(scene: Scene, link: Link, how: State, seconds: float) -> None:
    """Cut the link for so long, see that the telescope goes on by itself, and heal it."""
    link.be(how)
    scene.did(f"the link is cut ({how.value})")
    try:
        await asyncio.gather(
            asyncio.sleep(seconds), goes_on(scene, PackageSealed, 4), goes_on(scene, BundleSealed, 1)
        )
    finally:
        link.be(State.WHOLE)
        scene.did("the link is healed")
