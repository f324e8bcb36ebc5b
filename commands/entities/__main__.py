"""Writes docs/opsdb.svg."""

from pathlib import Path

from commands.entities.drawing import picture

TARGET = Path(__file__).resolve().parents[2] / "docs" / "opsdb.svg"

if __name__ == "__main__":
    TARGET.write_text(picture(), "utf-8")
