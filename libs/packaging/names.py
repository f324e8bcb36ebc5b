"""Which paths may travel, and how BagIt manifests spell them.

Spelling: RFC 8493 section 2.1.3 wants LF, CR and ``%`` percent-encoded. The Library of Congress
validator, bagit.py 1.9, decodes ``%0A`` and ``%0D`` only: with every ``%`` encoded it would
call ``100%.fits`` missing. So LF and CR are always encoded, and ``%`` only in names that would otherwise
be misread, those with a literal ``%0A``, ``%0D`` or ``%25``. `decode_name` undoes it without loss.

What bagit.py cannot validate, while packages and `decode_name` are right about it:
    - names ending in white space (it strips manifest lines);
    - names with VT, FF, FS, GS, RS, NEL, U+2028 or U+2029 (it breaks lines there);
    - names with more than two LF or more than two CR (it decodes two of each);
    - names with a literal ``%0A``, ``%0D`` or ``%25`` (it does not decode ``%25``);
    - two names in one folder that differ only in Unicode normalisation (it may hash one for the other).
A ``*`` in a name is harmless: only one before ``data/`` would be dropped.
"""

import re

from libs.errors import UserError

MAX_COMPONENT_BYTES = 255
MAX_PATH_BYTES = 4095
_BAG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_ENCODED = re.compile(r"%(0A|0D|25)", re.IGNORECASE)
_DECODED = {"0A": "\n", "0D": "\r", "25": "%"}


def check_path(path: str) -> str:
    """Lets a path pass that stays below its root wherever it is joined, and that every site can store.

    Args:
        path: Relative POSIX path.

    Returns:
        The same path.

    Raises:
        UserError: ``name_not_utf8``, ``name_too_long``, or ``path_unsafe``.
    """
    components = path.split("/")
    if "\0" in path or not {"", ".", ".."}.isdisjoint(components):
        raise UserError(
            "path_unsafe",
            f"{path!r} is no plain relative path",
            "Name the file by a path below its root, without empty, '.' or '..' parts and without NUL.",
        )
    _check_length(path, components)
    return path


def _check_length(path: str, components: list[str]) -> None:
    try:
        size = len(path.encode())
    except UnicodeEncodeError as error:
        raise UserError(
            "name_not_utf8", f"The name {path!r} is not valid UTF-8", "Rename the file, then file it again."
        ) from error
    too_long = size > MAX_COMPONENT_BYTES and (
        size > MAX_PATH_BYTES or any(len(part.encode()) > MAX_COMPONENT_BYTES for part in components)
    )
    if too_long:
        raise UserError(
            "name_too_long",
            f"{path[:80]!r}... has a part above {MAX_COMPONENT_BYTES} bytes, or is above {MAX_PATH_BYTES}",
            "Shorten the names, then file it again.",
        )


def is_bag_name(name: str) -> bool:
    """Whether this may be a bag's top folder: 1 to 200 ASCII letters, digits, dots, dashes, underscores."""
    return _BAG_NAME.fullmatch(name) is not None


def check_bag_name(name: str) -> str:
    """Lets a name pass that may be a bag's top folder.

    Raises:
        UserError: ``bag_name_invalid``.
    """
    if not is_bag_name(name):
        raise UserError(
            "bag_name_invalid",
            f"{name!r} cannot name a package",
            "Use 1 to 200 ASCII letters, digits, dots, dashes and underscores, starting with a letter or digit.",
        )
    return name


def encode_name(path: str) -> str:
    """Spells a path for one line of a BagIt manifest; `decode_name` undoes it."""
    if "%" in path and _ENCODED.search(path):
        path = path.replace("%", "%25")
    return path.replace("\n", "%0A").replace("\r", "%0D")


def decode_name(spelled: str) -> str:
    """Reads a path from a line of a BagIt manifest, in one pass so that ``%250A`` stays ``%0A``."""
    return _ENCODED.sub(lambda match: _DECODED[match[1].upper()], spelled)
