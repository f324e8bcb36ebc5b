"""Every benchmark, one after the other, each in a process of its own: ``python -m benchmarks [NAME ...]``."""

import subprocess
import sys

NAMES = (
    "large",
    "small",
    "latency",
    "projector",
    "replay",
    "upkeep",
    "recovery",
    "memory",
    "scrub",
    "packaging",
    "renders",
)


def main() -> int:
    chosen = sys.argv[1:] or NAMES
    failed = 0
    for name in chosen:
        print(f"== {name}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
