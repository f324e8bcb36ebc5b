"""S3 that answers with errors, late, not at all, or with something else than it has."""

import asyncio
import random
from collections.abc import Sequence
from threading import Lock

from tests.faults.chance import generator
from tests.faults.doing.filling import STARTS_WITHIN_S, observing_more
from tests.faults.scenario import Scene
from tests.support.http_wire import Head
from tests.support.s3_proxy import Fault, S3Proxy, nothing

SHARE = 0.35
"""Of the requests that something happens to: with four tries of each, some work fails as a whole, most does not."""


class Mixture:
    """Now and then one of several faults, each as often as the others. Called in the proxy's thread.

    Args:
        rng: Decides.
        faults: Which ones.
        share: Of the requests.
    """

    def __init__(self, rng: random.Random, faults: Sequence[Fault], share: float = SHARE) -> None:
        self._rng = rng
        self._faults = tuple(faults)
        self._share = share
        self._next: list[Fault] = []
        self._lock = Lock()

    def __call__(self, head: Head) -> Fault | None:
        """What happens to a request."""
        with self._lock:
            if self._rng.random() >= self._share:
                return None
            self._next = self._next or self._rng.sample(self._faults, len(self._faults))
            if self._next[-1] is Fault.FLIPPED and not carries_an_object(head):
                return None
            return self._next.pop()


def carries_an_object(head: Head) -> bool:
    """Whether the bytes of an object pass: one that is read, or (a part of) one that is written."""
    query = head.target.partition("?")[2]
    return (head.method == "GET" and not query) or (
        head.method == "PUT" and head.target.count("/") > 1 and (not query or "partNumber" in query)
    )


async def disturb(scene: Scene, proxy: S3Proxy, faults: Sequence[Fault], seconds: float) -> None:
    """Let these faults happen for so long, and each at least once, then none any more; tell how often each did."""
    before = proxy.happened.copy()
    scene.did(f"S3: {', '.join(fault.value for fault in faults)}, {SHARE:.0%} of all requests")
    proxy.choice = Mixture(generator(scene.rng.random()), faults)
    try:
        await asyncio.sleep(seconds)
        async with asyncio.timeout(STARTS_WITHIN_S), observing_more(scene):
            while True:
                if {fault for fault, _ in proxy.happened - before} >= {*faults}:
                    break
                await asyncio.sleep(0.2)
    finally:
        proxy.choice = nothing
    for (fault, method), times in sorted((proxy.happened - before).items(), key=str):
        scene.did(f"S3: {fault.value} of {times} {method}")
