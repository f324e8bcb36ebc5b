import errno
import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Never

import pytest

from contracts.transfers import MovedPackage
from libs.errors import Retriable, UserError
from libs.packaging import BagDamaged, BagFault, BagProblem, InspectedBag, PackagingCancelled, inspect_bag
from services.verifier import examining
from services.verifier.examining import Damaged, Identity, Intact, Verdict, examine, identify
from services.verifier.quarantine import FOLDER, clear_old, set_aside
from tests.support.sealed import flip, seal


def unheard(done: int) -> None:
    del done


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "cologne-buffer"
    folder.mkdir()
    return folder


@pytest.fixture
def moved(root: Path) -> MovedPackage:
    one = seal(root, "chile")
    return MovedPackage(package=one.package, origin_path=one.path, path=one.path)


def examined(root: Path, moved: MovedPackage) -> Verdict:
    return examine(root, moved, unheard, threading.Event())


def codes(verdict: Verdict) -> list[str]:
    assert isinstance(verdict, Damaged)
    return [problem.code for problem in verdict.problems]


def test_files_in_folders_of_any_name_are_verified(root: Path, moved: MovedPackage) -> None:
    read: list[int] = []
    assert examine(root, moved, read.append, threading.Event()) == Intact()
    assert read[-1] == moved.package.size


def test_a_truncated_package_is_damaged(root: Path, moved: MovedPackage) -> None:
    os.truncate(root / moved.path, moved.package.size - 512)
    assert "truncated" in codes(examined(root, moved)) or "package_size" in codes(examined(root, moved))


def test_an_intact_tar_that_is_another_one_is_damaged(root: Path, moved: MovedPackage) -> None:
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
    moved = MovedPackage(package=one.package, origin_path=one.path, path=one.path)
    assert codes(examined(root, moved)) == ["package_checksum", "file_checksum", "file_checksum"]


def test_a_missing_file_has_no_checksum(root: Path, moved: MovedPackage) -> None:
    (root / moved.path).unlink()
    verdict = examined(root, moved)
    assert codes(verdict) == ["package_missing"]
    assert isinstance(verdict, Damaged)
    assert verdict.identity is None


def test_a_folder_in_the_place_of_the_package_is_damage(root: Path, moved: MovedPackage) -> None:
    (root / moved.path).unlink()
    (root / moved.path).mkdir()
    assert codes(examined(root, moved)) == ["package_unreadable"]


def test_a_link_in_the_place_of_the_package_is_not_followed(root: Path, moved: MovedPackage) -> None:
    (root / moved.path).rename(root / "elsewhere.tar")
    (root / moved.path).symlink_to(root / "elsewhere.tar")
    with pytest.raises(UserError):
        examined(root, moved)


@pytest.mark.parametrize("away", ["root", "top folder"])
def test_a_location_that_is_away_condemns_nothing(root: Path, moved: MovedPackage, away: str) -> None:
    (root if away == "root" else root / "packages").rename(root.with_name("away"))
    with pytest.raises(Retriable) as caught:
        examined(root, moved)
    assert caught.value.problem.code == "location_missing"


def test_a_disk_that_fails_to_read_condemns_nothing(
    root: Path, moved: MovedPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> Never:
        raise BagDamaged([BagProblem(BagFault.PACKAGE_UNREADABLE, "", os.strerror(errno.EIO))])

    monkeypatch.setattr(examining, "inspect_bag", failing)
    with pytest.raises(Retriable) as caught:
        examined(root, moved)
    assert caught.value.problem.code == "storage_unavailable"


def test_a_stale_handle_condemns_nothing(
    root: Path, moved: MovedPackage, monkeypatch: pytest.MonkeyPatch
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
    root: Path, moved: MovedPackage, monkeypatch: pytest.MonkeyPatch
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


def test_a_stop_ends_the_reading(root: Path, moved: MovedPackage) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(PackagingCancelled):
        examine(root, moved, unheard, stop)


def test_an_event_stays_small_however_much_is_wrong(
    root: Path, moved: MovedPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def awful(*_: object, **__: object) -> Never:
        raise BagDamaged([BagProblem(BagFault.FILE_CHECKSUM, f"file {n}", "differs") for n in range(900)])

    monkeypatch.setattr(examining, "inspect_bag", awful)
    told = codes(examined(root, moved))
    assert len(told) == examining.MOST_PROBLEMS + 1
    assert told[-1] == "more_problems"


def identity_of(path: Path) -> Identity:
    found = identify(path)
    assert found is not None
    return found


def test_only_the_newest_damaged_arrival_is_kept(root: Path) -> None:
    for number in range(3):
        path = root / "packages" / f"{number}.tar"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        assert (
            set_aside(root, f"packages/{number}.tar", identity_of(path), "t")
            == root / FOLDER / f"t-{number}.tar"
        )
        assert not path.exists()
    assert [kept.name for kept in (root / FOLDER).iterdir()] == ["t-2.tar"]


def test_the_repaired_package_is_never_set_aside(root: Path) -> None:
    path = root / "x.tar"
    path.write_bytes(b"damaged")
    damaged = identity_of(path)
    path.unlink()
    path.write_bytes(b"repaired")
    assert set_aside(root, "x.tar", damaged, "t") is None
    assert path.read_bytes() == b"repaired"


def test_what_was_set_aside_goes_after_a_while(root: Path) -> None:
    assert clear_old(root, timedelta(0)) == 0
    path = root / "x.tar"
    path.write_bytes(b"damaged")
    set_aside(root, "x.tar", identity_of(path), "t")
    assert clear_old(root, timedelta(hours=1)) == 0
    assert clear_old(root, timedelta(seconds=-1)) == 1
    assert list((root / FOLDER).iterdir()) == []
