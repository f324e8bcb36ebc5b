"""Rules of scrubs: at some speed, within some time."""

from collections.abc import Iterator
from datetime import timedelta

from libs.sites.checks.locations import path_of
from libs.sites.findings import Issue, error
from libs.sites.models import Deployment, S3Location

SHORTEST_PERIOD = timedelta(seconds=1)
"""Within which an archive may be asked to be read; a trial's, an observatory writes weeks or months."""


def scrubs_come_to_an_end(deployment: Deployment) -> Iterator[Issue]:
    """Copies are read again, at some speed, within some time."""
    for site, name, location in deployment.locations():
        if not isinstance(location, S3Location):
            continue
        if location.scrub.rate <= 0:
            reason = f"nothing is read at {int(location.scrub.rate)} bytes per second"
            remedy = "Write a rate such as 20 MB, or active: false if the archive checks its copies itself."
            yield error(path_of(site, name, "scrub", "rate"), "size_not_positive", reason, remedy)
        if location.scrub.period < SHORTEST_PERIOD:
            reason = "the archive would be read without a pause"
            yield error(
                path_of(site, name, "scrub", "period"), "period_too_short", reason, "Write 1s or more."
            )
