"""When copies at a location may go: its settings in the deployment file."""

from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from libs.sites.settings import Settings
from libs.sites.units import Duration

HYSTERESIS = 0.05
"""Between `high_water` and `low_water`, where the file gives the first alone."""


class ArchiveEvidence(StrEnum):
    """What counts as evidence that an archive holds a package, before a copy here goes."""

    RECORDED = "recorded"
    """Archives that this site has keys for are asked; of any other, the proof that its archiver put on record
    counts, and nobody would notice here that the object was removed or damaged since."""
    ASKED = "asked"
    """Only archives that answered just now count: where the keys of enough archives are missing, nothing goes."""
    READ = "read"
    """Only archive copies that were read back just now, every byte of them, count."""


class ContentCheck(StrEnum):
    """Whether a file is read once more before it goes."""

    NONE = "none"
    """Its size and the time of its last change must be as they were; it is not read."""
    TOUCHED = "touched"
    """It is read, and its checksum compared, if its inode changed since it was packaged or landed: so is found
    what was written anew and given its old size and time."""
    CHECKSUM = "checksum"
    """It is always read, and its checksum compared."""


class Retention(Settings):
    """When a copy that is no longer needed may go.

    Attributes:
        keep_for: How long a copy stays after it became deletable.
        archive_copies: How many proven archive copies must exist before it may go.
        archive_sites: At how many sites these must be.
        high_water: Fraction of the disk in use from which archived copies go before their age, the oldest first.
        low_water: Fraction in use below which that ends; 0.05 below `high_water` if left out.
        proof_max_age: For how long the proof or last scrub of an archive copy counts; for ever if left out.
        evidence: What counts as evidence of an archive copy.
        verify_before_delete: Whether a file is read once more before it goes.
    """

    keep_for: Duration = timedelta(days=7)
    archive_copies: int = Field(default=1, ge=1)
    archive_sites: int = Field(default=1, ge=1)
    high_water: float = Field(default=0.9, gt=0, le=1)
    low_water: float | None = Field(default=None, ge=0, lt=1)
    proof_max_age: Duration | None = None
    evidence: ArchiveEvidence = ArchiveEvidence.RECORDED
    verify_before_delete: ContentCheck = ContentCheck.NONE

    @property
    def relieved_at(self) -> float:
        """The fraction in use below which a disk that was too full is so no more."""
        return max(0.0, self.high_water - HYSTERESIS) if self.low_water is None else self.low_water
