"""Sealing: the layout, the judges (GNU tar, bagit.py), repeatability, and source files that are not as planned."""

import hashlib
import os
import resource
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bagit
import pytest

from libs.bus.fencing import Overtaken
from libs.errors import Retriable, UserError
from libs.packaging import (
    BadFile,
    FileFault,
    PackageDiffers,
    PackagingCancelled,
    PayloadChanged,
    PayloadFile,
    SealedBag,
    inspect_bag,
    sealed_size,
    write_bag,
)
from libs.storage.exactly import facts_of

INFO = {"Bagging-Date": "2026-03-01", "Source-Organization": "Observatorio de Ámbar"}
MTIME = 1_700_000_000_123_456_789


def scan(root: Path) -> list[PayloadFile]:
    found = []
    for path in root.rglob("*"):
        if path.is_file():
            status = path.stat()
            found.append(PayloadFile(str(path.relative_to(root)), status.st_size, status.st_mtime_ns))
    return found


def put(root: Path, path: str, content: bytes, mtime_ns: int = MTIME) -> Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    os.utime(target, ns=(mtime_ns, mtime_ns))
    return target


def seal(root: Path, destination: Path, files: Sequence[PayloadFile] | None = None) -> SealedBag:
    return write_bag(root, scan(root) if files is None else files, destination, name="bag-1", info=INFO)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Everything that instruments and their operators do to file names."""
    root = tmp_path / "source"
    put(root, "plain.fits", b"SIMPLE  =" * 1000)
    put(root, "night 1/with space.fits", b"a" * 512)
    put(root, "-rf", b"leading dash")
    put(root, "--checkpoint=1/-n", b"x")
    put(root, "ünïcödé/日本語/★.dat", b"unicode")
    put(root, "line\nfeed\rreturn", b"newline")
    put(root, "100%.fits", b"percent")
    put(root, "star*.fits", b"star")
    put(root, "tab\tname '\"\\", b"quotes")
    put(root, ".hidden/.file", b"hidden")
    put(root, "empty", b"")
    put(root, "sub/empty too", b"")
    put(root, "twin a", b"equal")
    put(root, "twin b", b"equal")
    os.link(root / "twin a", root / "hard link")
    put(root, "n" * 255, b"long name")
    put(root, "é" * 127 + "x", b"long name of two bytes each")
    put(root, "/".join(["deep" * 20] * 8) + "/file", b"deep")
    put(root, "old", b"before the epoch", -1_500_000_000)
    put(root, "whole second", b"no fraction", 1_700_000_000_000_000_000)
    put(root, "epoch", b"zero", 0)
    return root


def test_gnu_tar_restores_bytes_and_times_and_bagit_accepts_the_bag(source: Path, tmp_path: Path) -> None:
    bag = seal(source, tmp_path / "bag.tar")
    out = tmp_path / "out"
    out.mkdir()
    told = subprocess.run(
        ["tar", "--warning=no-timestamp", "-xf", str(bag.path), "-C", str(out)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert told.stderr == b""
    data = out / "bag-1" / "data"
    assert sorted(scan(data), key=lambda file: file.path) == sorted(scan(source), key=lambda file: file.path)
    assert all((data / file.path).read_bytes() == (source / file.path).read_bytes() for file in bag.files)
    assert bagit.Bag(str(out / "bag-1")).validate()
    judged = subprocess.run(
        [sys.executable, "-W", "ignore", bagit.__file__, "--validate", str(out / "bag-1")],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert judged.returncode == 0, judged.stderr


def bagit_accepts(root: Path, folder: Path) -> bool:
    bag = seal(root, folder / "bag.tar")
    assert inspect_bag(bag.path, expected_sha256=bag.sha256, expected_size=bag.size).files == bag.files
    subprocess.run(["tar", "-xf", str(bag.path), "-C", str(folder)], check=True, timeout=60)
    try:
        return bool(bagit.Bag(str(folder / "bag-1")).validate())
    except bagit.BagError:
        return False


@pytest.mark.parametrize(
    "name", [" leading", "a*", "*a", "a  b", "%", "%0", "%41.fits", "e\u0301", "two\n\nfeeds", "~"]
)
def test_names_that_bagit_py_understands(tmp_path: Path, name: str) -> None:
    put(tmp_path / "source", name, b"content")
    assert bagit_accepts(tmp_path / "source", tmp_path)


@pytest.mark.parametrize(
    "name",
    ["trailing ", "a%0Ab", "a%25b", "\n1\n2\n3", "next\x85line", "u\u2028", "file\x1cseparator", "ff\x0c.x"],
)
def test_names_that_only_we_understand(tmp_path: Path, name: str) -> None:
    """The limits of bagit.py 1.9 that `names` documents: when one falls, the note can shrink."""
    put(tmp_path / "source", name, b"content")
    assert not bagit_accepts(tmp_path / "source", tmp_path)


def test_pythons_tarfile_reads_the_same_members(source: Path, tmp_path: Path) -> None:
    bag = seal(source, tmp_path / "bag.tar")
    with tarfile.open(bag.path) as tar:
        members = tar.getmembers()
    assert all(one.isreg() and one.mode == 0o644 and one.uid == one.gid == 0 for one in members)
    payload = {one.name.removeprefix("bag-1/data/"): one for one in members if "/data/" in one.name}
    assert {file.path: (file.size, file.offset) for file in bag.files} == {
        path: (one.size, one.offset_data) for path, one in payload.items()
    }


def test_members_stand_in_order_with_the_manifests_last(source: Path, tmp_path: Path) -> None:
    bag = seal(source, tmp_path / "bag.tar")
    with tarfile.open(bag.path) as tar:
        names = [name.encode() for name in tar.getnames()]
    assert names == sorted(names)
    assert names[:2] == [b"bag-1/bag-info.txt", b"bag-1/bagit.txt"]
    assert names[-2:] == [b"bag-1/manifest-sha256.txt", b"bag-1/tagmanifest-sha256.txt"]


def test_the_result_tells_sizes_checksums_and_offsets(source: Path, tmp_path: Path) -> None:
    bag = seal(source, tmp_path / "bag.tar")
    raw = bag.path.read_bytes()
    assert (bag.size, bag.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert bag.size == sealed_size(scan(source), name="bag-1", info=INFO)
    assert bag.file_count == len(bag.files) == len(scan(source))
    for file in bag.files:
        content = (source / file.path).read_bytes()
        assert raw[file.offset : file.offset + file.size] == content
        assert file.sha256 == hashlib.sha256(content).hexdigest()


def test_large_files_cross_blocks(tmp_path: Path) -> None:
    for index, size in enumerate((4 * 1024 * 1024, 9_000_001, 3, 4 * 1024 * 1024 - 1024, 30_000_000)):
        put(tmp_path / "source", f"{index}", os.urandom(size))
    bag = seal(tmp_path / "source", tmp_path / "bag.tar")
    raw = bag.path.read_bytes()
    assert [raw[file.offset : file.offset + file.size] for file in bag.files] == [
        (tmp_path / "source" / file.path).read_bytes() for file in bag.files
    ]
    assert bag.sha256 == hashlib.sha256(raw).hexdigest()
    assert inspect_bag(bag.path, expected_sha256=bag.sha256, expected_size=bag.size).files == bag.files


def test_the_same_files_in_any_order_give_the_same_bytes(source: Path, tmp_path: Path) -> None:
    files = scan(source)
    first = seal(source, tmp_path / "one.tar", files)
    again = write_bag(
        source, files[::-1], tmp_path / "two.tar", name="bag-1", info=dict(reversed(INFO.items()))
    )
    assert first.path.read_bytes() == again.path.read_bytes()


def test_a_leftover_of_a_killed_run_is_taken_over(source: Path, tmp_path: Path) -> None:
    first = seal(source, tmp_path / "one.tar")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / ".one.tar.partial").write_bytes(b"garbage" * 1_000_000)
    again = seal(source, tmp_path / "two" / "one.tar")
    assert again.path.read_bytes() == first.path.read_bytes()
    assert [path.name for path in (tmp_path / "two").iterdir()] == ["one.tar"]


def test_a_later_run_takes_over_and_the_earlier_one_knows_it(source: Path, tmp_path: Path) -> None:
    later: list[SealedBag] = []

    def take_over(_done: int) -> None:
        if not later:
            later.append(seal(source, tmp_path / "out" / "bag.tar"))

    (tmp_path / "out").mkdir()
    with pytest.raises(Overtaken):
        write_bag(
            source, scan(source), tmp_path / "out" / "bag.tar", name="bag-1", info=INFO, progress=take_over
        )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bag.tar"]
    assert hashlib.sha256(later[0].path.read_bytes()).hexdigest() == later[0].sha256


def test_who_was_overtaken_refuses_no_files_that_a_finished_package_let_go(
    source: Path, tmp_path: Path
) -> None:
    """As after a pause in which the successor's package was archived and both buffers were cleared."""
    files = scan(source)

    def all_done(_done: int) -> None:
        seal(source, tmp_path / "out" / "bag.tar", files).path.unlink()
        for file in files:
            (source / file.path).unlink()

    put(source, "large", os.urandom(9_000_000))
    files = scan(source)
    (tmp_path / "out").mkdir()
    with pytest.raises(Overtaken):
        write_bag(source, files, tmp_path / "out" / "bag.tar", name="bag-1", info=INFO, progress=all_done)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_stands_there_is_replaced_only_if_it_is_what_was_seen(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "bag.tar"
    target.write_bytes(b"damaged")
    seen = facts_of(target)
    fresh = tmp_path / "fresh"
    fresh.write_bytes(b"damaged")
    fresh.rename(target)
    with pytest.raises(Retriable, match="package_stands"):
        write_bag(source, scan(source), target, name="bag-1", info=INFO, replacing=seen)
    assert target.read_bytes() == b"damaged"
    bag = write_bag(source, scan(source), target, name="bag-1", info=INFO, replacing=facts_of(target))
    assert hashlib.sha256(target.read_bytes()).hexdigest() == bag.sha256
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["bag.tar"]


def refused(root: Path, files: Sequence[PayloadFile], target: Path, **declared: str) -> tuple[BadFile, ...]:
    target.mkdir()
    with pytest.raises(PayloadChanged) as caught:
        write_bag(root, files, target / "bag.tar", name="bag-1", info=INFO, expected_sha256=declared)
    assert list(target.iterdir()) == []
    return caught.value.files


def test_every_bad_file_is_reported_at_once_and_nothing_is_left(tmp_path: Path) -> None:
    root = tmp_path / "source"
    for name in "abcdefghij":
        put(root, f"{name}/file", name.encode() * 5000)
    files = scan(root)
    declared = {"a/file": "00" * 32, "j/file": "11" * 32, "h/file": hashlib.sha256(b"h" * 5000).hexdigest()}
    (root / "b/file").unlink()
    (root / "b/file").symlink_to(root / "a/file")
    put(root, "c/file", b"c" * 5001)
    put(root, "d/file", b"d" * 4999)
    (root / "e/file").unlink()
    put(root, "f/file", b"f" * 5000, MTIME + 1)
    (root / "g").rename(root / "moved")
    (root / "g").symlink_to(root / "moved")
    (root / "i/file").unlink()
    os.mkfifo(root / "i/file")
    bad = refused(root, files, tmp_path / "out", **declared)
    assert [(one.path, one.code) for one in bad] == [
        ("a/file", FileFault.CHECKSUM_MISMATCH),
        ("b/file", FileFault.NOT_A_REGULAR_FILE),
        ("c/file", FileFault.FILE_CHANGED),
        ("d/file", FileFault.FILE_CHANGED),
        ("e/file", FileFault.FILE_VANISHED),
        ("f/file", FileFault.FILE_CHANGED),
        ("g/file", FileFault.NOT_A_REGULAR_FILE),
        ("i/file", FileFault.NOT_A_REGULAR_FILE),
        ("j/file", FileFault.CHECKSUM_MISMATCH),
    ]


def test_a_socket_and_a_folder_in_a_files_place(tmp_path: Path) -> None:
    root = tmp_path / "source"
    put(root, "a", b"1")
    put(root, "b", b"2")
    files = scan(root)
    (root / "a").unlink()
    (root / "b").unlink()
    (root / "b").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(root / "a"))
        bad = refused(root, files, tmp_path / "out")
    assert {one.code for one in bad} == {FileFault.NOT_A_REGULAR_FILE}


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite"])
def test_a_file_that_moves_while_it_is_read(tmp_path: Path, change: str) -> None:
    root = tmp_path / "source"
    big = put(root, "big", os.urandom(40_000_000))

    def disturb(_done: int) -> None:
        if change == "grow":
            with big.open("ab") as stream:
                stream.write(b"more")
        elif change == "shrink":
            os.truncate(big, 100)
        else:
            with big.open("r+b") as stream:
                stream.write(b"other")

    with pytest.raises(PayloadChanged) as caught:
        write_bag(root, scan(root), tmp_path / "bag.tar", name="bag-1", info=INFO, progress=disturb)
    assert [one.code for one in caught.value.files] == [FileFault.FILE_CHANGED]
    assert not list(tmp_path.glob("*.tar")) + list(tmp_path.glob(".*"))


