"""Unpacking: the same tree again, once, beside others, and nothing but verified files."""

import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.bus.fencing import Overtaken, overtaken, working_by
from libs.errors import Retriable, UserError
from libs.packaging import (
    BagDamaged,
    DestinationConflict,
    PackagingCancelled,
    PayloadFile,
    SealedBag,
    UnpackedBag,
    inspect_bag,
    placing,
    sealed_size,
    unpack_bag,
    write_bag,
)

Tree = dict[str, tuple[bytes, int]]
TREE: Tree = {
    "a.fits": (b"A" * 3000, 1_700_000_000_000_000_001),
    "night/b.fits": (b"B" * 10, -1),
    "night/deep/c é\n.fits": (b"", 0),
    "night/d": (os.urandom(9_000_000), 1_600_000_000_500_000_000),
}


def put(root: Path, tree: Tree) -> list[PayloadFile]:
    for path, (content, mtime_ns) in tree.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        os.utime(target, ns=(mtime_ns, mtime_ns))
    return [PayloadFile(path, len(content), mtime_ns) for path, (content, mtime_ns) in tree.items()]


def seen(root: Path) -> Tree:
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if not path.is_dir()
    }


def seal(folder: Path, tree: Tree, name: str = "bag") -> SealedBag:
    files = put(folder / f"source-{name}", tree)
    return write_bag(folder / f"source-{name}", files, folder / f"{name}.tar", name=name, info={})


@pytest.fixture
def bag(tmp_path: Path) -> SealedBag:
    return seal(tmp_path, TREE)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "processing" / "observation"


def alone(out: Path) -> bool:
    """Whether nothing but the destination is left beside it."""
    return [path.name for path in out.parent.iterdir()] == [out.name]


def test_the_tree_comes_back_with_its_times(bag: SealedBag, out: Path) -> None:
    done = unpack_bag(bag.path, out, expected_sha256=bag.sha256, expected_size=bag.size)
    assert seen(out) == TREE
    assert done.bag.files == bag.files
    assert (set(done.written), done.already_there) == (set(TREE), ())
    assert alone(out)
    assert out.stat().st_mode & 0o777 == (out / "night").stat().st_mode & 0o777 == 0o755
    assert (out / "a.fits").stat().st_mode & 0o777 == 0o644


def test_modes_do_not_depend_on_the_umask(bag: SealedBag, out: Path) -> None:
    before = os.umask(0o077)
    try:
        unpack_bag(bag.path, out)
    finally:
        os.umask(before)
    assert (out / "night/deep").stat().st_mode & 0o777 == 0o755
    assert (out / "night/b.fits").stat().st_mode & 0o777 == 0o644


