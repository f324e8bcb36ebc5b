"""Secrets, from the environment alone, under names that follow from the deployment.

Invariant: no value is ever part of a message, a log line or a `repr`.
"""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from contracts.states import LocationType
from libs.errors import UserError
from libs.sites.models import Deployment, S3Location

_PREFIXES = ("CHASQUI_NATS_", "CHASQUI_OPSDB_", "CHASQUI_S3_")


@dataclass(frozen=True, slots=True)
class Login:
    """A name and its password, which `repr` hides."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class S3Keys:
    """An access key and its secret, which `repr` hides."""

    access_key: str
    secret_key: str = field(repr=False)


def nats_password(site: str) -> str:
    """The variable with the password of a site's NATS user."""
    return f"CHASQUI_NATS_{_upper(site)}_PASSWORD"


def writer_password(site: str) -> str:
    """The variable with the password of a site's ops-db writer."""
    return f"CHASQUI_OPSDB_{_upper(site)}_WRITER_PASSWORD"


def reader_password(site: str) -> str:
    """The variable with the password of a site's ops-db reader."""
    return f"CHASQUI_OPSDB_{_upper(site)}_READER_PASSWORD"


def access_key(location: str) -> str:
    """The variable with a location's S3 access key."""
    return f"CHASQUI_S3_{_upper(location)}_ACCESS_KEY"


def secret_key(location: str) -> str:
    """The variable with a location's S3 secret key."""
    return f"CHASQUI_S3_{_upper(location)}_SECRET_KEY"


def required(deployment: Deployment, site: str) -> tuple[str, ...]:
    """The variables that the services of a site need, in alphabetical order.

    Raises:
        KeyError: There is no such site.
    """
    settings = deployment.site(site)
    names = {nats_password(site), writer_password(site), reader_password(site)}
    for location, archive in settings.locations_of(LocationType.LONG_TERM_ARCHIVE).items():
        if isinstance(archive, S3Location):
            names |= {access_key(location), secret_key(location)}
    return tuple(sorted(names))


class Credentials:
    """The secrets a process was given.

    Args:
        values: Secrets by variable name.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Take the secrets out of an environment (`os.environ`), and nothing else."""
        return cls({name: value for name, value in environment.items() if name.startswith(_PREFIXES)})

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote.

        Raises:
            UserError: `credentials_malformed`: a line is not ``NAME=value``.
        """
        try:
            pairs = [word.split("=", 1) for word in shlex.split(text, comments=True)]
            return cls.from_environment({name: value for name, value in pairs})  # noqa: C416 - dict() would not refuse a word without "="
        except ValueError as wrong:
            remedy = "Write lines NAME=value, quoted as for a shell."
            raise UserError("credentials_malformed", "The credentials cannot be read.", remedy) from wrong

    def nats(self, deployment: Deployment, site: str) -> Login:
        """How to log in to a site's NATS server.

        Raises:
            UserError: `credential_missing`.
            KeyError: There is no such site.
        """
        return Login(deployment.site(site).nats.user, self.value(nats_password(site)))

    def opsdb_writer(self, deployment: Deployment, site: str) -> Login:
        """How the projector logs in to a site's ops-db.

        Raises:
            UserError: `credential_missing`.
            KeyError: There is no such site.
        """
        return Login(deployment.site(site).opsdb.writer, self.value(writer_password(site)))

    def opsdb_reader(self, deployment: Deployment, site: str) -> Login:
        """How everybody else logs in to a site's ops-db.

        Raises:
            UserError: `credential_missing`.
            KeyError: There is no such site.
        """
        return Login(deployment.site(site).opsdb.reader, self.value(reader_password(site)))

    def s3(self, location: str) -> S3Keys:
        """The keys of an S3 location.

        Raises:
            UserError: `credential_missing`.
        """
        return S3Keys(self.value(access_key(location)), self.value(secret_key(location)))

    def value(self, name: str) -> str:
        """The secret of a variable.

        Raises:
            UserError: `credential_missing`: it is not set, or empty.
        """
        if found := self._values.get(name):
            return found
        reason = f"The environment variable {name} is not set."
        raise UserError(
            "credential_missing", reason, f"Set {name} for this process, not in the deployment file."
        )

    def missing(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of `names` that are not set."""
        return tuple(name for name in names if not self._values.get(name))

    def only(self, names: Iterable[str]) -> "Credentials":
        """Fewer secrets, for a process that needs no others; names that are not set are left out."""
        return Credentials({name: self._values[name] for name in names if name in self._values})

    def joined(self, other: "Credentials") -> "Credentials":
        """The secrets of both; `other` wins."""
        return Credentials({**self._values, **other.to_environment()})

    def to_environment(self) -> dict[str, str]:
        """The variables for a child process."""
        return dict(self._values)

    def to_text(self) -> str:
        """One ``NAME=value`` a line, quoted as a shell reads it."""
        return "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(self._values.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credentials) and self.to_environment() == other.to_environment()

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._values.items())))

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self._values))})"


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")
