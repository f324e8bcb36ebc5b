"""``python -m commands.published [--check]``."""

import sys

from commands.published.files import ROOT, plan, write


def main() -> int:
    """Write the published files, or say what is not as it should be; the exit status."""
    check = "--check" in sys.argv[1:]
    made = plan()
    for why in made.refused:
        print(why, file=sys.stderr)
    if made.refused:
        return 1
    for path, text in made.texts.items():
        print(f"{'remove' if text is None else 'write'} {path.relative_to(ROOT)}")
    if check:
        return 1 if made.texts else 0
    write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
