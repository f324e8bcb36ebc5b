"""Rules of associations: how long they wait for their exposures."""

from collections.abc import Iterator
from datetime import timedelta

from libs.sites.findings import Issue, error
from libs.sites.models import Deployment

SHORTEST_DEADLINE = timedelta(seconds=1)


def deadlines_leave_time(deployment: Deployment) -> Iterator[Issue]:
    """No association is collected as soon as it is planned."""
    for site, settings in deployment.sites.items():
        if settings.associations.deadline < SHORTEST_DEADLINE:
            reason = "associations would be collected as soon as they are planned, without their exposures"
            where = ("sites", site, "associations", "deadline")
            yield error(where, "deadline_too_short", reason, "Write 1s or more; days are usual: 30d.")
