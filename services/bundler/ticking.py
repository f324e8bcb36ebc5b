"""How often the bundler looks at the clock."""

SHORTEST_S = 0.1
LONGEST_S = 10.0


def period(longest_wait_s: float) -> float:
    """Seconds between two looks at the clock: a tenth of what a package may wait, within reason."""
    return min(max(longest_wait_s / 10, SHORTEST_S), LONGEST_S)
