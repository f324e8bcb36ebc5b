import hashlib
import os
from pathlib import Path

import pytest

from libs.copies.staged import PlacedFile, Standing, read_staged

DATA = b"as the instrument wrote it"
TIME_NS = 1_700_000_000_123_456_789


def staged(folder: Path, path: str, data: bytes = DATA, mtime_ns: int = TIME_NS) -> PlacedFile:
    """A file of these bytes and this time stands there; what should is `DATA` of `TIME_NS`."""
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    os.utime(place, ns=(mtime_ns, mtime_ns))
    return PlacedFile(path, len(DATA), TIME_NS, hashlib.sha256(DATA).hexdigest())


def standing(folder: Path, *files: PlacedFile) -> list[Standing]:
    return [one.standing for one in read_staged(folder, files)]


def test_what_stands_as_it_was_staged_is_whole(tmp_path: Path) -> None:
    files = [staged(tmp_path, path) for path in ("camera/a.fits", "camera/b/ü.fits", "c")]
    heard: list[int] = []
    assert [one.standing for one in read_staged(tmp_path, files, heard.append)] == [Standing.WHOLE] * 3
    assert sum(heard) == 3 * len(DATA)


def test_other_bytes_of_the_same_size_and_time_are_damage(tmp_path: Path) -> None:
    (reading,) = read_staged(tmp_path, [staged(tmp_path, "a", DATA.swapcase())])
    assert reading.standing is Standing.DAMAGED
    assert reading.facts is not None
    assert reading.facts.inode == (tmp_path / "a").stat().st_ino


@pytest.mark.parametrize(
    ("data", "mtime_ns"), [(DATA + b"more", TIME_NS), (DATA[1:], TIME_NS), (DATA, TIME_NS + 1)]
)
def test_another_size_or_time_is_somebodys_change(tmp_path: Path, data: bytes, mtime_ns: int) -> None:
    assert standing(tmp_path, staged(tmp_path, "a", data, mtime_ns)) == [Standing.CHANGED]


def test_what_is_no_file_is_never_followed_or_waited_for(tmp_path: Path) -> None:
    elsewhere = staged(tmp_path, "elsewhere/a")
    (tmp_path / "link").symlink_to("elsewhere/a")
    (tmp_path / "way").symlink_to("elsewhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    names = ("link", "way/a", "folder", "pipe", "elsewhere/a/deeper")
    wrong = [PlacedFile(name, elsewhere.size, TIME_NS, elsewhere.sha256) for name in names]
    assert standing(tmp_path, *wrong) == [Standing.CHANGED] * len(names)


def test_what_is_not_there_is_missing_and_so_is_all_of_a_folder(tmp_path: Path) -> None:
    gone = staged(tmp_path, "a")
    (tmp_path / "a").unlink()
    assert standing(tmp_path, gone, staged(tmp_path, "b")) == [Standing.MISSING, Standing.WHOLE]
    assert standing(tmp_path / "never", gone) == [Standing.MISSING]


def test_reading_ends_when_the_listener_says_so(tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        list(read_staged(tmp_path, [staged(tmp_path, "a")], stop))
