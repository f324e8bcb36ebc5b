"""Sizes, times and bars for people at a terminal."""

from datetime import datetime

from rich.text import Text

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_STEP = 1000
BAR_WIDTH = 20


def size(count: float) -> str:
    """Bytes in the unit that fits."""
    value, unit = float(count), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{int(value)} B"


def duration(seconds: float | None) -> str:
    """Seconds in the unit that fits; nothing for None."""
    if seconds is None:
        return ""
    for limit, divisor, unit, digits in (
        (1, 0.001, "ms", 0),
        (90, 1, "s", 1),
        (5400, 60, "min", 0),
        (172_800, 3600, "h", 1),
    ):
        if seconds < limit:
            return f"{seconds / divisor:.{digits}f} {unit}"
    return f"{seconds / 86_400:.1f} d"


def instant(when: datetime | None) -> str:
    """An instant, to the second."""
    return "" if when is None else when.strftime("%Y-%m-%d %H:%M:%S UTC")


def bar(part: float, style: str) -> Text:
    """A bar that is full at 1."""
    full = round(max(0.0, min(1.0, part)) * BAR_WIDTH)
    return Text.assemble(("█" * full, style), ("░" * (BAR_WIDTH - full), "dim"))


def many(count: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 site, 2 sites, 3 entries."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def counts(by_state: dict[str, int]) -> str:
    """Numbers by state in one line."""
    return ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in by_state.items()) or "none"
