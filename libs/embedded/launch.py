"""Becomes a server: takes an identity, binds its life to the starter's, then executes the server's program.

    python -I -S launch.py STARTER_PID DEATH_SIGNAL IDENTITY PROGRAM [ARGUMENT …]

IDENTITY is `same`, `namespace:UID:GID` or `setuid:UID:GID` (see `libs.embedded.identity`). A program of its
own, on the standard library alone: running Python between fork and exec of a threaded process can deadlock.

Traps:
    - The kernel forgets the parent-death signal when credentials change: identity first, signal second.
    - The starter may die before the signal is set: its pid is compared afterwards.
    - In a user namespace the process shows an unprivileged uid, while its file access stays the starter's.
"""

import ctypes
import os
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CLONE_NEWUSER = 0x10000000
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def enter_namespace(uid: int, gid: int) -> None:
    """Enter a user namespace in which the present user and group are called `uid` and `gid`.

    Raises:
        OSError: The kernel allows no (more) user namespaces here.
    """
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    _checked(_libc().unshare(CLONE_NEWUSER), "unshare a user namespace")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")


def change_user(uid: int, gid: int) -> None:
    """Become `uid`, keeping from root only the right to pass folders that are closed to others.

    Raises:
        OSError: The process lacks CAP_SETUID, CAP_SETGID or CAP_DAC_OVERRIDE.
    """
    libc = _libc()
    _checked(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    wanted = 1 << CAP_DAC_OVERRIDE
    sets = (ctypes.c_uint32 * 6)(wanted, wanted, wanted, 0, 0, 0)
    _checked(libc.capset(header, sets), "reduce capabilities")
    raised = libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)
    _checked(raised, "hand a capability down")


def become(identity: str) -> None:
    """Take the identity that the starter chose."""
    kind, *ids = identity.split(":")
    if kind != "same":
        changes = {"namespace": enter_namespace, "setuid": change_user}
        changes[kind](*map(int, ids))


def main(arguments: list[str]) -> None:
    """Turn this process into the server's."""
    starter, death_signal, identity, *command = arguments
    become(identity)
    _checked(_libc().prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0), "set the parent-death signal")
    if os.getppid() != int(starter):
        sys.exit("the starting process is gone")
    os.execv(command[0], command)  # noqa: S606 - the program and its arguments come from our own starter


if __name__ == "__main__":
    main(sys.argv[1:])
