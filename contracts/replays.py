"""Replays: what an operator has had sent again to one service."""

from pydantic import Field

from contracts.base import Event, Name


class ReplayRequested(Event):
    """An operator has events of the log sent to a service again; said before the first of them is sent.

    Attributes:
        run: The name of the run; repeated under its name, it is the same one.
        handler: Only to this handler of the service; None for all.
        begin: From where in the log, in the operator's words; so is `end`, None for its end.
        type: Only events of this type; so are `about_entity`, its id, and `fields`, ``name=value``.
    """

    entity = "replay"
    fact = "requested"

    run: str = Field(min_length=1, max_length=250)
    service: Name
    handler: str | None = None
    begin: str
    end: str | None = None
    type: str | None = None
    about_entity: str | None = None
    fields: tuple[str, ...] = ()
    requested_by: str = Field(min_length=1, max_length=250)

    def identity(self) -> tuple[object, ...]:
        return (self.run, self.service)

    def about(self) -> str:
        return self.run
