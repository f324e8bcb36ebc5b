"""Asking the archives themselves, once per package, before anything goes."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from libs.errors import ChasquiError
from libs.sites.retention import ArchiveEvidence
from libs.storage.s3 import S3Store
from libs.storage.s3_proof import Proof, ProofMode, Verdict
from libs.telemetry.logs import logger
from services.janitor.facts import ArchiveCopy, Evidence, PackageFacts, Standing

SILENT_S = 20.0
"""An archive that did not answer is not asked again for so long: a sweep of many packages goes on."""

log = logger("janitor")


class Asker:
    """Asks the archives that this process has keys for.

    Args:
        stores: By location.
        clock: Seconds that only go forward.
    """

    def __init__(self, stores: Mapping[str, S3Store], clock: Callable[[], float] = time.monotonic) -> None:
        self._stores = stores
        self._clock = clock
        self._silent: dict[str, tuple[float, str]] = {}

    @property
    def locations(self) -> frozenset[str]:
        """The archives that can be asked."""
        return frozenset(self._stores)

    async def ask(self, package: PackageFacts, mode: ProofMode = ProofMode.HEAD) -> PackageFacts:
        """The package with what its archives say of it now.

        Args:
            package: As ops-db knows it.
            mode: Whether the archives' word is enough, or every byte is read back.
        """
        answers = await asyncio.gather(*(self._asked(package, archive, mode) for archive in package.archives))
        return replace(package, archives=tuple(answers))

    async def _asked(self, package: PackageFacts, archive: ArchiveCopy, mode: ProofMode) -> ArchiveCopy:
        if archive.evidence is Evidence.RECORDED:
            return archive
        until, words = self._silent.get(archive.location, (0.0, ""))
        if self._clock() < until:
            return replace(archive, standing=Standing.SILENT, found=words)
        return await self._answer(package, archive, mode)

    async def _answer(self, package: PackageFacts, archive: ArchiveCopy, mode: ProofMode) -> ArchiveCopy:
        if package.size is None or package.sha256 is None:
            return archive
        store = self._stores[archive.location]
        try:
            proof = await store.prove(archive.key, size=package.size, sha256=package.sha256, mode=mode)
        except ChasquiError as error:
            log.warning("archive_unreachable", location=archive.location, **error.problem.model_dump())
            self._silent[archive.location] = (self._clock() + SILENT_S, error.problem.reason)
            return replace(archive, standing=Standing.UNREACHABLE, found=error.problem.reason)
        return replace(archive, standing=standing_of(proof), found=proof.found)


def mode_for(policies: Iterable[ArchiveEvidence]) -> ProofMode:
    """How archives are asked so that every policy is content."""
    return ProofMode.BYTES if ArchiveEvidence.READ in set(policies) else ProofMode.HEAD


def standing_of(proof: Proof) -> Standing:
    """What an answer of the archive means for a deletion: whatever is not proven counts against it."""
    match proof.verdict:
        case Verdict.PROVEN:
            return Standing.READ if proof.mode is ProofMode.BYTES else Standing.WHOLE
        case Verdict.MISSING:
            return Standing.MISSING
        case Verdict.SIZE_DIFFERS | Verdict.CHECKSUM_DIFFERS | Verdict.BROKEN | Verdict.UNDECLARED:
            return Standing.DAMAGED
