"""What the services ask the ops-db, in memory: one module a service, one function a query."""

from tests.simulation.opsdb.queries import (
    archiver,
    bundler,
    copies,
    filing,
    hindsight,
    janitor,
    mover,
    packager,
    scanner,
    skynet,
    stager,
    verifier,
)

ALL = (
    archiver,
    bundler,
    copies,
    filing,
    hindsight,
    janitor,
    mover,
    packager,
    scanner,
    skynet,
    stager,
    verifier,
)
"""Importing them registers their queries."""
