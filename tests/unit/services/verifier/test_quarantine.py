"""Damaged arrivals are moved out of the way of their repair, and only they."""

from datetime import timedelta
from pathlib import Path

import pytest

from libs.copies.examining import Identity, identify
from services.verifier.quarantine import FOLDER, clear_old, set_aside


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "cologne-buffer"
    folder.mkdir()
    return folder


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
