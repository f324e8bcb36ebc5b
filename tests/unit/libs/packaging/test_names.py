"""Paths that may travel, and their spelling in manifests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import UserError
from libs.packaging import PayloadFile, check_path, decode_name, encode_name


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("", "path_unsafe"),
        ("/etc/passwd", "path_unsafe"),
        ("../up", "path_unsafe"),
        ("a/../b", "path_unsafe"),
        ("a//b", "path_unsafe"),
        ("a/", "path_unsafe"),
        ("./a", "path_unsafe"),
        ("a\0b", "path_unsafe"),
        ("a\udcff", "name_not_utf8"),
        ("n" * 256, "name_too_long"),
        ("é" * 128, "name_too_long"),
        ("/".join(["d" * 200] * 21), "name_too_long"),
    ],
)
def test_paths_that_may_not_travel(path: str, code: str) -> None:
    with pytest.raises(UserError) as caught:
        check_path(path)
    assert caught.value.problem.code == code
    with pytest.raises(UserError):
        PayloadFile(path, 0, 0)


@pytest.mark.parametrize("path", ["a", "...", "..a/b..", "-n", "é" * 127, "n" * 255, " ", "a\nb", "~/x"])
def test_paths_that_may(path: str) -> None:
    assert check_path(path) == path


def test_scans_that_cannot_be() -> None:
    for size, mtime_ns in ((-1, 0), (0, 10**21)):
        with pytest.raises(UserError, match="scan_invalid"):
            PayloadFile("a", size, mtime_ns)


@pytest.mark.parametrize(
    ("path", "spelled"),
    [
        ("100%.fits", "100%.fits"),
        ("a\nb\rc", "a%0Ab%0Dc"),
        ("a%0Ab", "a%250Ab"),
        ("a%0db%", "a%250db%25"),
        ("a%25", "a%2525"),
        ("100%\n", "100%%0A"),
    ],
)
def test_spelling(path: str, spelled: str) -> None:
    assert encode_name(path) == spelled
    assert decode_name(spelled) == path


@given(st.text(alphabet="%025aAdD\n\rx", max_size=12))
def test_no_spelling_loses_anything(path: str) -> None:
    spelled = encode_name(path)
    assert decode_name(spelled) == path
    assert "\n" not in spelled
    assert "\r" not in spelled
