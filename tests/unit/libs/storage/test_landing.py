import hashlib
from pathlib import Path

from libs.storage.landing import Landing


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_kept_under_its_name_only_in_the_end(tmp_path: Path) -> None:
    landing = Landing(tmp_path / "new" / "f")
    assert landing.write([b"ab", b"c"]) == 3
    assert names(tmp_path / "new") != ["f"]
    assert (landing.size, landing.sha256) == (3, hashlib.sha256(b"abc").hexdigest())
    landing.keep()
    landing.discard()
    assert names(tmp_path / "new") == ["f"]
    assert (tmp_path / "new" / "f").read_bytes() == b"abc"


def test_discarded_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    landing = Landing(tmp_path / "f")
    landing.write([b"new"])
    landing.discard()
    assert names(tmp_path) == ["f"]
    assert (tmp_path / "f").read_bytes() == b"old"
