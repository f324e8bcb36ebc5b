"""Rules of claims: how soon work may be taken from an instance that makes no sign."""

from collections.abc import Iterator
from datetime import timedelta

from libs.sites.findings import Issue, error
from libs.sites.models import Deployment

SHORTEST_CLAIM = timedelta(seconds=1)
"""Claims are renewed three times as often, and a busy machine is silent for a few hundred milliseconds."""


def claims_outlive_a_hitch(deployment: Deployment) -> Iterator[Issue]:
    """No work is taken from an instance that is merely busy."""
    for site, settings in deployment.sites.items():
        for key, value in settings.claims:
            if value < SHORTEST_CLAIM:
                reason = "work would be taken from instances that are merely busy"
                yield error(("sites", site, "claims", key), "claim_too_short", reason, "Write 1s or more.")
