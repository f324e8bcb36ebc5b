"""CloudEvents 1.0 attributes, binary mode: they travel in the NATS headers, the body is the event alone.

See the CloudEvents 1.0.2 core specification and its NATS protocol binding (``ce-`` headers), and the W3C
Trace Context recommendation for ``traceparent``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.base import Event

MESSAGE_ID_HEADER = "Nats-Msg-Id"


class BadEnvelope(ValueError):
    """The headers are not those of a CloudEvent of ours."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who says it, when, about what, and because of what.

    Attributes:
        id: The event's deterministic id; also the ``Nats-Msg-Id``.
        type: ``chasqui.<entity>.<fact>.v<n>``.
        site: Where it happened.
        service: Which service says it.
        time: When it was first said (UTC).
        about: The entity's id.
        causation_id: The id of the event or request that led to it, if any.
        traceparent: W3C trace context, if the cause was traced.
    """

    id: UUID
    type: str
    site: str
    service: str
    time: datetime
    about: str
    causation_id: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(
        cls,
        event: Event,
        *,
        site: str,
        service: str,
        time: datetime,
        causation_id: str | None = None,
        traceparent: str | None = None,
    ) -> "Envelope":
        """The envelope in which `service` at `site` sends `event`."""
        return cls(
            id=event.event_id(site),
            type=event.type_name(),
            site=site,
            service=service,
            time=time,
            about=str(event.about()),
            causation_id=causation_id,
            traceparent=traceparent,
        )

    def headers(self) -> dict[str, str]:
        """The NATS headers."""
        headers = {
            "ce-specversion": "1.0",
            "ce-id": str(self.id),
            "ce-type": self.type,
            "ce-source": f"/chasqui/{self.site}/{self.service}",
            "ce-subject": self.about,
            "ce-time": self.time.isoformat(),
            "content-type": "application/json",
            MESSAGE_ID_HEADER: str(self.id),
        }
        if self.causation_id:
            headers["ce-causationid"] = self.causation_id
        if self.traceparent:
            headers["traceparent"] = self.traceparent
        return headers

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> "Envelope":
        """Read an envelope back.

        Raises:
            BadEnvelope: An attribute is missing or is not of its form.
        """
        try:
            site, service = headers["ce-source"].removeprefix("/chasqui/").split("/", 1)
            return cls(
                id=UUID(headers["ce-id"]),
                type=headers["ce-type"],
                site=site,
                service=service,
                time=datetime.fromisoformat(headers["ce-time"]),
                about=headers.get("ce-subject", ""),
                causation_id=headers.get("ce-causationid"),
                traceparent=headers.get("traceparent"),
            )
        except KeyError as missing:
            raise BadEnvelope(f"the header {missing.args[0]} is missing") from missing
        except ValueError as wrong:
            raise BadEnvelope(f"a CloudEvents header is malformed: {wrong}") from wrong
