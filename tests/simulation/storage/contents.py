"""What a file has in it."""

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property


@dataclass(frozen=True)
class Written:
    """What an instrument wrote: `name` stands for the bytes."""

    name: str


@dataclass(frozen=True)
class Member:
    """A file in a package.

    Attributes:
        sha256: As the manifest has it.
    """

    path: str
    size: int
    mtime_ns: int
    content: "Content"
    sha256: str
    offset: int


@dataclass(frozen=True)
class Tar:
    """A package: a bag's name, its fields and its files."""

    name: str
    info: tuple[tuple[str, str], ...]
    members: tuple[Member, ...]

    @cached_property
    def digest(self) -> str:
        """Of all of it, names and contents included."""
        return _sha256(tar_words(self))

    @cached_property
    def whole(self) -> bool:
        """Whether every file is what the manifest says."""
        return all(sha256_of(member.content) == member.sha256 for member in self.members)


@dataclass(frozen=True)
class Flipped:
    """Something of which a byte was changed; `where` tells one such change from another."""

    of: "Content"
    where: str


@dataclass(frozen=True)
class Cut:
    """The beginning of something."""

    of: "Content"
    size: int


Content = Written | Tar | Flipped | Cut


def tar_words(tar: Tar) -> str:
    """What the checksum of a package is taken of."""
    return f"{tar.name} {tar.info} " + " ".join(
        f"{one.path} {one.size} {one.mtime_ns} {sha256_of(one.content)} {one.sha256}" for one in tar.members
    )


def sha256_of(content: Content) -> str:
    """The checksum of a content, hexadecimal."""
    match content:
        case Tar():
            return content.digest
        case Written(name):
            return _sha256(f"written {name}")
        case Flipped(of, where):
            return _sha256(f"flipped {where} {sha256_of(of)}")
        case Cut(of, size):
            return _sha256(f"cut {size} {sha256_of(of)}")


def swapped(tar: Tar) -> Tar:
    """The package with the contents of two files exchanged, each under the other's name."""
    if len(tar.members) < 2 or tar.members[0].content == tar.members[1].content:
        return tar
    first, second, *others = tar.members
    changed = (_with(first, second.content), _with(second, first.content), *others)
    return Tar(tar.name, tar.info, changed)


def _with(member: Member, content: Content) -> Member:
    return Member(member.path, member.size, member.mtime_ns, content, member.sha256, member.offset)


@cache
def _sha256(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()
