import os
from pathlib import Path

import pytest

from libs.copies.staged import PlacedFile, Standing, read_staged
from tests.support.placed import DATA, TIME_NS, placed


def standing(folder: Path, *files: PlacedFile) -> list[Standing]:
    return [one.standing for one in read_staged(folder, files)]


def test_what_stands_as_it_was_staged_is_whole(tmp_path: Path) -> None:
    files = [placed(tmp_path, path) for path in ("camera/a.fits", "camera/b/ü.fits", "c")]
    heard: list[int] = []
    assert [one.standing for one in read_staged(tmp_path, files, heard.append)] == [Standing.WHOLE] * 3
    assert sum(heard) == 3 * len(DATA)


def test_other_bytes_of_the_same_size_and_time_are_damage(tmp_path: Path) -> None:
    (reading,) = read_staged(tmp_path, [placed(tmp_path, "a", DATA.swapcase())])
    assert reading.standing is Standing.DAMAGED
    assert reading.facts is not None
    assert reading.facts.inode == (tmp_path / "a").stat().st_ino


@pytest.mark.parametrize(
    ("data", "mtime_ns"), [(DATA + b"more", TIME_NS), (DATA[1:], TIME_NS), (DATA, TIME_NS + 1)]
)
def test_another_size_or_time_is_somebodys_change(tmp_path: Path, data: bytes, mtime_ns: int) -> None:
    assert standing(tmp_path, placed(tmp_path, "a", data, mtime_ns)) == [Standing.CHANGED]


def test_what_is_no_file_is_never_followed_or_waited_for(tmp_path: Path) -> None:
    elsewhere = placed(tmp_path, "elsewhere/a")
    (tmp_path / "link").symlink_to("elsewhere/a")
    (tmp_path / "way").symlink_to("elsewhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    names = ("link", "way/a", "folder", "pipe", "elsewhere/a/deeper")
    wrong = [PlacedFile(name, elsewhere.size, TIME_NS, elsewhere.sha256) for name in names]
    assert standing(tmp_path, *wrong) == [Standing.CHANGED] * len(names)


def test_what_is_not_there_is_missing_and_so_is_all_of_a_folder(tmp_path: Path) -> None:
    gone = placed(tmp_path, "a")
    (tmp_path / "a").unlink()
    assert standing(tmp_path, gone, placed(tmp_path, "b")) == [Standing.MISSING, Standing.WHOLE]
    assert standing(tmp_path / "never", gone) == [Standing.MISSING]


def test_reading_ends_when_the_listener_says_so(tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        list(read_staged(tmp_path, [placed(tmp_path, "a")], stop))