def test_declared_checksums_that_are_right_pass_in_either_case(tmp_path: Path) -> None:
    put(tmp_path / "source", "a", b"content")
    declared = {"a": hashlib.sha256(b"content").hexdigest().upper()}
    bag = write_bag(
        tmp_path / "source",
        scan(tmp_path / "source"),
        tmp_path / "bag.tar",
        name="b",
        info=INFO,
        expected_sha256=declared,
    )
    assert bag.file_count == 1


def test_a_missing_root_is_no_fault_of_the_files(tmp_path: Path) -> None:
    with pytest.raises(Retriable, match="storage_unavailable"):
        write_bag(tmp_path / "away", [PayloadFile("a", 1, 0)], tmp_path / "bag.tar", name="b", info=INFO)


def test_cancelled_leaves_nothing(source: Path, tmp_path: Path) -> None:
    put(source, "big", bytes(30_000_000))
    stop = threading.Event()
    (tmp_path / "out").mkdir()
    with pytest.raises(PackagingCancelled):
        write_bag(
            source,
            scan(source),
            tmp_path / "out" / "bag.tar",
            name="b",
            info=INFO,
            progress=lambda _: stop.set(),
            cancelled=stop,
        )
    assert list((tmp_path / "out").iterdir()) == []


def test_progress_ends_at_the_packages_size(source: Path, tmp_path: Path) -> None:
    put(source, "big", bytes(30_000_000))
    told: list[int] = []
    bag = write_bag(source, scan(source), tmp_path / "bag.tar", name="b", info=INFO, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == bag.size


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from libs.errors import Retriable
from libs.packaging import PayloadFile, write_bag
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000))
source, target = Path(sys.argv[1]), Path(sys.argv[2])
status = (source / "big").stat()
try:
    write_bag(source, [PayloadFile("big", status.st_size, status.st_mtime_ns)], target, name="b", info={})
