"""The services there are, in the order of the road."""

from importlib import import_module

from libs.errors import UserError
from libs.service.service import Service

NAMES = (
    "projector",
    "filing",
    "scanner",
    "packager",
    "bundler",
    "mover",
    "verifier",
    "archiver",
    "associator",
    "stager",
    "janitor",
    "renderer",
    "gateway",
)


def load(name: str) -> Service:
    """Import a service's declaration.

    Raises:
        UserError: ``unknown_service``.
    """
    if name not in NAMES:
        raise UserError(
            "unknown_service", f"there is no service {name!r}", f"Choose one of {', '.join(NAMES)}."
        )
    service: Service = import_module(f"services.{name}.app").SERVICE
    return service


def load_all() -> tuple[Service, ...]:
    """Every service's declaration."""
    return tuple(load(name) for name in NAMES)
