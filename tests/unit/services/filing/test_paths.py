from pathlib import Path

from services.filing.paths import PathChecker


def test_every_way_out_is_found(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    (root / "cam" / "night").mkdir(parents=True)
    (root / "cam" / "out").symlink_to(tmp_path)
    (root / "cam" / "night" / "link.fits").symlink_to("a.fits")
    bad = {
        "../other/x": "path_outside",
        "night/../../x": "path_outside",
        "/etc/passwd": "path_absolute",
        "out/x": "path_symlink",
        "out/deep/x": "path_symlink",
        "night/link.fits": "path_symlink",
        "night//x": "path_invalid",
        "./x": "path_invalid",
        "x" * 256: "path_invalid",
        "x\0": "path_invalid",
    }
    good = ["night/a.fits", "not/yet/there", "-dash", "with\nnewline", "é" * 100, "x" * 255]

    problems = PathChecker(root, "cam").problems([*bad, *good])

    assert {path: problem.code for path, problem in problems.items()} == bad


def test_an_instruments_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cam").symlink_to("/etc")
    assert PathChecker(tmp_path, "cam").problems(["passwd"])["passwd"].code == "path_symlink"


def test_a_path_that_is_too_long_with_its_folder_is_refused(tmp_path: Path) -> None:
    path = "/".join(["d" * 200] * 20) + "/" + "f" * 70
    assert PathChecker(tmp_path, "c" * 200).problems([path])[path].code == "path_invalid"
