"""Only the file that was looked at goes, at whatever moment another one takes its place or the process is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.storage.deletion import Deleted, EmptiedFolders, delete_below, give_back_below
from libs.storage.exactly import FileFacts, facts_of, give_back, remove, take


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield handle
    os.close(handle)


def put(path: Path, data: bytes = b"old") -> FileFacts:
    """Write a file, a new one even where one stands."""
    fresh = path.with_name("fresh")
    fresh.write_bytes(data)
    fresh.rename(path)
    facts = facts_of(path)
    assert facts is not None
    return facts


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_very_file_goes(tmp_path: Path, folder: int) -> None:
    facts = put(tmp_path / "a")
    assert remove(folder, "a", facts)
    assert not remove(folder, "a", facts)
    assert names(tmp_path) == []


@pytest.mark.parametrize("data", [b"new", b"old"])
def test_a_file_that_took_its_place_stays_even_if_it_looks_the_same(
    tmp_path: Path, folder: int, data: bytes
) -> None:
    facts = put(tmp_path / "a")
    put(tmp_path / "a", data)
    os.utime(tmp_path / "a", ns=(facts.mtime_ns, facts.mtime_ns))
    assert not remove(folder, "a", facts)
    assert (names(tmp_path), (tmp_path / "a").read_bytes()) == (["a"], data)


def test_a_file_that_was_written_to_since_stays(tmp_path: Path, folder: int) -> None:
    facts = put(tmp_path / "a")
    with (tmp_path / "a").open("r+b") as file:
        file.write(b"OLD")
    os.utime(tmp_path / "a", ns=(facts.mtime_ns + 1, facts.mtime_ns + 1))
    assert not remove(folder, "a", facts)
    assert names(tmp_path) == ["a"]


def test_a_file_that_comes_between_the_look_and_the_deed_stays(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = put(tmp_path / "a")
    rename = os.rename

    def replaced_first(*args: object, **options: object) -> None:
        monkeypatch.undo()
        put(tmp_path / "a", b"new")
        rename(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", replaced_first)
    assert not remove(folder, "a", facts)
    assert (names(tmp_path), (tmp_path / "a").read_bytes()) == (["a"], b"new")


_KILLED = """
import os, signal, sys
from libs.storage import exactly

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

folder = os.open(sys.argv[1], os.O_RDONLY)
facts = exactly.facts_of(exactly.Path(sys.argv[1]) / "a")
if sys.argv[2] == "between":
    os.unlink = die
else:
    link = os.link
    other = exactly.FileFacts(0, 0, 0, 0)
    exactly._facts_at = lambda folder, name: other if name != "a" else facts
    os.link = lambda *a, **o: (link(*a, **o), die())
exactly.remove(folder, "a", facts)
"""


@pytest.mark.parametrize("moment", ["between", "while it is given back"])
def test_what_a_killed_process_has_taken_aside_gets_its_name_back(
    tmp_path: Path, folder: int, moment: str
) -> None:
    facts = put(tmp_path / "a")
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path), moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len([name for name in names(tmp_path) if name.endswith(".chasqui-deleting")]) == 1
    give_back(folder)
    assert (names(tmp_path), facts_of(tmp_path / "a")) == (["a"], facts)


def test_who_was_only_slow_takes_again_what_was_given_back(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = put(tmp_path / "a")
    unlink = os.unlink

    def given_back_first(*args: object, **options: object) -> None:
        monkeypatch.undo()
        give_back(folder)
        unlink(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "unlink", given_back_first)
    assert remove(folder, "a", facts)
    assert names(tmp_path) == []


def test_what_another_gives_back_before_it_was_compared_is_taken_again(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another deletion in the folder begins just then: the file is no other one for that."""
    facts = put(tmp_path / "a")
    rename = os.rename

    def given_back_at_once(*args: object, **options: object) -> None:
        monkeypatch.undo()
        rename(*args, **options)  # type: ignore[arg-type]
        give_back(folder)

    monkeypatch.setattr(os, "rename", given_back_at_once)
    assert remove(folder, "a", facts)
    assert names(tmp_path) == []


def test_nothing_is_replaced_when_a_name_is_given_back(tmp_path: Path, folder: int) -> None:
    aside = take(folder, "a", put(tmp_path / "a"))
    assert aside is not None
    put(tmp_path / "a", b"new")
    give_back(folder)
    assert names(tmp_path) == sorted([aside, "a"])
    assert ((tmp_path / "a").read_bytes(), (tmp_path / aside).read_bytes()) == (b"new", b"old")


def test_a_name_without_room_for_another_one_goes_too(tmp_path: Path, folder: int) -> None:
    name = "n" * 250
    facts = put(tmp_path / name)
    put(tmp_path / "other")
    assert remove(folder, name, facts)
    assert names(tmp_path) == ["other"]


def test_a_deletion_says_that_another_file_has_the_name(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    facts = put(tmp_path / "deep/a")
    put(tmp_path / "deep/a", b"new")
    assert delete_below(tmp_path, "deep/a", EmptiedFolders.REMOVE, facts) is Deleted.REPLACED
    now = facts_of(tmp_path / "deep/a")
    assert delete_below(tmp_path, "deep/a", EmptiedFolders.REMOVE, now) is Deleted.REMOVED
    assert delete_below(tmp_path, "deep/a", EmptiedFolders.REMOVE, now) is Deleted.ALREADY_GONE
    assert names(tmp_path) == []


def test_names_are_given_back_below_real_folders_only(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (outside / ".a.0123456789abcdef.chasqui-deleting").touch()
    (root / "link").symlink_to(outside)
    give_back_below(root, "link")
    give_back_below(root, "not/there")
    assert names(outside) == [".a.0123456789abcdef.chasqui-deleting"]
