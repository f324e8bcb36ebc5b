"""Damage to what an embedded S3 server keeps, done to its files behind its back."""

import os
import pickle
from enum import Enum, auto
from pathlib import Path

from tests.support.sealed import flip

METADATA = "user.swift.metadata"


class Rot(Enum):
    """What becomes of a stored file."""

    FLIPPED = auto()
    """One of its bytes is another one."""
    CUT = auto()
    """It ends early."""
    GROWN = auto()
    """It goes on after its end."""
    LOST = auto()
    """It is not there any more."""


def stored(folder: Path, bucket: str, key: str) -> list[Path]:
    """The files in which Swift keeps the bytes of an object, in their order: one, or one a part.

    Args:
        folder: The server's.
        bucket: The bucket.
        key: The object's.
    """
    whole: dict[str, Path] = {}
    parts: dict[str, Path] = {}
    for path in folder.glob("devices/*/objects/*/*/*/*.data"):
        name = _name(path)
        if name.partition("/")[2].partition("/")[2] == f"{bucket}/{key}":
            whole[name] = path
        elif f"/{bucket}+segments/{key}/" in name:
            parts[name] = path
    newest = sorted(parts, key=lambda name: (parts[name].stat().st_mtime_ns, name))
    upload = {name.rpartition("/")[0] for name in newest[-1:]}
    of_upload = [name for name in parts if name.rpartition("/")[0] in upload]
    ordered = sorted(of_upload, key=lambda name: int(name.rpartition("/")[2]))
    return [parts[name] for name in ordered] or list(whole.values())


def damage(path: Path, rot: Rot) -> None:
    """Damage a stored file."""
    match rot:
        case Rot.FLIPPED:
            flip(path, path.stat().st_size // 2)
        case Rot.CUT:
            os.truncate(path, path.stat().st_size // 2)
        case Rot.GROWN:
            with path.open("ab") as file:
                file.write(b"more")
        case Rot.LOST:
            path.unlink()


def _name(path: Path) -> str:
    names = sorted(name for name in os.listxattr(path) if name.startswith(METADATA))
    metadata = pickle.loads(b"".join(os.getxattr(path, name) for name in names), encoding="bytes")  # noqa: S301  the test's own server wrote it
    return str(metadata[b"name"].decode())
