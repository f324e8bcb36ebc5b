"""Setting aside exactly what was found damaged, whatever came since."""

import os
from pathlib import Path

import pytest

from libs.bus.fencing import Overtaken, overtaken, working_by
from libs.copies.examining import Identity, identify
from services.verifier.quarantine import FOLDER, set_aside


class Ended:
    """An authority that has ended."""

    def check(self) -> None:
        raise overtaken("the claim has lapsed")

    def lose(self) -> None:
        """It has."""


def arrived(root: Path, data: bytes) -> Identity:
    """A package arrives, in the place of an earlier one if there is one."""
    path = root / "packages/a.tar"
    path.parent.mkdir(exist_ok=True)
    fresh = root / "fresh"
    fresh.write_bytes(data)
    fresh.rename(path)
    found = identify(path)
    assert found is not None
    return found


def test_a_repair_that_comes_at_the_last_moment_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = arrived(tmp_path, b"damaged")
    rename = os.rename

    def repaired_first(*names: Path) -> None:
        monkeypatch.undo()
        arrived(tmp_path, b"repaired")
        rename(*names)

    monkeypatch.setattr(os, "rename", repaired_first)
    assert set_aside(tmp_path, "packages/a.tar", damaged, "one") is None
    assert (tmp_path / "packages/a.tar").read_bytes() == b"repaired"
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_only_what_was_set_aside_earlier_goes(tmp_path: Path) -> None:
    first = set_aside(tmp_path, "packages/a.tar", arrived(tmp_path, b"first"), "one")
    second = set_aside(tmp_path, "packages/a.tar", arrived(tmp_path, b"second"), "two")
    assert first is not None
    assert second is not None
    assert [path.read_bytes() for path in (tmp_path / FOLDER).iterdir()] == [b"second"]


def test_who_was_overtaken_sets_nothing_aside(tmp_path: Path) -> None:
    damaged = arrived(tmp_path, b"damaged")

    def late() -> None:
        with working_by(Ended()):
            set_aside(tmp_path, "packages/a.tar", damaged, "one")

    with pytest.raises(Overtaken):
        late()
    assert (tmp_path / "packages/a.tar").exists()
