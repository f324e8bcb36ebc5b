"""Run a module as a program that ends with the test run, however that ends: ``python -m tests.support.tied PID MODULE ...``."""

import runpy
import sys

from libs.service.lifeline import die_with


def main() -> None:
    """Watch the process that is named, then be the other program."""
    _, supervisor, module, *words = sys.argv
    die_with(int(supervisor))
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
