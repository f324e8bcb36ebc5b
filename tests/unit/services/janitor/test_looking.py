import hashlib
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from libs.storage.exactly import FileFacts
from services.janitor import looking
from services.janitor.facts import OnDisk, Sight, World
from services.janitor.looking import Glance, inspect, look, read
from tests.support.worlds import archive, code, package, retention, source, world

DATA = b"precious" * 1000
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c" / "f"
    path.parent.mkdir()
    path.write_bytes(DATA)
    return path


def seen_at(root: Path) -> tuple[Glance, OnDisk]:
    found = look(root, "c/f")
    assert isinstance(found.seen, OnDisk)
    return found, found.seen


def around(policy: str, planned_at: datetime | None = None) -> World:
    facts = package(archive(), planned_at=planned_at or datetime.now(UTC) + timedelta(hours=1))
    return world(facts, retention=retention(verify_before_delete=policy))


def test_looking_tells_what_is_there(tmp_path: Path, file: Path) -> None:
    facts = file.stat()
    seen = OnDisk(len(DATA), facts.st_mtime_ns, facts.st_ctime_ns)
    assert look(tmp_path, "c/f") == Glance(seen, FileFacts.of(facts))
    assert look(tmp_path, "c/g") == Glance(Sight.GONE)
    assert look(tmp_path, "c/f/g") == Glance(Sight.GONE)
    assert look(tmp_path, "c") == Glance(Sight.NOT_REGULAR)


def test_reading_tells_the_checksum(tmp_path: Path, file: Path) -> None:
    assert file.is_file()
    found, seen = seen_at(tmp_path)
    assert read(tmp_path, "c/f", found) == replace(found, seen=replace(seen, sha256=SHA))


def test_a_file_that_changes_while_it_is_read_has_no_checksum(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "BLOCK", 1000)
    glance, seen = seen_at(tmp_path)

    def writing() -> bool:
        with file.open("r+b") as other:
            other.write(b"PRECIOUS")
        os.utime(file, ns=(seen.mtime_ns, seen.mtime_ns))
        return False

    found = read(tmp_path, "c/f", glance, writing).seen
    assert isinstance(found, OnDisk)
    assert found.sha256 is None
    assert found.ctime_ns != seen.ctime_ns


def test_a_file_that_is_replaced_before_it_is_read_has_no_checksum(tmp_path: Path, file: Path) -> None:
    glance, seen = seen_at(tmp_path)
    other = file.with_name("other")
    other.write_bytes(DATA)
    os.utime(other, ns=(seen.mtime_ns, seen.mtime_ns))
    other.replace(file)
    found = read(tmp_path, "c/f", glance).seen
    assert isinstance(found, OnDisk)
    assert found.sha256 is None


def test_what_goes_away_or_becomes_a_link_is_not_followed(tmp_path: Path, file: Path) -> None:
    glance, _ = seen_at(tmp_path)
    file.rename(file.with_name("moved"))
    assert read(tmp_path, "c/f", glance).seen is Sight.GONE
    file.symlink_to(file.with_name("moved"))
    assert read(tmp_path, "c/f", glance).seen is Sight.NOT_REGULAR


def test_reading_ends_when_it_is_told_to(tmp_path: Path, file: Path) -> None:
    assert file.is_file()
    found = read(tmp_path, "c/f", look(tmp_path, "c/f"), lambda: True).seen
    assert isinstance(found, OnDisk)
    assert found.sha256 is None


@pytest.mark.parametrize(
    ("policy", "later", "is_read"),
    [("none", False, False), ("touched", True, False), ("touched", False, True), ("checksum", True, True)],
)
def test_a_file_is_read_only_where_that_is_wanted(
    file: Path, policy: str, later: bool, is_read: bool
) -> None:
    facts = file.stat()
    copy = source(size=facts.st_size, mtime_ns=facts.st_mtime_ns, sha256=SHA, seen=Sight.NOT_LOOKED)
    planned = datetime.now(UTC) + timedelta(hours=1 if later else -1)
    found = inspect(file.parent.parent, copy, around(policy, planned))
    assert isinstance(found.seen, OnDisk)
    assert found.seen.sha256 == (SHA if is_read else None)


@pytest.mark.parametrize(
    ("policy", "expected"), [("none", "yes"), ("touched", "content_changed"), ("checksum", "content_changed")]
)
def test_what_was_written_anew_with_its_old_size_and_time_is_found(
    file: Path, policy: str, expected: str
) -> None:
    facts = file.stat()
    copy = source(size=facts.st_size, mtime_ns=facts.st_mtime_ns, sha256=SHA, seen=Sight.NOT_LOOKED)
    planned = datetime.fromtimestamp(facts.st_ctime_ns / 1e9, UTC) + timedelta(milliseconds=1)
    file.write_bytes(DATA)
    while (
        file.stat().st_ctime_ns <= planned.timestamp() * 1e9
    ):  # the clock of inodes ticks some hundred times a second
        file.write_bytes(DATA)
    file.write_bytes(b"Precious" * 1000)
    os.utime(file, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    worlds = around(policy, planned)
    seen = inspect(file.parent.parent, copy, worlds).seen
    assert code(replace(copy, seen=seen), worlds) == expected
