"""Chance that can be repeated: the same seed gives the same choices."""

import random


def generator(seed: float | str) -> random.Random:
    """A generator of its own."""
    return random.Random(seed)  # noqa: S311  choices, no secrets