except Retriable as error:
    print(error.problem.code)
"""


def test_a_full_disk_is_retriable_and_leaves_nothing(tmp_path: Path) -> None:
    put(tmp_path / "source", "big", bytes(30_000_000))
    (tmp_path / "out").mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path / "source"), str(tmp_path / "out" / "bag.tar")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[4],
    )
    assert ran.stdout == "disk_full\n", ran.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_memory_stays_flat(tmp_path: Path) -> None:
    root = tmp_path / "source"
    root.mkdir()
    with (root / "sparse").open("wb") as stream:
        stream.truncate(600_000_000)
    put(root, "small", b"x")
    seal(root, tmp_path / "warm.tar", [file for file in scan(root) if file.path == "small"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bag = seal(root, tmp_path / "bag.tar")
    inspect_bag(bag.path, expected_sha256=bag.sha256, expected_size=bag.size)
    bag.path.unlink()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def test_a_package_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="package_empty"):
        seal(tmp_path, tmp_path / "bag.tar", [])


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "ñ", "a" * 201])
def test_bad_bag_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="bag_name_invalid"):
        write_bag(tmp_path, [PayloadFile("a", 0, 0)], tmp_path / "bag.tar", name=name, info=INFO)


@pytest.mark.parametrize(
    ("label", "value"),
    [("Payload-Oxum", "1.1"), ("A:B", "x"), ("A", "two\nlines"), ("A", " x"), ("A", ""), ("A", "\udc80")],
)
def test_bad_bag_info(tmp_path: Path, label: str, value: str) -> None:
    with pytest.raises(UserError, match="bag_info_invalid"):
        write_bag(tmp_path, [PayloadFile("a", 0, 0)], tmp_path / "bag.tar", name="b", info={label: value})


def test_a_package_that_is_written_anew_has_to_be_the_one_that_was_sealed(
    source: Path, tmp_path: Path
) -> None:
    """Every file is right, and what goes round them is not: what stands there is left as it is."""
    destination = tmp_path / "bag-1.tar"
    sealed = seal(source, destination)
    destination.write_bytes(b"rotten")
    files, rotten, later = scan(source), facts_of(destination), INFO | {"Bagging-Date": "2026-03-02"}
    wanted: dict[str, Any] = {"name": "bag-1", "sealed_sha256": sealed.sha256, "replacing": rotten}
    with pytest.raises(PackageDiffers) as caught:
        write_bag(source, files, destination, info=later, **wanted)
    assert sealed.sha256 in caught.value.problem.reason
    assert destination.read_bytes() == b"rotten"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["bag-1.tar"]
    write_bag(source, files, destination, info=INFO, **wanted)
    assert hashlib.sha256(destination.read_bytes()).hexdigest() == sealed.sha256
