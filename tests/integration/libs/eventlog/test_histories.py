"""Two linked sites, one of which has lost its server: nothing is begun anew, everything comes back."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nats.aio.client import Client

from libs.bus.connection import BusAddress, connect
from libs.bus.provision import Neighbour, provision_mirrors, provision_streams
from libs.embedded.nats import EmbeddedNats
from libs.errors import Retriable, UserError
from libs.eventlog.exporting import Exporter
from libs.eventlog.folder import LogFolder
from libs.eventlog.histories import OwnHistory
from libs.eventlog.naming import ChainNames
from libs.eventlog.records import LogRecord
from libs.eventlog.restoring import Restoration, from_archive
from libs.eventlog.sources import Mirror, find_mirrors, require_agreement
from libs.eventlog.stream import StreamReader
from libs.eventlog.verifying import Chain, verify
from libs.storage.s3 import S3Store
from tests.support.chains import Chained

pytestmark = pytest.mark.integration
STREAM = "EVENTS_chile"
COLOGNE = (Neighbour("cologne", "cologne"),)
CHILE = (Neighbour("chile", "chile"),)


@dataclass
class Linked:
    """Chile's server, a leaf of cologne's, which mirrors chile's events; the archive keeps them."""

    folder: Path
    store: S3Store
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    servers: dict[str, EmbeddedNats] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)

    @property
    def chain(self) -> LogFolder:
        return LogFolder(self.store, ChainNames("", "log", STREAM), "archive")

    async def start(self, site: str) -> None:
        hub = self.servers.get("cologne")
        server = EmbeddedNats(
            self.folder / site,
            name=site,
            domain=site,
            leaf_of=hub.leaf_remote if hub is not None and site != "cologne" else None,
            accept_leaves=site == "cologne",
        )
        await server.start()
        self.servers[site] = server
        self.clients[site] = await connect(BusAddress(server.url, server.user, server.password), name="test")

    async def stop(self, site: str) -> None:
        await self.clients.pop(site).close()
        await self.servers.pop(site).stop()

    async def burn(self, site: str) -> None:
        """Nothing is left of a site's server."""
        await self.stop(site)
        await asyncio.to_thread(shutil.rmtree, self.folder / site)

    async def publish(self, count: int, mark: str = "m") -> None:
        js = self.clients["chile"].jetstream(timeout=10)
        for number in range(count):
            headers = {"Nats-Msg-Id": f"{mark}-{number}", "Nats-Expected-Stream": STREAM}
            await js.publish("chasqui.chile.a.happened.v1", mark.encode(), headers=headers)

    def reader(self, site: str) -> StreamReader:
        return StreamReader(self.clients[site], STREAM)

    async def last(self, site: str) -> int:
        extent = await self.reader(site).extent()
        return 0 if extent is None else extent.last

    async def mirrored(self, last: int, within_s: float = 60.0) -> None:
        """Wait until cologne has everything up to a sequence."""
        deadline = time.monotonic() + within_s
        while await self.last("cologne") < last:
            assert time.monotonic() < deadline, "the mirror stands still"
            await asyncio.sleep(0.1)

    async def export(self) -> Chain:
        await Exporter(self.reader("chile"), self.chain, segment_bytes=2000).export()
        return await verify(self.chain)

    async def records(self, site: str) -> list[tuple[int, str]]:
        last = await self.last(site)
        return [
            (record.sequence, record.digest())
            async for batch in self.reader(site).records(1, last)
            for record in batch
        ]

    async def mirror(self) -> Mirror:
        mirrors = await find_mirrors(self.clients["chile"], COLOGNE, STREAM)
        assert mirrors.silent == ()
        assert mirrors.best is not None
        return mirrors.best

    async def restore(self, chain: Chain | None, mirror: Mirror | None) -> int:
        sources: list[AsyncIterator[list[LogRecord]]] = []
        if chain is not None:
            sources.append(from_archive(self.chain, chain.path))
        if mirror is not None:
            sources.append(mirror.reader.records((chain.last if chain else 0) + 1, mirror.last))
        done = await Restoration(self.clients["chile"], "chile").restore(sources)
        return done.last

    @property
    def history(self) -> OwnHistory:
        return OwnHistory(self.clients["chile"], "chile")


@pytest.fixture
async def linked(chain: Chained, tmp_path: Path) -> AsyncIterator[Linked]:
    made = Linked(tmp_path, chain.store)
    try:
        await made.start("cologne")
        await made.start("chile")
        await provision_streams(made.clients["chile"], site="chile")
        await made.publish(1, "first")
        deadline = time.monotonic() + 30
        while await provision_mirrors(made.clients["cologne"], neighbours=CHILE):
            assert time.monotonic() < deadline
        yield made
    finally:
        for site in list(made.servers):
            await made.stop(site)


async def code_of(refused: "pytest.ExceptionInfo[UserError]") -> str:
    return refused.value.problem.code


