"""Who PostgreSQL runs as: it refuses root, whatever root may do.

Two ways lead from root to a process that is not root and yet reaches its files below folders that are
closed to others (a checkout in /root, a temporary folder):

1. A user namespace in which root is called by an unprivileged uid. Nothing changes hands: the data stays
   root's, and the process has root's file access but none of its capabilities.
2. A real unprivileged user who keeps CAP_DAC_OVERRIDE; the data folder is given to that user. It works in
   containers that forbid user namespaces, if that user can reach PostgreSQL's programs by itself. Folders above
   the data folder are not touched in either case.

A user without an entry in the password database, whom `initdb` refuses, is helped by the first way too.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from libs.errors import UserError

UNPRIVILEGED_NAMES = ("nobody", "daemon")


class Way(Enum):
    """How a server process comes to its identity."""

    SAME = "same"
    """It runs as the starter does."""
    NAMESPACE = "namespace"
    """A user namespace renames the starter."""
    SETUID = "setuid"
    """It changes to another user, to whom its data folder belongs."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One identity to run as.

    Attributes:
        way: How it is taken.
        uid: User id that the process sees for itself.
        gid: Group id, likewise.
    """

    way: Way
    uid: int
    gid: int

    @property
    def words(self) -> str:
        """The identity in the words of `launch.py`."""
        return self.way.value if self.way is Way.SAME else f"{self.way.value}:{self.uid}:{self.gid}"

    def owner(self, uid: int, gid: int) -> tuple[int, int]:
        """Return the user and group that its data must belong to, as the starter `uid`, `gid` sees them."""
        return (self.uid, self.gid) if self.way is Way.SETUID else (uid, gid)


def candidates(uid: int, gid: int, users: list[pwd.struct_passwd]) -> tuple[Identity, ...]:
    """Return the identities to try for a server that refuses root, best first.

    Args:
        uid: The starter's user id.
        gid: The starter's group id.
        users: The password database.

    Raises:
        UserError: The password database knows no unprivileged user to stand in.
    """
    if uid != 0 and any(user.pw_uid == uid for user in users):
        return (Identity(Way.SAME, uid, gid),)
    stand_in = _unprivileged(users)
    namespace = Identity(Way.NAMESPACE, stand_in.pw_uid, stand_in.pw_gid)
    if uid != 0:
        return (namespace,)
    return (namespace, Identity(Way.SETUID, stand_in.pw_uid, stand_in.pw_gid))


def _unprivileged(users: list[pwd.struct_passwd]) -> pwd.struct_passwd:
    by_name = {user.pw_name: user for user in users if user.pw_uid != 0}
    for name in (*UNPRIVILEGED_NAMES, *sorted(by_name)):
        if name in by_name:
            return by_name[name]
    remedy = "Start as an ordinary user that /etc/passwd names."
    raise UserError("no_unprivileged_user", "/etc/passwd names no user but root", remedy)


def reachable(program: Path, identity: Identity) -> bool:
    """Whether PostgreSQL, as `identity`, believes that it may execute `program`.

    It asks access(2), which knows nothing of a changed user's capabilities: for the second way every folder
    above the program must be open to that user.
    """
    if identity.way is not Way.SETUID:
        return True
    return all(_may_pass(step.stat(), identity) for step in (program, *program.parents))


def _may_pass(status: os.stat_result, identity: Identity) -> bool:
    if status.st_uid == identity.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == identity.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def own_candidates() -> tuple[Identity, ...]:
    """Return the candidates for the present user of this machine."""
    return candidates(os.geteuid(), os.getegid(), pwd.getpwall())


def refused(last_words: str) -> UserError:
    """Return the error for a machine on which no identity works."""
    return UserError(
        "postgres_refuses_user",
        f"PostgreSQL does not run as this user, and no other identity could be taken:\n{last_words}\n",
        "Start as an ordinary user with an entry in /etc/passwd, allow user namespaces (sysctl "
        "user.max_user_namespaces), or grant root CAP_SETUID, CAP_SETGID, CAP_CHOWN and CAP_DAC_OVERRIDE and install "
        "below folders that others may pass.",
    )
