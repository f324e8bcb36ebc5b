"""Tries at a file: one gets the name, whoever was overtaken knows it, nothing comes back."""

import errno
import os
from pathlib import Path

import pytest

from libs.bus.fencing import Overtaken, overtaken, working_by
from libs.storage.deletion import end_tries_below
from libs.storage.exactly import FileFacts, facts_of
from libs.storage.partials import (
    Try,
    end_tries,
    journal_of,
    lock,
    new_partial,
    partials_among,
    tries_at,
    trying,
    write_whole,
)


class Ended:
    """An authority that has ended."""

    def check(self) -> None:
        raise overtaken("the claim has lapsed")

    def lose(self) -> None:
        """It has."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_try_becomes_the_file(tmp_path: Path) -> None:
    with trying(tmp_path / "a") as attempt:
        os.write(attempt.fd, b"data")
        assert not (tmp_path / "a").exists()
        attempt.publish(tmp_path / "a")
    assert (names(tmp_path), (tmp_path / "a").read_bytes()) == (["a"], b"data")


def test_a_try_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with trying(tmp_path / "a"):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names(tmp_path) == []


def test_a_successor_ends_the_tries_before_it_alive_or_dead(tmp_path: Path) -> None:
    final = tmp_path / "a"
    alive, dead = Try.new(final), Try.new(final)
    journal_of(alive.path).touch()
    dead.close()
    (tmp_path / ".a.partial").touch()
    (tmp_path / ".a.partial.journal").touch()
    with trying(final) as successor:
        assert names(tmp_path) == [successor.path.name]
        with pytest.raises(Overtaken):
            alive.check()
        with pytest.raises(Overtaken):
            alive.publish(final)
        successor.publish(final)
    with pytest.raises(Overtaken):
        alive.publish(final)
    alive.close()
    assert names(tmp_path) == ["a"]


def test_who_was_overtaken_says_nothing_else(tmp_path: Path) -> None:
    def fail() -> None:
        with trying(tmp_path / "a"):
            end_tries(tmp_path / "a")
            raise KeyError("what the successor has left behind looks wrong")

    with pytest.raises(Overtaken):
        fail()


def test_what_was_cleared_does_not_come_back(tmp_path: Path) -> None:
    """The folder may be gone as well."""
    final = tmp_path / "folder" / "a"
    final.parent.mkdir()
    paused = Try.new(final)
    end_tries(final)
    final.parent.rmdir()
    with pytest.raises(Overtaken):
        paused.publish(final)
    paused.close()
    assert names(tmp_path) == []


def test_without_a_claim_nothing_is_ended_or_begun(tmp_path: Path) -> None:
    other = Try.new(tmp_path / "a")

    def begin() -> None:
        with working_by(Ended()), trying(tmp_path / "a"):
            raise AssertionError("it must not begin")

    with pytest.raises(Overtaken):
        begin()
    other.check()
    assert names(tmp_path) == [other.path.name]
    other.close()


def test_a_claim_that_ends_between_the_two_looks_begins_nothing(tmp_path: Path) -> None:
    class EndsAtTheSecond(Ended):
        asked = 0

        def check(self) -> None:
            self.asked += 1
            if self.asked > 1:
                super().check()

    def begin() -> None:
        with working_by(EndsAtTheSecond()), trying(tmp_path / "a"):
            raise AssertionError("it must not begin")

    with pytest.raises(Overtaken):
        begin()
    assert names(tmp_path) == []


@pytest.mark.parametrize("links", [True, False])
def test_nothing_is_replaced_but_what_was_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    if not links:

        def unsupported(*_: object, **__: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "no links here")

        monkeypatch.setattr(os, "link", unsupported)
    final = tmp_path / "a"
    final.write_bytes(b"old")
    seen = facts_of(final)
    with trying(final) as attempt:
        os.write(attempt.fd, b"new")
        with pytest.raises(FileExistsError):
            attempt.publish(final)
        assert final.read_bytes() == b"old"
        attempt.publish(final, replacing=seen)
    assert (names(tmp_path), final.read_bytes()) == (["a"], b"new")
    with trying(tmp_path / "b") as attempt:
        attempt.publish(tmp_path / "b")
    assert names(tmp_path) == ["a", "b"]


def test_who_is_paused_at_the_last_moment_writes_nothing_over_its_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = tmp_path / "folder" / "a"
    write_whole(final, b"old")
    publish = Try.publish

    def overtaken_first(attempt: Try, path: Path, replacing: FileFacts | None = None) -> None:
        monkeypatch.undo()
        write_whole(final, b"newer")
        publish(attempt, path, replacing)

    monkeypatch.setattr(Try, "publish", overtaken_first)
    with pytest.raises(Overtaken):
        write_whole(final, b"older")
    assert (names(final.parent), final.read_bytes()) == (["a"], b"newer")


def test_a_try_is_locked_while_its_process_lives(tmp_path: Path) -> None:
    attempt = Try.new(tmp_path / "a")
    other = os.open(attempt.path, os.O_RDONLY)
    assert not lock(other)
    attempt.close()
    assert lock(other)
    os.close(other)


def test_tries_are_told_from_other_files(tmp_path: Path) -> None:
    final = tmp_path / "a.tar"
    mine = new_partial(final)
    others = [
        new_partial(tmp_path / "b.tar").name,
        new_partial(tmp_path / "a.tar.gz").name,
        "a.tar",
        ".a.tar",
        f"{mine.name}.old",
        ".a.tar.0123.partial",
        ".axtar.0123456789abcdef.partial",
    ]
    journal = journal_of(mine).name
    assert partials_among([*others, mine.name, journal], "a.tar") == [mine.name, journal]
    mine.touch()
    journal_of(mine).touch()
    assert tries_at(final) == [mine]


def test_long_names_have_room(tmp_path: Path) -> None:
    final = tmp_path / ("é" * 127)
    with trying(final) as attempt:
        journal_of(attempt.path).touch()
        assert tries_at(final) == [attempt.path]
        attempt.publish(final)
    end_tries(final)
    assert new_partial(final).name != new_partial(tmp_path / ("é" * 126 + "e")).name


def test_tries_are_ended_below_real_folders_only(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "deep/link").symlink_to(tmp_path / "outside")
    inside, outside = Try.new(tmp_path / "deep/a"), Try.new(tmp_path / "outside/a")
    journal_of(inside.path).touch()
    end_tries_below(tmp_path, "deep/a")
    end_tries_below(tmp_path, "deep/link/a")
    end_tries_below(tmp_path, "not/there")
    with pytest.raises(Overtaken):
        inside.check()
    outside.check()
    assert names(tmp_path / "deep") == ["link"]
    inside.close()
    outside.close()