async def test_what_the_mirror_alone_knows_comes_back_too(linked: Linked) -> None:
    await linked.publish(40, "old")
    chain = await linked.export()
    await linked.publish(20, "late")
    await linked.mirrored(61)
    before = await linked.records("chile")
    await linked.burn("chile")
    await linked.start("chile")

    mirror = await linked.mirror()
    assert (chain.last, mirror.last) == (41, 61)
    await require_agreement(linked.chain, chain, mirror)
    assert await linked.restore(chain, mirror) == 61
    assert await linked.records("chile") == before
    # The mirror goes on, and both sites have one history.
    await linked.publish(5, "new")
    await linked.mirrored(66)
    assert await linked.records("cologne") == await linked.records("chile")
    await linked.history.require_restored()
    await linked.history.require_mirrored(COLOGNE)
    await linked.history.require_archived([linked.chain])


async def test_everything_comes_back_from_the_mirror_alone(linked: Linked) -> None:
    await linked.publish(30)
    await linked.mirrored(31)
    before = await linked.records("chile")
    await linked.burn("chile")
    await linked.start("chile")
    assert await linked.restore(None, await linked.mirror()) == 31
    assert await linked.records("chile") == before


async def test_a_new_history_is_not_begun(linked: Linked) -> None:
    await linked.publish(10)
    await linked.export()
    await linked.mirrored(11)
    await linked.history.require_mirrored(COLOGNE)
    await linked.history.require_archived([linked.chain])
    await linked.history.require_projected(11)
    await linked.burn("chile")
    await linked.start("chile")
    await linked.mirror()  # the link is up
    for stream_is_there in (False, True):
        with pytest.raises(UserError) as archive:
            await linked.history.require_archived([linked.chain])
        with pytest.raises(UserError) as mirror:
            await linked.history.require_mirrored(COLOGNE)
        assert await code_of(archive) == await code_of(mirror) == "history_elsewhere"
        assert "chasqui events restore --site chile" in archive.value.problem.remedy
        with pytest.raises(UserError) as opsdb:
            await linked.history.require_projected(11)
        assert await code_of(opsdb) == "opsdb_ahead"
        if not stream_is_there:
            await provision_streams(linked.clients["chile"], site="chile")


async def test_another_history_is_not_gone_on_with(linked: Linked) -> None:
    await linked.publish(10)
    chain = await linked.export()
    await linked.mirrored(11)
    await linked.burn("chile")
    await linked.start("chile")
    await provision_streams(linked.clients["chile"], site="chile")
    await linked.publish(20, "other")
    with pytest.raises(UserError) as archive:
        await linked.history.require_archived([linked.chain])
    mirror = await linked.mirror()
    with pytest.raises(UserError) as mirrored:
        await linked.history.require_mirrored(COLOGNE)
    assert await code_of(archive) == await code_of(mirrored) == "history_differs"
    await require_agreement(linked.chain, chain, mirror)


async def test_histories_that_differ_are_not_mixed(linked: Linked) -> None:
    """An archive and a mirror of two histories, wherever either ends."""
    await linked.publish(10)
    await linked.mirrored(11)
    await linked.stop("cologne")
    await linked.burn("chile")
    await linked.start("chile")
    await provision_streams(linked.clients["chile"], site="chile")
    for count in (4, 20):
        await linked.publish(count, f"other-{count}")
        chain = await linked.export()
        await linked.start("cologne")
        reader = StreamReader(linked.clients["cologne"], STREAM)
        with pytest.raises(UserError) as differ:
            await require_agreement(linked.chain, chain, Mirror("cologne", reader, 11))
        assert await code_of(differ) == "histories_differ"
        await linked.stop("cologne")


async def test_a_site_that_cannot_be_reached_is_told(linked: Linked) -> None:
    await linked.publish(3)
    await linked.stop("cologne")
    mirrors = await find_mirrors(linked.clients["chile"], COLOGNE, STREAM, within_s=0.5)
    assert (mirrors.found, mirrors.silent) == ((), ("cologne",))
    await linked.history.require_mirrored(COLOGNE)  # a site that is cut off goes on


async def test_an_archive_that_is_away(linked: Linked) -> None:
    """A site with a log goes on without it; an empty one cannot know."""
    gone = linked.store.settings.model_copy(update={"endpoint": "http://127.0.0.1:9", "attempts": 1})
    async with S3Store(gone) as store:
        away = [LogFolder(store, ChainNames("", "log", STREAM), "archive")]
        await linked.history.require_archived(away)
        await linked.burn("chile")
        await linked.start("chile")
        with pytest.raises(Retriable) as unknown:
            await linked.history.require_archived(away)
    assert unknown.value.problem.code == "s3_unreachable"


async def test_an_unfinished_restore_is_told(linked: Linked) -> None:
    await linked.publish(30)
    chain = await linked.export()
    await linked.burn("chile")
    await linked.start("chile")

    async def dying() -> AsyncIterator[list[LogRecord]]:
        async for records in from_archive(linked.chain, chain.path):
            yield records[:3]
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await Restoration(linked.clients["chile"], "chile").restore([dying()])
    with pytest.raises(UserError) as unfinished:
        await linked.history.require_restored()
    assert await code_of(unfinished) == "restore_unfinished"


async def test_a_site_that_is_cut_off_keeps_its_mirrors(linked: Linked) -> None:
    """Provisioning again does not wait for a neighbour whose mirror is there."""
    await linked.mirrored(1)
    await linked.stop("chile")
    assert await provision_mirrors(linked.clients["cologne"], neighbours=CHILE) == ()
