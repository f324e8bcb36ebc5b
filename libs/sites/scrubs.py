"""How the copies in an archive are read again, as an operator sets it."""

from datetime import timedelta

from libs.sites.settings import Settings
from libs.sites.units import Duration, Size


class ScrubSettings(Settings):
    """How the copies in an archive are read again.

    Attributes:
        active: Whether they are.
        period: Every copy is to be read within this time after it was read last.
        rate: Bytes per second that are read at most.
    """

    active: bool = True
    period: Duration = timedelta(days=90)
    rate: Size = Size(20_000_000)
