import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Never

import pytest

from contracts.bundles import BundledPackage
from contracts.problems import Problem
from libs.copies import examining
from libs.copies.examining import Damaged, Intact, Verdict, examine
from libs.errors import Retriable, UserError
from libs.packaging import BagDamaged, BagFault, BagProblem, InspectedBag, PackagingCancelled, inspect_bag
from tests.support.badsector import bad_sector
from tests.support.sealed import flip, seal


def unheard(done: int) -> None:
    del done


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "cologne-buffer"
    folder.mkdir()
    return folder


@pytest.fixture
def moved(root: Path) -> BundledPackage:
    return seal(root, "chile")


def examined(
    root: Path,
    moved: BundledPackage,
    read: Callable[[int], None] = unheard,
    stop: threading.Event | None = None,
) -> Verdict:
    stop = stop or threading.Event()
    return examine(root, moved.path, moved.package, read=read, stop=stop, remedy="Nothing.")


def codes(verdict: Verdict) -> list[str]:
    assert isinstance(verdict, Damaged)
    return [problem.code for problem in verdict.problems]


def test_files_in_folders_of_any_name_are_verified(root: Path, moved: BundledPackage) -> None:
    read: list[int] = []
    assert examined(root, moved, read.append) == Intact()
    assert read[-1] == moved.package.size


def test_a_truncated_package_is_damaged(root: Path, moved: BundledPackage) -> None:
    os.truncate(root / moved.path, moved.package.size - 512)
    assert "truncated" in codes(examined(root, moved)) or "package_size" in codes(examined(root, moved))


def test_an_intact_tar_that_is_another_one_is_damaged(root: Path, moved: BundledPackage) -> None:
    """Whole in itself, with every file right, but not the package that was sealed."""
    other = seal(root, "chile", {"a.fits": b"Z" * 5000}, name=moved.package.name)
    (root / other.path).replace(root / moved.path)
    assert set(codes(examined(root, moved))) == {"package_size", "package_checksum"}


def test_two_files_that_swapped_contents_are_noticed(root: Path) -> None:
    one = seal(root, "chile", {"a": b"1" * 512, "b": b"2" * 512})
    path = root / one.path
    data = path.read_bytes()
    a, b = data.index(b"1" * 512), data.index(b"2" * 512)
    swapped = bytearray(data)
    swapped[a : a + 512], swapped[b : b + 512] = b"2" * 512, b"1" * 512
    path.write_bytes(swapped)
    assert codes(examined(root, one)) == ["package_checksum", "file_checksum", "file_checksum"]


def test_a_missing_file_has_no_checksum(root: Path, moved: BundledPackage) -> None:
    (root / moved.path).unlink()
    verdict = examined(root, moved)
    assert codes(verdict) == ["package_missing"]
    assert isinstance(verdict, Damaged)
    assert verdict.identity is None


def test_a_folder_in_the_place_of_the_package_is_damage(root: Path, moved: BundledPackage) -> None:
    (root / moved.path).unlink()
    (root / moved.path).mkdir()
    assert codes(examined(root, moved)) == ["package_unreadable"]


def test_a_link_in_the_place_of_the_package_is_not_followed(root: Path, moved: BundledPackage) -> None:
    (root / moved.path).rename(root / "elsewhere.tar")
    (root / moved.path).symlink_to(root / "elsewhere.tar")
    with pytest.raises(UserError):
        examined(root, moved)


@pytest.mark.parametrize("away", ["root", "top folder"])
def test_a_location_that_is_away_condemns_nothing(root: Path, moved: BundledPackage, away: str) -> None:
    (root if away == "root" else root / "packages").rename(root.with_name("away"))
    with pytest.raises(Retriable) as caught:
        examined(root, moved)
    assert caught.value.problem.code == "location_missing"


def test_a_disk_that_fails_to_read_condemns_nothing(root: Path, moved: BundledPackage) -> None:
    with bad_sector(root / moved.path), pytest.raises(Retriable) as caught:
        examined(root, moved)
    assert caught.value.problem.code == "storage_unavailable"
    assert os.strerror(errno.EIO) in caught.value.problem.reason
    assert examined(root, moved) == Intact()


def test_a_stale_handle_condemns_nothing(
    root: Path, moved: BundledPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.lstat

    def stale(path: Path) -> os.stat_result:
        if path.suffix == ".tar":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path)

    monkeypatch.setattr(Path, "lstat", stale)
    monkeypatch.setattr(Path, "is_symlink", lambda _: False)
    with pytest.raises(Retriable) as caught:
        examined(root, moved)
    assert caught.value.problem.code == "storage_unavailable"


def test_what_was_replaced_while_it_was_read_is_read_again(
    root: Path, moved: BundledPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / moved.path
    whole = path.read_bytes()
    flip(path, 600)

    def overtaken(path: Path, *, expected_sha256: str, expected_size: int, **_: object) -> InspectedBag:
        try:
            return inspect_bag(path, expected_sha256=expected_sha256, expected_size=expected_size)
        finally:
            path.with_name("repaired").write_bytes(whole)
            path.with_name("repaired").replace(path)

    monkeypatch.setattr(examining, "inspect_bag", overtaken)
    with pytest.raises(Retriable) as caught:
        examined(root, moved)
    assert caught.value.problem.code == "package_replaced"
    assert examined(root, moved) == Intact()


def test_a_stop_ends_the_reading(root: Path, moved: BundledPackage) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(PackagingCancelled):
        examined(root, moved, stop=stop)


def test_an_event_stays_small_however_much_is_wrong(
    root: Path, moved: BundledPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def awful(*_: object, **__: object) -> Never:
        raise BagDamaged([BagProblem(BagFault.FILE_CHECKSUM, f"file {n}", "differs") for n in range(900)])

    monkeypatch.setattr(examining, "inspect_bag", awful)
    told = codes(examined(root, moved))
    assert len(told) == examining.MOST_PROBLEMS + 1
    assert told[-1] == "more_problems"


def test_several_problems_are_summed_up_as_one() -> None:
    found = [Problem(code=f"code_{n}", reason=f"reason {n}", remedy=f"remedy {n}") for n in range(5)]
    summed = examining.summed(found)
    assert (summed.code, summed.remedy) == ("code_0", "remedy 0")
    assert summed.reason == "reason 0; reason 1; reason 2; and 2 more"
    assert examining.summed(found[:1]) == found[0]
