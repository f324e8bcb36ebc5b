import os
import stat
from pathlib import Path

import pytest

from libs.embedded.folder import FolderLock, chown_tree, kept_secret, make_private, write_private
from libs.errors import UserError


def test_a_secret_is_kept_and_private(tmp_path: Path) -> None:
    secret = kept_secret(tmp_path / "password")
    assert len(secret) >= 32
    assert kept_secret(tmp_path / "password") == secret
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600
    assert kept_secret(tmp_path / "other") != secret


def test_only_the_innermost_folder_is_made_private(tmp_path: Path) -> None:
    make_private(tmp_path / "outer" / "inner")
    assert stat.S_IMODE((tmp_path / "outer" / "inner").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "outer").stat().st_mode) & 0o055


def test_a_file_left_by_a_killed_writer_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".nats.conf.new").write_text("half")
    write_private(tmp_path / "nats.conf", "whole")
    assert (tmp_path / "nats.conf").read_text() == "whole"
    assert list(tmp_path.iterdir()) == [tmp_path / "nats.conf"]


async def test_a_folder_in_use_names_its_holder(tmp_path: Path) -> None:
    lock = await FolderLock.take(tmp_path)
    with pytest.raises(UserError, match=str(os.getpid())) as caught:
        await FolderLock.take(tmp_path)
    assert caught.value.problem.code == "folder_in_use"
    lock.release()
    (await FolderLock.take(tmp_path)).release()


async def test_processes_of_a_dead_starter_are_waited_for(tmp_path: Path) -> None:
    lock = await FolderLock.take(tmp_path)
    no_process = 2**22 + 1
    os.pwrite(lock.fd, f"{no_process}\n".encode(), 0)
    with pytest.raises(UserError, match=str(no_process)):
        await FolderLock.take(tmp_path, patience_s=0.1)
    lock.release()


def test_a_tree_that_belongs_to_its_user_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = (tmp_path / "file").stat().st_ctime_ns
    chown_tree(tmp_path, os.geteuid(), os.getegid())
    chown_tree(tmp_path / "missing", os.geteuid(), os.getegid())
    assert (tmp_path / "file").stat().st_ctime_ns == before
