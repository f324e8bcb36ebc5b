"""The archives: every file once, byte for byte as its instrument wrote it, and nothing else.

Read with Python's own tarfile, so that a fault in our packing is not hidden by the same fault in our unpacking.
"""

import hashlib
import io
import tarfile
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from libs.errors import ChasquiError
from libs.storage.s3 import S3Store
from tests.faults.checks.world import World

EVENT_LOG = "log/"
"""Where an archive keeps the event log; everything else is packages and their sidecars."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A file as an archive gives it back."""

    size: int
    sha256: str
    mtime_ns: int


async def identical(world: World) -> list[str]:
    """Each archive has every file that is not held back, once, identical; and no object that is no package."""
    told: list[str] = []
    for location, store in world.stores.items():
        files, complaints = await _files(store)
        told += [f"{location}: {complaint}" for complaint in complaints]
        told += [f"{location}: {complaint}" for complaint in _compared(world, files)]
    return told


def _compared(world: World, found: dict[tuple[UUID, str], list[Restored]]) -> list[str]:
    expected = {
        (observation.id, f"{observation.instrument}/{file.path}"): (file_id, file)
        for file_id, (observation, file) in world.ledger.files.items()
    }
    told = [f"{path!r} of {unit}, which nobody filed" for unit, path in found.keys() - expected.keys()]
    for key, (file_id, file) in expected.items():
        copies = found.get(key, [])
        if file_id in world.ledger.damaged:
            told += [f"{key[1]!r} is in the archive, though it was damaged"] if copies else []
        elif len(copies) != 1:
            told.append(f"{key[1]!r} is there {len(copies)} times")
        elif copies[0] != Restored(file.size, file.sha256, file.mtime_ns):
            told.append(f"{key[1]!r} came back as {copies[0]}, not as {file}")
    return told


async def _files(store: S3Store) -> tuple[dict[tuple[UUID, str], list[Restored]], list[str]]:
    """Every file of every package in an archive, by observation and path."""
    files: dict[tuple[UUID, str], list[Restored]] = defaultdict(list)
    keys = {listed.key async for listed in store.list() if not listed.key.startswith(EVENT_LOG)}
    keys |= await _unlisted(store, keys)
    packages = {key for key in keys if key.endswith(".tar")}
    sidecars = {key.removesuffix(".tar") + ".json" for key in packages}
    complaints = [f"{key} should not be there" for key in keys - packages - sidecars]
    complaints += [f"{key} is not there" for key in sidecars - keys]
    for key in sorted(packages):
        try:
            data = await _bytes(store, key)
            sidecar = await store.get_json(key.removesuffix(".tar") + ".json")
            unpacked = _unpacked(data)
        except (ChasquiError, tarfile.TarError) as error:
            complaints.append(f"{key} cannot be read: {error}")
            continue
        if sidecar["sha256"] != hashlib.sha256(data).hexdigest():
            complaints.append(f"{key} has another checksum than its sidecar says")
        for path, restored in unpacked.items():
            files[UUID(key.split("/")[-2]), path].append(restored)
    return files, complaints


async def _unlisted(store: S3Store, keys: set[str]) -> set[str]:
    """Packages that are there, and that no listing shows: a full Swift may store an object and not list it ever."""
    twins = {key.removesuffix(".json") + ".tar" for key in keys if key.endswith(".json")}
    return {key for key in twins - keys if await store.head(key) is not None}


async def _bytes(store: S3Store, key: str) -> bytes:
    async with store.open_stream(key) as stream:
        return b"".join([block async for block in stream])


def _unpacked(data: bytes) -> dict[str, Restored]:
    """The payload of a bag in a tar, by the path that its instrument gave each file."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            _, _, below = member.name.partition("/")
            if below.startswith("data/"):
                content = tar.extractfile(member)
                digest = hashlib.sha256(content.read() if content else b"")
                mtime = Decimal(member.pax_headers.get("mtime", str(int(member.mtime))))
                found[below.removeprefix("data/")] = Restored(
                    member.size, digest.hexdigest(), int(mtime * 10**9)
                )
    return found


async def uploads(world: World) -> list[str]:
    """No multipart upload was left behind."""
    return [
        f"{location}: the upload of {key} was neither completed nor aborted"
        for location, store in world.stores.items()
        async for key in store.unfinished("")
    ]