class Dribble:
    """A download that hands out as little as it likes."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        self.closed = self._stream.close
        self._turn = 0

    def read(self, size: int, /) -> bytes:
        self._turn += 1
        return self._stream.read(min(size, 1 + self._turn * 7919 % 100_000))


def test_a_stream_that_dribbles_is_as_good_as_a_file(bag: SealedBag, out: Path) -> None:
    stream = Dribble(bag.path)
    done = unpack_bag(stream, out, expected_sha256=bag.sha256)
    stream.closed()
    assert done.bag.sha256 == bag.sha256
    assert seen(out) == TREE


def test_a_stream_from_an_open_file_is_left_open(bag: SealedBag, out: Path) -> None:
    with bag.path.open("rb") as stream:
        unpack_bag(stream, out)
        assert not stream.closed
    assert seen(out) == TREE


class Breaking(Dribble):
    """A download whose connection breaks."""

    def read(self, size: int, /) -> bytes:
        if self._turn == 3:
            raise ConnectionResetError(104, "Connection reset by peer")
        return super().read(size)


def test_a_stream_that_breaks_is_retriable_and_leaves_nothing(bag: SealedBag, out: Path) -> None:
    stream = Breaking(bag.path)
    with pytest.raises(Retriable, match="source_unavailable"):
        unpack_bag(stream, out)
    stream.closed()
    assert not out.exists()


def test_a_repeat_changes_nothing(bag: SealedBag, out: Path) -> None:
    unpack_bag(bag.path, out)
    inode = (out / "a.fits").stat().st_ino
    os.utime(out / "a.fits")
    again = unpack_bag(bag.path, out)
    assert (again.written, set(again.already_there)) == ((), set(TREE))
    assert (out / "a.fits").stat().st_ino == inode
    assert seen(out) == TREE
    assert alone(out)


def test_only_what_was_asked_for(bag: SealedBag, out: Path) -> None:
    assert unpack_bag(bag.path, out, only={"night/b.fits"}).written == ("night/b.fits",)
    assert list(seen(out)) == ["night/b.fits"]
    assert set(unpack_bag(bag.path, out).written) == set(TREE) - {"night/b.fits"}
    assert seen(out) == TREE


def test_asking_for_what_is_not_there(bag: SealedBag, out: Path) -> None:
    with pytest.raises(UserError, match="path_not_in_package"):
        unpack_bag(bag.path, out, only={"a.fits", "b"})
    assert not out.exists()


@pytest.mark.parametrize(
    "what", ["content", "same size", "folder", "link", "link on the way", "file on the way"]
)
def test_nothing_else_is_ever_overwritten(bag: SealedBag, out: Path, tmp_path: Path, what: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (out / "night").mkdir(parents=True)
    match what:
        case "content":
            (out / "a.fits").write_bytes(b"mine")
        case "same size":
            (out / "a.fits").write_bytes(b"a" * 3000)
        case "folder":
            (out / "a.fits").mkdir()
        case "link":
            (out / "a.fits").symlink_to(outside / "target")
        case "link on the way":
            (out / "night").rmdir()
            (out / "night").symlink_to(outside)
        case _:
            (out / "night").rmdir()
            (out / "night").write_bytes(b"mine")
    before = seen(out) if "link" not in what else None
    with pytest.raises(DestinationConflict) as caught:
        unpack_bag(bag.path, out)
    expected = {path for path in TREE if path.startswith("night/")} if "way" in what else {"a.fits"}
    assert {file.path for file in caught.value.files} == expected
    assert before is None or seen(out) == before
    assert list(outside.iterdir()) == []
    assert alone(out)


def test_packages_of_one_observation_meet_in_one_tree(tmp_path: Path, out: Path) -> None:
    trees: list[Tree] = [
        {f"night/{part}/{index}": (b"%d" % index, index) for index in range(40)} for part in range(6)
    ]
    bags = [seal(tmp_path, tree, f"part-{index}") for index, tree in enumerate(trees)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda bag: unpack_bag(bag.path, out), bags))
    assert seen(out) == {path: entry for tree in trees for path, entry in tree.items()}
    assert alone(out)


def test_of_two_runs_with_one_package_and_place_the_last_one_goes_on(bag: SealedBag, out: Path) -> None:
    done: list[UnpackedBag] = []

    def second(passed: int) -> None:
        if passed == bag.size:
            done.append(unpack_bag(bag.path, out))

    with pytest.raises(Overtaken):
        unpack_bag(bag.path, out, progress=second)
    assert set(done[0].written) == set(TREE)
    assert seen(out) == TREE
    assert alone(out)


@pytest.mark.parametrize("stage", ["writing", "placing"])
def test_who_was_overtaken_and_cleared_brings_nothing_back(
    bag: SealedBag, out: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Asleep while its successor unpacks, and the janitor clears."""
    asleep = 0

    def overtaken_now(*_: object) -> None:
        nonlocal asleep
        asleep += 1
        if asleep == 1:
            unpack_bag(bag.path, out)
            shutil.rmtree(out)
            out.mkdir()

    def run() -> None:
        if stage == "writing":
            unpack_bag(bag.path, out, progress=overtaken_now)
        else:
            out.mkdir(parents=True)
            monkeypatch.setattr(placing, "beat", overtaken_now)
            unpack_bag(bag.path, out)

    with pytest.raises(Overtaken):
        run()
    assert asleep
    assert seen(out) == {}
    assert alone(out)


def test_whose_claim_has_lapsed_puts_nothing_in_its_place(bag: SealedBag, out: Path) -> None:
    """A job may be given up without a successor that would have ended the try."""

    class Lapsing:
        lapsed = False

        def check(self) -> None:
            if self.lapsed:
                raise overtaken("the claim has lapsed")

        def lose(self) -> None:
            self.lapsed = True

    claim = Lapsing()

    def lapse_at_the_end(passed: int) -> None:
        claim.lapsed = passed == bag.size

    with working_by(claim), pytest.raises(Overtaken):
        unpack_bag(bag.path, out, progress=lapse_at_the_end)
    assert list(out.parent.iterdir()) == []


