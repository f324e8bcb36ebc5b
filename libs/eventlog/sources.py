"""Where a site's log can be restored from: chains in archives, and mirrors at other sites, which may know more."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from nats.aio.client import Client

from libs.bus.provision import Neighbour
from libs.errors import Retriable, UserError
from libs.eventlog.folder import LogFolder
from libs.eventlog.segments import read_segment
from libs.eventlog.stream import StreamReader
from libs.eventlog.verifying import Chain

LINKED_WITHIN_S = 10.0
"""A leaf node that was started just now takes so long to connect at most."""
LOOK_EVERY_S = 0.25


class Damage(Enum):
    """What to do about a chain that is not whole."""

    REFUSED = "refused"
    """Nothing is restored from it."""
    CUT = "cut"
    """What is whole of it is restored."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A site's stream as another site has it.

    Attributes:
        site: The other site.
        last: The last sequence that it has.
    """

    site: str
    reader: StreamReader
    last: int


@dataclass(frozen=True, slots=True)
class Mirrors:
    """What the other sites have of a stream.

    Attributes:
        found: Those that have a mirror, the one that reaches furthest first.
        silent: Sites that cannot be reached.
    """

    found: tuple[Mirror, ...] = ()
    silent: tuple[str, ...] = ()

    @property
    def best(self) -> Mirror | None:
        """The one that reaches furthest."""
        return self.found[0] if self.found else None


async def find_mirrors(
    client: Client, neighbours: Sequence[Neighbour], stream: str, *, within_s: float = LINKED_WITHIN_S
) -> Mirrors:
    """Ask the other sites for their mirrors of a stream.

    Args:
        client: Connected to this site's server, which is linked with theirs.
        neighbours: The other sites; those that share this site's server have no mirrors.
        stream: This site's stream.
        within_s: How long a site that does not answer is asked again.
    """
    found: list[Mirror] = []
    silent: list[str] = []
    deadline = time.monotonic() + within_s
    for neighbour in neighbours:
        if neighbour.domain is None:
            continue
        reader = StreamReader(client, stream, neighbour.domain)
        try:
            last = await _reach(reader, deadline)
        except Retriable:
            silent.append(neighbour.name)
            continue
        if last:
            found.append(Mirror(neighbour.name, reader, last))
    found.sort(key=lambda mirror: mirror.last, reverse=True)
    return Mirrors(tuple(found), tuple(silent))


async def _reach(reader: StreamReader, deadline: float) -> int:
    while True:
        try:
            extent = await reader.extent()
        except Retriable:
            if time.monotonic() >= deadline:
                raise
            await asyncio.sleep(LOOK_EVERY_S)
        else:
            return 0 if extent is None else extent.last


def choose_chain(chains: Sequence[Chain], damage: Damage = Damage.REFUSED) -> Chain | None:
    """The chain to restore from; None if no archive has anything. Pure.

    Raises:
        UserError: ``archive_damaged``: what is damaged may know more than what is whole.
    """
    known = [chain for chain in chains if chain.last or not chain.whole]
    if not known:
        return None
    best = max(known, key=lambda chain: (chain.last, chain.whole))
    if damage is Damage.CUT:
        return best if best.last else None
    whole = max((chain.last for chain in known if chain.whole), default=0)
    for chain in known:
        if not chain.whole and max(chain.claimed, chain.last) > whole:
            raise _damaged(chain)
    return max((chain for chain in known if chain.whole), key=lambda chain: chain.last)


def _damaged(chain: Chain) -> UserError:
    problem = chain.problems[0]
    return UserError(
        "archive_damaged",
        f"{chain.stream} in {chain.location} is whole up to {chain.last} of {chain.claimed} only: {problem.reason}",
        "Mend the archive (a backup, another copy of the bucket). Or go on knowingly: --as-far-as-whole takes what is "
        "whole, then what mirrors have; --without-archive takes mirrors alone.",
    )


async def require_agreement(folder: LogFolder, chain: Chain, mirror: Mirror) -> None:
    """Make sure that a mirror tells the same history as a chain, where both end.

    Raises:
        UserError: ``histories_differ``.
        SegmentDamaged: The chain changed since it was verified.
    """
    if chain.head is None:
        return
    at = min(chain.last, mirror.last)
    digest = chain.head.record_digest if at == chain.last else await _digest_at(folder, chain, at)
    if (await mirror.reader.record(at)).digest() != digest:
        raise UserError(
            "histories_differ",
            f"message {at} of {chain.stream} is another one in {chain.location} than in the mirror at {mirror.site}",
            "Find out which history is right, then restore with --without-mirrors or --without-archive; the other "
            "one has to be removed before the sites are connected again.",
        )


async def _digest_at(folder: LogFolder, chain: Chain, sequence: int) -> str:
    ref = next(one for one in chain.path if one.first <= sequence <= one.last)
    body = await folder.fetch(ref)
    _, records = await asyncio.to_thread(read_segment, body, folder.stream, ref)
    return next(record.digest() for record in records if record.sequence == sequence)
