"""What a process of this machine has in memory, as the kernel counts it."""

from pathlib import Path


def memory(field: str, pid: int | None = None) -> int:
    """Bytes: ``VmRSS`` now, or ``VmHWM`` at most since the process began or `forget_peak` was called.

    Args:
        field: The kernel's name, as in ``/proc/PID/status``.
        pid: Of the process; this one if left out.
    """
    status = Path(f"/proc/{pid or 'self'}/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith(f"{field}:")))


def forget_peak() -> None:
    """Have this process's ``VmHWM`` begin anew."""
    Path("/proc/self/clear_refs").write_text("5")
