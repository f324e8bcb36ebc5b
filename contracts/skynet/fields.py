"""Types that the fields of assets, tasks and cameras share."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, TypeVar

from pydantic import Field, StringConstraints

from contracts.base import Message

M = TypeVar("M", bound=Message)

MOST = 2**63 - 1

Id = Annotated[int, Field(ge=1, le=MOST)]
"""The network's own number of a thing."""

Count = Annotated[int, Field(ge=0, le=MOST)]

Turn = Annotated[int, Field(ge=1, le=MOST)]
"""Counts what was said of a thing, from 1."""

Text250 = Annotated[str, StringConstraints(max_length=250)]
Text100 = Annotated[str, StringConstraints(max_length=100)]
Text50 = Annotated[str, StringConstraints(max_length=50)]

Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""From 0, nothing, to 1, all of it."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Celsius = Annotated[float, Field(ge=-273.15, allow_inf_nan=False)]

Duration = Annotated[timedelta, Field(ge=timedelta(0))]
"""An interval, in JSON its seconds."""


def changed(message: M, update: Mapping[str, object]) -> M:
    """The message with some other fields, checked as if it had come from outside.

    Raises:
        pydantic.ValidationError: They do not go together.
    """
    return type(message).model_validate({**dict(message), **update})
