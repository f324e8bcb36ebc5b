"""Several embedded servers as one: started together, stopped together."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from libs.embedded.nats import DEFAULT_MAX_PAYLOAD, EmbeddedNats
from libs.embedded.postgres import EmbeddedPostgres
from libs.embedded.s3 import EmbeddedS3
from libs.embedded.server import EmbeddedServer


@dataclass(frozen=True, slots=True)
class NatsPlan:
    """A NATS server to start.

    Attributes:
        name: Server name, JetStream domain and folder.
        leaf_of: Name of the server among the plans that it is a leaf of; None for none.
        max_payload: Largest message in bytes.
    """

    name: str
    leaf_of: str | None = None
    max_payload: int = DEFAULT_MAX_PAYLOAD


def start_order(plans: Sequence[NatsPlan]) -> tuple[NatsPlan, ...]:
    """Return the plans so that every server comes after the one it is a leaf of.

    Raises:
        ValueError: Two plans have one name, or a leaf's server is unknown or, around a circle, itself.
    """
    waiting = {plan.name: plan for plan in plans}
    if len(waiting) != len(plans):
        raise ValueError("two NATS servers have the same name")
    ordered: dict[str, NatsPlan] = {}
    while waiting:
        ready = [p for p in waiting.values() if p.leaf_of is None or p.leaf_of in ordered]
        if not ready:
            raise ValueError(f"these are leaves of servers that never start: {sorted(waiting)}")
        for plan in ready:
            ordered[plan.name] = waiting.pop(plan.name)
    return tuple(ordered.values())


class EmbeddedServers:
    """NATS servers, PostgreSQL and S3, each in a folder of its own below one folder.

    PostgreSQL, S3 and the NATS servers start side by side; a leaf waits for the server it connects to.

    Args:
        folder: Folder of all; `nats/NAME`, `postgres` and `s3` below it.
        nats: The NATS servers.
        postgres: PostgreSQL settings (`{}` for the defaults); None for no PostgreSQL.
        s3: Whether to start an S3 server.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nats: Sequence[NatsPlan] = (),
        postgres: Mapping[str, str] | None = None,
        s3: bool = False,
    ) -> None:
        self._folder = folder
        self._plans = start_order(nats)
        self.nats: dict[str, EmbeddedNats] = {}
        self._postgres = (
            None if postgres is None else EmbeddedPostgres(folder / "postgres", settings=postgres)
        )
        self._s3 = EmbeddedS3(folder / "s3") if s3 else None

    @property
    def postgres(self) -> EmbeddedPostgres:
        """The PostgreSQL server.

        Raises:
            RuntimeError: None was asked for.
        """
        if self._postgres is None:
            raise RuntimeError("no PostgreSQL was asked for")
        return self._postgres

    @property
    def s3(self) -> EmbeddedS3:
        """The S3 server.

        Raises:
            RuntimeError: None was asked for.
        """
        if self._s3 is None:
            raise RuntimeError("no S3 server was asked for")
        return self._s3

    @property
    def running(self) -> bool:
        """Whether every server that was asked for lives."""
        return len(self.nats) == len(self._plans) and all(server.running for server in self.all)

    async def start(self) -> Self:
        """Start all; when one fails, the others are stopped and its error is raised."""
        others = [server for server in (self._postgres, self._s3) if server is not None]
        tasks = [asyncio.create_task(self._start_nats()), *(asyncio.create_task(_start(s)) for s in others)]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """Stop all at once."""
        await asyncio.gather(*(server.stop() for server in self.all))
        self.nats.clear()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def all(self) -> list[EmbeddedServer]:
        """Every server that was started."""
        others = [server for server in (self._postgres, self._s3) if server is not None]
        return [*self.nats.values(), *others]

    async def _start_nats(self) -> None:
        hubs = {plan.leaf_of for plan in self._plans}
        for plan in self._plans:
            server = EmbeddedNats(
                self._folder / "nats" / plan.name,
                name=plan.name,
                domain=plan.name,
                leaf_of=self.nats[plan.leaf_of].leaf_remote if plan.leaf_of is not None else None,
                accept_leaves=plan.name in hubs,
                max_payload=plan.max_payload,
            )
            self.nats[plan.name] = server
            await server.start()


async def _start(server: EmbeddedServer) -> None:
    await server.start()
