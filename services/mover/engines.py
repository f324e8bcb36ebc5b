"""Which engine moves between two locations. Engines are known by name, so that more can be added."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from libs.errors import Permanent
from libs.sites.models import Deployment, DiskLocation, RouteSettings
from libs.transfer.engine import TransferEngine
from libs.transfer.local import LocalEngine, LocalSettings


class EngineName(StrEnum):
    """The engines there are, as TransferStarted names them."""

    LOCAL = "local"
    """Copies between disks that this machine has mounted."""


def _local(route: RouteSettings) -> TransferEngine:
    return LocalEngine(LocalSettings(streams=route.streams))


ENGINES: Mapping[EngineName, Callable[[RouteSettings], TransferEngine]] = {EngineName.LOCAL: _local}
"""How to make each engine for a route."""


def choose_engine(deployment: Deployment, origins: Iterable[str], destination: str) -> EngineName:
    """The engine for the way between locations.

    Args:
        deployment: Where the locations are described.
        origins: Names of the locations that packages leave from.
        destination: Name of the location they go to.

    Raises:
        Permanent: ``no_engine`` when one of them is no disk, or is not in the deployment.
    """
    disks = {name for _, name, location in deployment.locations() if isinstance(location, DiskLocation)}
    others = {*origins, destination} - disks
    if others:
        raise Permanent(
            "no_engine",
            f"no engine moves from or to {', '.join(sorted(others))}: no disk of this deployment has the name",
            "Describe the location in the deployment again, then send the dead letter again.",
        )
    return EngineName.LOCAL
