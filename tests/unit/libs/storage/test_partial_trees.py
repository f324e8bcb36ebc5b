"""Tries at folders: a successor ends them at once, whatever their process does when it wakes."""

import os
from pathlib import Path

import pytest

from libs.bus.fencing import Overtaken, overtaken, working_by
from libs.storage.partial_trees import TreeTry, end_tree_tries, tree_tries_among, trying_tree


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_has_not_found_its_place_is_gone_at_the_end(tmp_path: Path) -> None:
    with trying_tree("bag", tmp_path / "job") as attempt:
        (attempt.tree / "a").write_bytes(b"x")
        (attempt.tree / "b").write_bytes(b"x")
        (attempt.tree / "a").rename(tmp_path / "a")
    assert names(tmp_path) == ["a"]


def test_a_successor_ends_the_tries_before_it_alive_or_dead(tmp_path: Path) -> None:
    job = tmp_path / "job"
    alive, dead = TreeTry.new("bag", job), TreeTry.new("bag", job)
    others = [TreeTry.new("other", job), TreeTry.new("bag", tmp_path / "job2")]
    (alive.tree / "deep").mkdir()
    (alive.tree / "deep" / "a").write_bytes(b"x")
    dead.close()
    of_an_older_version = tmp_path / alive.path.name.replace(alive.path.name[-25:], ".partial")
    (of_an_older_version / "payload").mkdir(parents=True)
    with trying_tree("bag", job) as successor:
        assert names(tmp_path) == sorted(one.path.name for one in (successor, *others))
        with pytest.raises(Overtaken):
            alive.check()
        with pytest.raises(FileNotFoundError):
            alive.tree.rename(job)
        successor.check()
    alive.discard()
    alive.close()
    for one in others:
        one.check()
        one.close()


def test_who_was_overtaken_says_nothing_else(tmp_path: Path) -> None:
    def fail() -> None:
        with trying_tree("bag", tmp_path / "job"):
            end_tree_tries("bag", tmp_path / "job")
            raise KeyError("what the successor has left behind looks wrong")

    with pytest.raises(Overtaken):
        fail()
    assert names(tmp_path) == []


def test_without_a_claim_nothing_is_ended_or_begun(tmp_path: Path) -> None:
    class Ended:
        def check(self) -> None:
            raise overtaken("the claim has lapsed")

        def lose(self) -> None:
            """It has."""

    other = TreeTry.new("bag", tmp_path / "job")

    def begin() -> None:
        with working_by(Ended()), trying_tree("bag", tmp_path / "job"):
            raise AssertionError("it must not begin")

    with pytest.raises(Overtaken):
        begin()
    other.check()
    assert names(tmp_path) == [other.path.name]
    other.close()


def test_who_wakes_in_the_middle_of_its_end_and_writes_on_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = TreeTry.new("bag", tmp_path / "job")
    (attempt.tree / "deep").mkdir()
    awake = os.open(attempt.tree / "deep", os.O_RDONLY)
    rmdir = os.rmdir
    written: list[str] = []

    def written_to_at_the_last_moment(path: str, *, dir_fd: int | None = None) -> None:
        if len(written) < 3:
            written.append(f"{len(written)}")
            os.close(os.open(written[-1], os.O_CREAT | os.O_WRONLY, dir_fd=awake))
        rmdir(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", written_to_at_the_last_moment)
    end_tree_tries("bag", tmp_path / "job")
    assert (len(written), names(tmp_path)) == (3, [])
    with pytest.raises(FileNotFoundError):
        os.open("late", os.O_CREAT | os.O_WRONLY, dir_fd=awake)
    os.close(awake)
    attempt.close()


def test_tries_are_found_by_the_folder_that_they_are_for(tmp_path: Path) -> None:
    mine = [TreeTry.new(what, tmp_path / "job") for what in ("a", "b" * 200)]
    other = TreeTry.new("a", tmp_path / "other")
    found = [*names(tmp_path), "job", ".job.deleting", ".old.partial"]
    assert sorted(tree_tries_among(found, "job")) == sorted(one.path.name for one in mine)
    for one in (*mine, other):
        one.close()
