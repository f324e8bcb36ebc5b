"""Comparing what arrived in a package with what the package says of itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from libs.packaging.faults import BagFault, BagProblem
from libs.packaging.lanes import Digest
from libs.packaging.tagfiles import (
    BAG_INFO,
    BAGIT,
    BAGIT_TXT,
    MANIFEST,
    PAYLOAD_FOLDER,
    TAG_FILES,
    TAG_MANIFEST,
    ManifestReader,
    read_oxum,
)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A member that came by.

    Attributes:
        size: Bytes.
        mtime_ns: Nanoseconds since 1970-01-01 UTC.
        offset: Where its first byte is in the package, bytes.
        digest: Its sha256, settled once all pieces are hashed.
    """

    size: int
    mtime_ns: int
    offset: int
    digest: Digest


@dataclass(slots=True)
class Contents:
    """All that is known of a package after its last member.

    Attributes:
        name: The top folder.
        payload: Payload files by path, without ``data/``.
        tags: The bag's own files by name.
        texts: Content of the bag's own files except the payload manifest.
        manifest: The payload manifest.
    """

    name: str = ""
    payload: dict[str, Arrived] = field(default_factory=dict)
    tags: dict[str, Arrived] = field(default_factory=dict)
    texts: dict[str, bytearray] = field(default_factory=dict)
    manifest: ManifestReader = field(default_factory=ManifestReader)


def verdict(contents: Contents) -> list[BagProblem]:
    """Compares everything that arrived with the manifests: nothing extra, missing or different."""
    contents.manifest.finish()
    return [
        *_judge_tags(contents),
        *_compare(
            {PAYLOAD_FOLDER + path: member for path, member in contents.payload.items()},
            contents.manifest.entries,
        ),
        *_judge_oxum(contents),
    ]


def _judge_tags(contents: Contents) -> Iterator[BagProblem]:
    for name in sorted(TAG_FILES - contents.tags.keys()):
        yield BagProblem(BagFault.TAG_FILE_MISSING, name, "the package does not have it")
    for fault, detail in contents.manifest.faults.items():
        yield BagProblem(BagFault.TAG_FILE_DAMAGED, MANIFEST, f"{fault}: {detail}")
    if BAGIT in contents.texts and contents.texts[BAGIT] != BAGIT_TXT:
        yield BagProblem(BagFault.TAG_FILE_DAMAGED, BAGIT, "not a declaration of BagIt 1.0 in UTF-8")
    if TAG_MANIFEST in contents.texts:
        yield from _judge_tag_manifest(contents)


def _judge_tag_manifest(contents: Contents) -> Iterator[BagProblem]:
    reader = ManifestReader()
    reader.feed(bytes(contents.texts[TAG_MANIFEST]))
    reader.finish()
    for fault, detail in reader.faults.items():
        yield BagProblem(BagFault.TAG_FILE_DAMAGED, TAG_MANIFEST, f"{fault}: {detail}")
    listed = {name: member for name, member in contents.tags.items() if name != TAG_MANIFEST}
    yield from _compare(listed, reader.entries, differs=BagFault.TAG_FILE_DAMAGED)


def _compare(
    arrived: Mapping[str, Arrived],
    entries: Mapping[str, bytes],
    differs: BagFault = BagFault.FILE_CHECKSUM,
) -> Iterator[BagProblem]:
    for path, member in arrived.items():
        if path not in entries:
            yield BagProblem(BagFault.FILE_UNLISTED, path, "the manifest does not list it")
        elif entries[path] != member.digest.value:
            yield BagProblem(
                differs, path, f"sha256 {member.digest.value.hex()}, manifest {entries[path].hex()}"
            )
    for path in sorted(entries.keys() - arrived.keys()):
        yield BagProblem(BagFault.FILE_MISSING, path, "the manifest lists it")


def _judge_oxum(contents: Contents) -> Iterator[BagProblem]:
    if BAG_INFO not in contents.texts:
        return
    found = (sum(member.size for member in contents.payload.values()), len(contents.payload))
    said = read_oxum(bytes(contents.texts[BAG_INFO]))
    if said is None:
        yield BagProblem(BagFault.OXUM_MISMATCH, BAG_INFO, "no Payload-Oxum, or several")
    elif said != found:
        yield BagProblem(BagFault.OXUM_MISMATCH, BAG_INFO, f"says {said}, found {found} (bytes, files)")
