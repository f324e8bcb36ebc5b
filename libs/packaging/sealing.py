"""Sealing: one pass over the instrument's files gives the package, its checksum and theirs.

The pass runs in its caller's thread, which reads files straight into the blocks of the tar, and three
lanes: one writes the blocks, one hashes them as the package, one hashes the files in them. Small files
share a block, so that a thousand of them cost one hand-over.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from libs.errors import Retriable, UserError
from libs.packaging.faults import BadFile, CancelSignal, PackageDiffers, PayloadChanged, storage_errors
from libs.packaging.folders import Root
from libs.packaging.headers import END_OF_TAR, encode, padding
from libs.packaging.lanes import BLOCK_BYTES, Digest, Lanes
from libs.packaging.names import check_bag_name
from libs.packaging.payload import PayloadFile, SealedBag, SealedFile, in_order
from libs.packaging.planning import TAG_FILE_MTIME_NS
from libs.packaging.sources import BadFileError, checked, examine, opened
from libs.packaging.tagfiles import (
    BAG_INFO,
    BAGIT,
    BAGIT_TXT,
    MANIFEST,
    PAYLOAD_FOLDER,
    TAG_MANIFEST,
    bag_info,
    manifest,
)
from libs.packaging.tarstream import LANES, TarStream
from libs.storage.exactly import FileFacts
from libs.storage.partials import Try, trying


def write_bag(
    source_root: Path,
    files: Sequence[PayloadFile],
    destination: Path,
    *,
    name: str,
    info: Mapping[str, str],
    expected_sha256: Mapping[str, str] | None = None,
    sealed_sha256: str | None = None,
    replacing: FileFacts | None = None,
    progress: Callable[[int], None] | None = None,
    cancelled: CancelSignal | None = None,
) -> SealedBag:
    """Packs files into a tar with BagIt layout, reading each once; blocks until it is on disk and synced.

    The same arguments give the same bytes. Earlier tries at the same package are ended, whoever is at them
    (`libs.storage.partials`).

    Args:
        source_root: The folder that the files' paths start from.
        files: What to pack, at least one file, in any order; paths unique.
        destination: The package. Until it is whole it has another name beside this.
        name: The bag's top folder.
        info: Fields for bag-info.txt, Bagging-Date among them.
        expected_sha256: Declared checksums by path, hexadecimal; not every path needs one.
        sealed_sha256: Of the whole package, where it is written anew: another one never gets its name.
        replacing: What stands at `destination`, if it is not right; nothing else is replaced.
        progress: Called in this thread with the package's bytes so far, after each block.
        cancelled: Looked at before each block.

    Returns:
        The package and its files, with their checksums.

    Raises:
        PayloadChanged: Files are not what was planned: all of those, after looking at every one.
        PackageDiffers: The package is not the one with `sealed_sha256`.
        PackagingCancelled: `cancelled` was set.
        Overtaken: A later try is at work, or may be.
        Retriable: ``package_stands``, ``disk_full``, ``storage_unavailable``, ``out_of_handles``.
        UserError: ``bag_name_invalid``, ``bag_info_invalid``, ``path_twice`` or ``package_empty``.
    """
    ordered = in_order(files)
    if not ordered:
        raise UserError("package_empty", "A package needs at least one file", "Plan no package for no files.")
    payload_bytes = sum(file.size for file in ordered)
    info_text = bag_info(info, payload_bytes=payload_bytes, file_count=len(ordered))
    top = check_bag_name(name)
    with (
        storage_errors(source_root),
        Root(source_root) as root,
        storage_errors(destination.parent),
        trying(destination) as attempt,
        Lanes(*LANES) as lanes,
    ):
        tar = TarStream(attempt, lanes, progress, cancelled)
        sealed = _Pass(tar, root, top, ordered, expected_sha256 or {}).run(info_text)
        if sealed_sha256 is not None and tar.sha256() != sealed_sha256:
            raise PackageDiffers(name, tar.sha256(), sealed_sha256)
        _publish(attempt, destination, replacing)
    return SealedBag(destination, tar.size, tar.sha256(), len(sealed), payload_bytes, tuple(sealed))


def _publish(attempt: Try, destination: Path, replacing: FileFacts | None) -> None:
    try:
        attempt.publish(destination, replacing)
    except FileExistsError as error:
        raise Retriable(
            "package_stands", f"{destination} is there already", "It is read, and kept if it is right."
        ) from error


class _Pass:
    """The order of a package's members, and what to do when a file is not what was planned."""

    def __init__(
        self,
        tar: TarStream,
        root: Root,
        top: str,
        files: Sequence[PayloadFile],
        expected: Mapping[str, str],
    ) -> None:
        self._tar = tar
        self._root = root
        self._top = top
        self._files = files
        self._expected = expected
        self._packed: list[tuple[PayloadFile, Digest, int]] = []

    def run(self, info_text: bytes) -> list[SealedFile]:
        listed = [self._tag(BAG_INFO, info_text), self._tag(BAGIT, BAGIT_TXT)]
        bad = self._pack()
        self._tar.drain()
        bad = [*self._mismatches({one.path for one in bad}), *bad]
        if bad:
            raise PayloadChanged(bad)
        sealed = [
            SealedFile(file.path, file.size, file.mtime_ns, digest.value.hex(), offset)
            for file, digest, offset in self._packed
        ]
        text = manifest((file.sha256, PAYLOAD_FOLDER + file.path) for file in sealed)
        listed.append(self._tag(MANIFEST, text))
        self._tag(TAG_MANIFEST, manifest(listed))
        self._tar.append(END_OF_TAR)
        self._tar.drain()
        return sealed

    def _pack(self) -> list[BadFile]:
        for done, file in enumerate(self._files):
            try:
                self._member(file)
            except BadFileError as error:
                return [error.bad, *self._examine(self._files[done + 1 :])]
        return []

    def _member(self, file: PayloadFile) -> None:
        with opened(self._root, file) as handle:
            header = encode(f"{self._top}/{PAYLOAD_FOLDER}{file.path}", file.size, file.mtime_ns)
            self._tar.append(header)
            self._packed.append((file, digest := Digest(), self._tar.size))
            self._tar.take(handle, file, digest)
        self._tar.append(bytes(padding(file.size)))

    def _examine(self, rest: Sequence[PayloadFile]) -> list[BadFile]:
        """The package is lost, but one report of every bad file saves the service a round per file."""
        buffer = memoryview(bytearray(BLOCK_BYTES))
        found = []
        for file in rest:
            self._tar.stop_if_cancelled()
            found.append(examine(self._root, file, self._expected.get(file.path), buffer))
        return [bad for bad in found if bad is not None]

    def _mismatches(self, known: AbstractSet[str]) -> list[BadFile]:
        found = [
            checked(file, self._expected.get(file.path), digest.value.hex())
            for file, digest, _ in self._packed
            if digest.value and file.path not in known
        ]
        return [bad for bad in found if bad is not None]

    def _tag(self, name: str, text: bytes) -> tuple[str, str]:
        self._tar.append(encode(f"{self._top}/{name}", len(text), TAG_FILE_MTIME_NS))
        self._tar.append(text)
        self._tar.append(bytes(padding(len(text))))
        return hashlib.sha256(text).hexdigest(), name
