"""An observation as filing and scanner tell of it, for tests of what comes after them."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from contracts.files import FilesMissing, FilesScanned, ProblemFile, ScannedFile
from contracts.observations import (
    FiledFile,
    FilesFiled,
    ObservationFinished,
    ObservationStarted,
    Outcome,
    Target,
    file_id,
)
from contracts.problems import Problem
from libs.bus.publishing import EventPublisher
from tests.support.road import Road

START = datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC)


@dataclass
class Observation:
    """One observation of the road's camera.

    Attributes:
        files: What was filed, by path relative to the SOURCE location's root.
    """

    road: Road
    unit: UUID = field(default_factory=uuid4)
    files: dict[str, FiledFile] = field(default_factory=dict)

    @property
    def location(self) -> str:
        """The SOURCE location."""
        return f"{self.road.telescope.site}-source"

    @property
    def publisher(self) -> EventPublisher:
        """Says what filing and scanner would say."""
        return self.road.publisher(self.road.telescope)

    def on_disk(self, path: str) -> Path:
        """Where a file is."""
        return self.road.telescope.disk(self.location).path / path

    async def start(self) -> None:
        """It begins."""
        await self.publisher.publish(
            [
                ObservationStarted(
                    executed_obs_unit_id=self.unit,
                    instrument="camera",
                    start_time=START,
                    obs_unit="field 7",
                    target=Target(name="Vega", ra_deg=279.2, dec_deg=38.8),
                )
            ]
        )

    async def file(
        self, contents: Mapping[str, bytes], *, module: str = "main", declare: Mapping[str, str] | None = None
    ) -> list[str]:
        """Write files and file them.

        Args:
            contents: By name below the unit's folder.
            module: The instrument's module.
            declare: sha256 by name.

        Returns:
            Their paths relative to the SOURCE location's root.
        """
        declared = declare or {}
        filed = [self._filed(name, data, module, declared.get(name)) for name, data in contents.items()]
        await self._say_filed(filed)
        return [one.path for one in filed]

    async def file_missing(self, *names: str) -> list[str]:
        """File files that are not there."""
        filed = [self._register(f"camera/{self.unit.hex[:8]}/{name}", "main", None) for name in names]
        await self._say_filed(filed)
        return [one.path for one in filed]

    async def scan(self, paths: Iterable[str], *, at_once: int = 500) -> None:
        """The scanner found these; one event for `at_once` of them."""
        found = await asyncio.to_thread(lambda: [self._scanned(path) for path in paths])
        for start in range(0, len(found), at_once):
            event = FilesScanned(
                executed_obs_unit_id=self.unit,
                instrument="camera",
                location=self.location,
                files=tuple(found[start : start + at_once]),
            )
            await self.publisher.publish([event])

    async def miss(self, paths: Iterable[str]) -> None:
        """The scanner did not find these in time."""
        problem = Problem(code="file_missing", reason="it is not there", remedy="Write it.")
        event = FilesMissing(
            executed_obs_unit_id=self.unit,
            instrument="camera",
            location=self.location,
            files=tuple(
                ProblemFile(file_id=self.files[path].file_id, path=path, problem=problem) for path in paths
            ),
        )
        await self.publisher.publish([event])

    async def finish(self) -> None:
        """It ends."""
        event = ObservationFinished(
            executed_obs_unit_id=self.unit,
            instrument="camera",
            end_time=START + timedelta(minutes=30),
            outcome=Outcome.COMPLETED,
            file_count=len(self.files),
        )
        await self.publisher.publish([event])

    async def observe(self, contents: Mapping[str, bytes], *, module: str = "main") -> list[str]:
        """All of it: start, file, scan, finish."""
        await self.start()
        paths = await self.file(contents, module=module)
        await self.scan(paths)
        await self.finish()
        return paths

    def _filed(self, name: str, data: bytes, module: str, sha256: str | None) -> FiledFile:
        path = f"camera/{self.unit.hex[:8]}/{name}"
        place = self.on_disk(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return self._register(path, module, sha256)

    def _register(self, path: str, module: str, sha256: str | None) -> FiledFile:
        filed = FiledFile(file_id=file_id(self.unit, path), path=path, module=module, sha256=sha256)
        self.files[path] = filed
        return filed

    async def _say_filed(self, filed: Sequence[FiledFile]) -> None:
        await self.publisher.publish(
            [
                FilesFiled(
                    executed_obs_unit_id=self.unit,
                    instrument="camera",
                    location=self.location,
                    files=tuple(filed),
                )
            ]
        )

    def _scanned(self, path: str) -> ScannedFile:
        facts = self.on_disk(path).stat()
        filed = self.files[path]
        return ScannedFile(
            file_id=filed.file_id,
            path=path,
            module=filed.module,
            size=facts.st_size,
            mtime_ns=facts.st_mtime_ns,
        )


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()
