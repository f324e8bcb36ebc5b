"""A deployment on servers of the test's own: it stands between them and the services, and on disks that run full."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.embedded.nats import EmbeddedNats
from libs.embedded.nats_conf import LeafRemote
from libs.embedded.s3 import EmbeddedS3
from libs.sites.credentials import access_key, nats_password, secret_key
from tests.faults import deployment
from tests.faults.deployment import ARCHIVES, CENTRE, CENTRE_BUFFER, PROCESSING, TELESCOPE, TELESCOPE_BUFFER
from tests.faults.room import Limited, Room, mounted
from tests.faults.scenario import Stage, set_up
from tests.faults.system import System, standing
from tests.support.link import Link
from tests.support.s3_proxy import S3Proxy

OBJECTS = "objects of the S3 server"
WRITERS = {TELESCOPE_BUFFER: "packager@chile", CENTRE_BUFFER: "mover@chile", PROCESSING: "stager@cologne"}
"""Who writes to a location."""


@dataclass(frozen=True)
class Between:
    """What the test holds in its hand.

    Attributes:
        stage: The system.
        s3: In front of the S3 server.
        link: Between the sites.
        rooms: By location, and of the S3 server.
        objects: The folder below which the S3 server keeps its objects.
    """

    stage: Stage
    s3: S3Proxy
    link: Link
    rooms: Mapping[str, Room]
    objects: Path


@asynccontextmanager
async def between(folder: Path) -> AsyncIterator[Between]:
    """Run servers, something in between, and a deployment on them, while the block lasts."""
    work, servers = folder / "work", folder / "servers"
    places = {
        TELESCOPE_BUFFER: work / "sites/chile/buffer",
        CENTRE_BUFFER: work / "sites/cologne/buffer",
        PROCESSING: work / "sites/cologne/processing",
        OBJECTS: servers / "s3/devices",
    }
    async with AsyncExitStack() as stack:
        mounts = {name: stack.enter_context(mounted(place)) for name, place in places.items()}
        s3 = await stack.enter_async_context(EmbeddedS3(servers / "s3"))
        hub = EmbeddedNats(servers / CENTRE, name=CENTRE, domain=CENTRE, accept_leaves=True)
        await stack.enter_async_context(hub)
        link = stack.enter_context(Link(hub.leaf_remote.port))
        remote = LeafRemote(link.port, hub.leaf_remote.login)
        leaf = EmbeddedNats(servers / TELESCOPE, name=TELESCOPE, domain=TELESCOPE, leaf_of=remote)
        await stack.enter_async_context(leaf)
        proxy = stack.enter_context(S3Proxy(s3.endpoint))
        config = deployment.write(folder, nats={TELESCOPE: leaf.url, CENTRE: hub.url}, s3=proxy.url)
        environment = _environment({TELESCOPE: leaf, CENTRE: hub}, s3)
        system = await stack.enter_async_context(standing(work, config, environment))
        stage = await stack.enter_async_context(set_up(system, s3.endpoint))
        writers = _writers(system, s3)
        rooms = {name: mounts[name] or Limited(places[name], writers[name]) for name in places}
        yield Between(stage, proxy, link, rooms, places[OBJECTS])


def _environment(nats: Mapping[str, EmbeddedNats], s3: EmbeddedS3) -> dict[str, str]:
    passwords = {nats_password(site): server.password for site, server in nats.items()}
    keys = {access_key(one): s3.access_key for one in ARCHIVES}
    return passwords | keys | {secret_key(one): s3.secret_key for one in ARCHIVES}


def _writers(system: System, s3: EmbeddedS3) -> dict[str, Callable[[], Iterable[int]]]:
    def of(name: str) -> Callable[[], Iterable[int]]:
        return lambda: [pid for service, pid in system.services().items() if service == name]

    return {OBJECTS: lambda: s3.pids} | {location: of(name) for location, name in WRITERS.items()}
