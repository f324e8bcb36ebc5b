import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import UserError
from libs.storage.paths import SymlinkPolicy, resolve_inside, split_relative


def code_of(relative: str, root: Path, symlinks: SymlinkPolicy = SymlinkPolicy.REFUSE) -> str:
    with pytest.raises(UserError) as caught:
        resolve_inside(root, relative, symlinks)
    return caught.value.problem.code


@pytest.mark.parametrize(
    ("relative", "code"),
    [
        ("", "path_invalid"),
        ("a\0b", "path_invalid"),
        ("/etc/passwd", "path_absolute"),
        ("..", "path_outside"),
        ("a/../../b", "path_outside"),
        ("a/..", "path_outside"),
        ("a//b", "path_invalid"),
        ("a/", "path_invalid"),
        (".", "path_invalid"),
        ("./a", "path_invalid"),
        ("x" * 256, "path_invalid"),
        ("é" * 128, "path_invalid"),
        ("d/" * 2100 + "f", "path_invalid"),
        ("\udc80", "path_invalid"),
    ],
)
def test_refused_names(tmp_path: Path, relative: str, code: str) -> None:
    assert code_of(relative, tmp_path) == code


@pytest.mark.parametrize(
    "relative", ["a", "-rf", "a b/c\nd", "ünïcödé/文件.fits", "x" * 255, "...", "..a/b..", "~", "a\\b"]
)
def test_kept_names(tmp_path: Path, relative: str) -> None:
    assert resolve_inside(tmp_path, relative) == tmp_path / relative


def test_any_symlink_is_refused_by_default(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert code_of("link/file", tmp_path) == "path_symlink"
    assert code_of("link", tmp_path) == "path_symlink"


def test_dangling_symlink_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    assert code_of("link", tmp_path) == "path_symlink"


def test_symlink_may_stay_inside_on_request(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / "inside").symlink_to("real")
    (root / "outside").symlink_to(tmp_path)
    (root / "chain").symlink_to("outside")
    assert resolve_inside(root, "inside/f", SymlinkPolicy.INSIDE) == root / "inside/f"
    assert code_of("outside/f", root, SymlinkPolicy.INSIDE) == "path_symlink"
    assert code_of("chain", root, SymlinkPolicy.INSIDE) == "path_symlink"


def test_root_may_be_reached_through_a_symlink(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "mount").symlink_to("disk")
    root = tmp_path / "mount"
    assert resolve_inside(root, "f") == root / "f"
    assert resolve_inside(root, "f", SymlinkPolicy.INSIDE) == root / "f"


@given(st.text(alphabet=st.sampled_from("a./\0~é -\n"), max_size=12))
def test_what_is_let_through_stays_below_the_root(relative: str) -> None:
    try:
        parts = split_relative(relative)
    except UserError:
        return
    joined = os.path.normpath("/root/below/" + "/".join(parts))
    assert joined.startswith("/root/below/")
    assert joined == "/root/below/" + relative
