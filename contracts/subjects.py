"""Names on the wire: streams, subjects, consumers, buckets. Ids stay out of the subjects of events."""

from typing import Final
from uuid import UUID

REQUEST_ROOT: Final = "request"
DEAD_ROOT: Final = "dead"
RESTORE_ROOT: Final = "restore"
REPLAY_ROOT: Final = "replay"


def events_stream(site: str) -> str:
    """The stream that keeps a site's events for ever."""
    return f"EVENTS_{site}"


def dead_stream(site: str) -> str:
    """The stream that keeps a site's dead letters."""
    return f"DEAD_{site}"


def all_events(site: str) -> str:
    """The subjects of a site's stream."""
    return f"chasqui.{site}.>"


def about_letters(site: str) -> str:
    """The subjects of everything that is said of a site's dead letters."""
    return f"chasqui.{site}.letter.>"


def dead_letter(site: str, service: str, handler: str, letter: UUID) -> str:
    """Where `service` puts what its handler cannot handle: a subject for each letter, so that it is found."""
    return f"{DEAD_ROOT}.{site}.{service}.{handler}.{letter}"


def all_dead_letters(site: str) -> str:
    """The subjects of a site's dead letters."""
    return f"{DEAD_ROOT}.{site}.>"


def replay_stream(site: str) -> str:
    """The stream of messages that are handled again, each by one handler; what was handled leaves it."""
    return f"REPLAY_{site}"


def replay(site: str, service: str, handler: str) -> str:
    """Where a message is put that one handler of a service at `site` is to handle again."""
    return f"{REPLAY_ROOT}.{site}.{service}.{handler}"


def all_replays(site: str) -> str:
    """The subjects of a site's replays."""
    return f"{REPLAY_ROOT}.{site}.>"


def filing_request(site: str, verb: str) -> str:
    """Where an instrument sends its requests: verb is ``start``, ``files`` or ``finish``.

    A telescope node's are ``task``, ``task_step``, ``asset`` and ``camera``.
    """
    return f"{REQUEST_ROOT}.{site}.filing.{verb}"


def durable(site: str, service: str, handler: str) -> str:
    """The durable consumer of one handler of a service at `site`, on whichever site's events."""
    return f"{site}_{service}_{handler}"


def heartbeat_bucket(site: str) -> str:
    """The key-value bucket in which running services say that they are alive."""
    return f"HEARTBEAT_{site}"


def progress_bucket(site: str) -> str:
    """The key-value bucket of work in progress; may be lost."""
    return f"PROGRESS_{site}"


def attempts_bucket(site: str) -> str:
    """The key-value bucket of deliveries that do not count as attempts; may be lost."""
    return f"ATTEMPTS_{site}"


def lease_bucket(site: str) -> str:
    """The key-value bucket of who does what only one may do; may be lost."""
    return f"LEASES_{site}"


def breaker_bucket(site: str) -> str:
    """The key-value bucket of the circuit breakers; may be lost."""
    return f"BREAKERS_{site}"


def pressure_bucket(site: str) -> str:
    """The key-value bucket of disks that are being cleared because they were too full; may be lost."""
    return f"PRESSURE_{site}"


def all_restored(site: str) -> str:
    """Where a site's events are sent while they are put back into its stream, out of everybody's way."""
    return f"{RESTORE_ROOT}.{site}.>"


def restored(site: str, subject: str) -> str | None:
    """Where an event goes to be stored under its own subject again; None if it is no event of the site."""
    own = f"chasqui.{site}."
    return f"{RESTORE_ROOT}.{site}.{subject.removeprefix(own)}" if subject.startswith(own) else None
