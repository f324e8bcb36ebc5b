"""The world of the history that runs. One at a time: simulated paths and clocks must find it from anywhere."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.world import World

_WORLDS: "list[World]" = []


def world() -> "World":
    """The one that runs."""
    return _WORLDS[-1]


def enter(entered: "World") -> None:
    """Make it the one that runs."""
    _WORLDS.append(entered)


def leave() -> None:
    """Go back to the one before."""
    _WORLDS.pop()