def test_who_is_paused_while_it_places_its_files_holds_nobody_up(
    bag: SealedBag, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two packages come into one place: each file stands once, and a file that both have is no conflict."""
    (same, content), *_ = TREE.items()
    other = seal(tmp_path, {"other.fits": (b"O", 1), same: content}, "other")
    turns = 0
    met: list[UnpackedBag] = []

    def meet() -> None:
        nonlocal turns
        turns += 1
        if turns == len(TREE):  # all others were looked at, and found not to be there
            met.append(unpack_bag(other.path, out))

    out.mkdir(parents=True)
    with monkeypatch.context() as patched:
        patched.setattr(placing, "beat", meet)
        first = unpack_bag(bag.path, out)
    assert set(met[0].written) == {"other.fits", same}
    assert first.already_there == (same,)
    assert seen(out) == {**TREE, "other.fits": (b"O", 1)}
    assert alone(out)


def test_a_leftover_of_a_killed_run_is_cleared(bag: SealedBag, out: Path, tmp_path: Path) -> None:
    names: list[str] = []

    def look(_done: int) -> None:
        names.extend(path.name for path in out.parent.iterdir())

    unpack_bag(bag.path, out, progress=look)
    leftover = out.parent / names[-1] / "payload" / "old"
    leftover.mkdir(parents=True)
    (leftover / "rest").write_bytes(b"x")
    (out.parent / names[-1] / "payload" / "a.fits").symlink_to(tmp_path)
    unpack_bag(bag.path, out)
    assert seen(out) == TREE
    assert alone(out)


_LIMITED = """
import resource, sys
from pathlib import Path
from libs.errors import Retriable
from libs.packaging import unpack_bag
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000))
try:
    unpack_bag(Path(sys.argv[1]), Path(sys.argv[2]))
except Retriable as error:
    print(error.problem.code)
"""


def test_a_full_disk_is_retriable_and_leaves_nothing(bag: SealedBag, out: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(bag.path), str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[4],
    )
    assert ran.stdout == "disk_full\n", ran.stderr
    assert list(out.parent.iterdir()) == []


def test_cancelled_leaves_nothing(bag: SealedBag, out: Path) -> None:
    stop = threading.Event()
    with pytest.raises(PackagingCancelled):
        unpack_bag(bag.path, out, progress=lambda _: stop.set(), cancelled=stop)
    assert list(out.parent.iterdir()) == []


def test_a_wrong_checksum_unpacks_nothing(bag: SealedBag, out: Path) -> None:
    with pytest.raises(BagDamaged):
        unpack_bag(bag.path, out, expected_sha256="0" * 64)
    assert list(out.parent.iterdir()) == []


_component = st.text(
    alphabet=st.one_of(
        st.sampled_from("ab% \n\r.-*'"), st.characters(exclude_categories=["Cs"], exclude_characters="/\0")
    ),
    min_size=1,
    max_size=20,
).filter(lambda part: part not in {".", ".."} and len(part.encode()) <= 255)
_path = st.lists(_component, min_size=1, max_size=4).map("/".join)
_mtime = st.integers((2 - 2**31) * 10**9, 2**33 * 10**9)  # what ext4 can hold
_trees = st.dictionaries(_path, st.tuples(st.binary(max_size=1500), _mtime), min_size=1, max_size=8).filter(
    lambda tree: not any(other.startswith(f"{path}/") for path in tree for other in tree)
)


@settings(max_examples=60, deadline=None)
@given(_trees)
def test_any_tree_comes_back_identical(tree: Tree) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        bag = seal(folder, tree)
        files = [PayloadFile(path, len(content), mtime_ns) for path, (content, mtime_ns) in tree.items()]
        assert bag.size == sealed_size(files, name="bag", info={})
        assert inspect_bag(bag.path, expected_sha256=bag.sha256, expected_size=bag.size).files == bag.files
        unpack_bag(bag.path, folder / "out", expected_sha256=bag.sha256)
        assert seen(folder / "out") == tree
        again = write_bag(folder / "out", files, folder / "again.tar", name="bag", info={})
        assert again.path.read_bytes() == bag.path.read_bytes()


@settings(max_examples=25, deadline=None)
@given(_trees.filter(lambda tree: len({content for content, _ in tree.values()}) > 1))
def test_two_files_that_swap_their_contents_are_noticed(tree: Tree) -> None:
    with TemporaryDirectory() as name:
        bag = seal(Path(name), tree)
        one = bag.files[0]
        others = [file for file in bag.files if file.sha256 != one.sha256 and file.size == one.size]
        raw = bytearray(bag.path.read_bytes())
        for two in others[:1]:
            first, second = (raw[file.offset : file.offset + file.size] for file in (one, two))
            raw[one.offset : one.offset + one.size] = second
            raw[two.offset : two.offset + two.size] = first
            bag.path.write_bytes(raw)
            with pytest.raises(BagDamaged):
                inspect_bag(bag.path, expected_sha256=None, expected_size=None)
