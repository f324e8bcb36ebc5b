"""What goes wrong: kinds of faults, which of them a history has, and when one of them happens.

A history has only some kinds, each with a rate of its own ("swarm testing", Groce et al. 2012): faults that hide
one another are then met alone in other histories.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """A kind of fault."""

    __hash__ = str.__hash__  # that of enums is slow, and this is looked up all the time

    KILLS = "kills"
    """A process is killed between two trips to a server or disk, or on the way."""
    PAUSES = "pauses"
    """A process is stopped for up to a minute, and goes on as if nothing had happened."""
    SLOWNESS = "slowness"
    """A trip takes longer than a claim lasts."""
    LOST_REPLIES = "lost-replies"
    """A server does what it was asked to, and the answer is lost."""
    LOST_ACKS = "lost-acks"
    """An acknowledgement, or the renewal of a claim, is lost on its way."""
    BUS_OUTAGES = "bus-outages"
    """A site's NATS server is away for a while."""
    OPSDB_OUTAGES = "opsdb-outages"
    """A site's PostgreSQL is away for a while, and takes its last commits back."""
    SITE_CUTS = "site-cuts"
    """The link between the sites is cut."""
    ARCHIVE_OUTAGES = "archive-outages"
    """An archive is away for a while."""
    ARCHIVE_ERRORS = "archive-errors"
    """An archive answers a request with an error, before or after it has done what was asked."""
    FULL_DISKS = "full-disks"
    """A disk has no room for a while."""
    LOST_DISKS = "lost-disks"
    """A disk is not mounted for a while."""
    BIT_ROT = "bit-rot"
    """Bytes of a package change, at rest or in transit."""
    CLOCK_JUMPS = "clock-jumps"
    """A site's wall clock is set, by up to an hour in either direction."""
    POISON = "poison"
    """Messages in a stream that nobody can read."""
    RESTLESS_FILES = "restless-files"
    """Instruments write late, slowly, again, something else than they declared, or not at all."""
    REPEATS = "repeats"
    """Requests are sent again though they were answered."""
    SECOND_THOUGHTS = "second-thoughts"
    """Operators have dead letters handled again, drop them, and send events again, at any moment."""

    ARCHIVE_ROT = "archive-rot"
    """A package in an archive rots, while another archive has it whole; the server notices nothing."""
    STAGED_ROT = "staged-rot"
    """A file that was staged rots before its job is complete; the disk notices nothing."""


class Mode(StrEnum):
    """Whether a history has a kind of fault."""

    SWARM = "swarm"
    """By chance."""
    NEVER = "never"
    """It has not."""
    ALWAYS = "always"
    """It has."""


@dataclass(frozen=True)
class Settings:
    """What may go wrong in a history.

    Attributes:
        modes: By kind; SWARM if not named.
        most: Faults after this many do not happen: for finding the ones that matter.
        spared: Numbers of faults that do not happen.
        kill_at: The number of a point at which the process that passes it is killed, whatever else happens.
    """

    modes: Mapping[Fault, Mode] = field(default_factory=dict)
    most: int = 1_000_000
    spared: frozenset[int] = frozenset()
    kill_at: int | None = None


SMOOTH = Settings(dict.fromkeys(Fault, Mode.NEVER))
"""Nothing goes wrong."""

PRESENCE = 0.45
"""The chance that a history has a kind of fault."""

_ADDED = frozenset({Fault.SECOND_THOUGHTS, Fault.ARCHIVE_ROT, Fault.STAGED_ROT})
"""They draw from chances of their own: histories without them are what they were before there were any."""

_POINT_RATES: Mapping[Fault, tuple[float, float]] = {
    Fault.KILLS: (0.002, 0.03),
    Fault.PAUSES: (0.001, 0.01),
    Fault.SLOWNESS: (0.002, 0.02),
    Fault.LOST_REPLIES: (0.02, 0.2),
    Fault.LOST_ACKS: (0.02, 0.3),
    Fault.ARCHIVE_ERRORS: (0.05, 0.4),
    Fault.BIT_ROT: (0.02, 0.2),
    Fault.REPEATS: (0.2, 0.8),
    Fault.RESTLESS_FILES: (0.2, 0.7),
    Fault.STAGED_ROT: (0.5, 1.0),
}
"""How often, at each occasion: the rate of a history is between these."""


@dataclass(frozen=True)
class Happened:
    """A fault that happened.

    Attributes:
        number: Counts the faults of a history from 1, those that were spared included.
        at: Seconds since the history began.
    """

    number: int
    at: float
    fault: Fault
    what: str


class Chaos:
    """Decides about the faults of one history.

    Args:
        seed: The history's.
        settings: What may go wrong.

    Attributes:
        happened: What did.
        calm: Once true, nothing more goes wrong.
        kill_at: The number of the one point that was chosen for a kill; None for none.
        slow: Whether a trip may be slow at all.
        lurking: Whether a process may be killed or stopped at all.
    """

    def __init__(self, seed: str, settings: Settings) -> None:
        self.chance = random.Random(f"{seed}:chaos")
        self.happened: list[Happened] = []
        self.calm = False
        self.kill_at = settings.kill_at
        self._settings = settings
        self._count = 0
        self._rates: dict[Fault, float] = {}
        self._present: set[Fault] = set()
        for fault in Fault:
            self._draw(fault, self.chance if fault not in _ADDED else random.Random(f"{seed}:{fault}"))
        self.slow = self.has(Fault.SLOWNESS)
        self.lurking = self.has(Fault.KILLS) or self.has(Fault.PAUSES) or settings.kill_at is not None

    def _draw(self, fault: Fault, chance: random.Random) -> None:
        present, share = chance.random() < PRESENCE, chance.random()
        mode = self._settings.modes.get(fault, Mode.SWARM)
        if mode is Mode.NEVER or (mode is Mode.SWARM and not present):
            return
        self._present.add(fault)
        if fault in _POINT_RATES:
            low, high = _POINT_RATES[fault]
            self._rates[fault] = low + share * (high - low)

    def has(self, fault: Fault) -> bool:
        """Whether the history has a kind of fault at all."""
        return fault in self._present

    def tempts(self, fault: Fault) -> bool:
        """Whether chance wants a fault on this occasion; `counts` says whether it happens."""
        rate = self._rates.get(fault)
        return rate is not None and not self.calm and self.chance.random() < rate

    def strikes(self, fault: Fault, now: float, what: str) -> bool:
        """Whether a fault happens on this occasion."""
        return self.tempts(fault) and self.counts(fault, now, what)

    def counts(self, fault: Fault, now: float, what: str) -> bool:
        """Number a fault; whether it happens, or is spared."""
        self._count += 1
        if self._count > self._settings.most or self._count in self._settings.spared:
            return False
        self.happened.append(Happened(self._count, now, fault, what))
        return True
