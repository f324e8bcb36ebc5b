"""The `chasqui` command."""


def main() -> None:
    """Run the command line."""
