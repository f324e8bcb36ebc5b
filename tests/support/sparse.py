"""Packages of files with holes: large to read, and made at once."""

from pathlib import Path
from uuid import uuid4

from contracts.packages import PackageRecord, Provenance
from libs.packaging import PayloadFile, write_bag


def sparse_package(folder: Path, name: str, size: int, *, files: int = 1) -> tuple[Path, PackageRecord]:
    """Seal a package; its tar, and what is said of it.

    Args:
        folder: Where its files and its tar are made.
        name: Of the bag.
        size: Bytes of all files together.
        files: How many.
    """
    root = folder / name
    root.mkdir()
    payload = []
    for number in range(files):
        path = root / f"{number}.raw"
        with path.open("wb") as file:
            file.truncate(size // files)
        facts = path.stat()
        payload.append(PayloadFile(path.name, facts.st_size, facts.st_mtime_ns))
    tar = folder / f"{name}.tar"
    bag = write_bag(root, payload, tar, name=name, info={"Bagging-Date": "2026-03-01"})
    provenance = Provenance(
        observatory="Test Observatory",
        telescope="Test Telescope",
        site="chile",
        instrument="camera",
        module="main",
        executed_obs_unit_id=uuid4(),
    )
    record = PackageRecord(
        package_id=uuid4(),
        name=tar.name,
        size=bag.size,
        sha256=bag.sha256,
        file_count=bag.file_count,
        payload_bytes=bag.payload_bytes,
        provenance=provenance,
    )
    return tar, record
