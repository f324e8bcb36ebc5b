"""Bringing everything back from the archive, and comparing it with what was put in."""

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx

from contracts.staging import RequestStaging, Selection
from libs.errors import Permanent, Retriable
from libs.service.patience import patiently
from libs.storage.walk import FoundFile

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """How what came back compares with what was put in.

    Attributes:
        differences: ``path: what differs``, for the first hundred.
    """

    compared: int
    identical: int
    differences: tuple[str, ...]


async def request_staging(gateway: str, units: list[UUID]) -> UUID:
    """Ask a site's gateway for whole observations; the job's id.

    Raises:
        Permanent: The gateway refused.
    """
    request = RequestStaging(selection=Selection(executed_obs_unit_ids=tuple(units)), requested_by="demo")

    async def once() -> UUID:
        async with httpx.AsyncClient(base_url=gateway, timeout=60) as http:
            try:
                answer = await http.post(
                    "/staging",
                    content=request.model_dump_json(),
                    headers={"content-type": "application/json"},
                )
            except httpx.TransportError as error:
                raise Retriable(
                    "gateway_unreachable",
                    f"the gateway at {gateway} does not answer: {error!r}",
                    "It is tried again.",
                ) from error
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise Retriable("gateway_not_ready", answer.text, "It is tried again.")
        if not answer.is_success:
            raise Permanent("staging_refused", answer.text, "See the gateway's log.")
        return UUID(answer.json()["job_id"])

    return await patiently(once, what="staging")


def compare(origin: Path, restored: Path, files: tuple[FoundFile, ...]) -> Comparison:
    """Compare every file's bytes and modification time; blocking.

    Args:
        origin: The demo's input folder.
        restored: The instrument's folder below the staged folder.
        files: What was written, with the times that were written.
    """
    differences: list[str] = []
    identical = 0
    for file in files:
        found = _difference(origin / file.path, restored / file.path, file)
        if found is None:
            identical += 1
        elif len(differences) < 100:  # noqa: PLR2004  enough to see what is wrong
            differences.append(f"{file.path}: {found}")
    return Comparison(len(files), identical, tuple(differences))


def _difference(before: Path, after: Path, file: FoundFile) -> str | None:
    try:
        status = os.lstat(after)
    except OSError as error:
        return f"did not come back ({error.strerror})"
    if status.st_size != before.stat().st_size:
        return f"has {status.st_size} bytes, not {before.stat().st_size}"
    if status.st_mtime_ns != file.mtime_ns:
        return f"has another time ({status.st_mtime_ns}, not {file.mtime_ns})"
    with before.open("rb") as left, after.open("rb") as right:
        while True:
            block = left.read(BLOCK)
            if block != right.read(BLOCK):
                return "has other bytes"
            if not block:
                return None


def remaining(folder: Path, files: tuple[FoundFile, ...]) -> int:
    """How many of the files are still in the instrument's folder; blocking."""
    return sum(1 for file in files if os.path.lexists(folder / file.path))


def packages_left(buffers: tuple[Path, ...]) -> int:
    """How many packages are still in the buffers; blocking."""
    # os.walk goes on where folders vanish, which the janitor removes meanwhile; rglob does not.
    return sum(
        name.endswith(".tar") for buffer in buffers for _, _, names in os.walk(buffer) for name in names
    )
