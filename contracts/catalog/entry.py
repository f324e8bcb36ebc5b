"""What all entries have in common."""

from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.base import Message

CatalogName = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=250, pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$"
    ),
]
"""A name as people write it: no control characters, no space at either end."""

Text = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=360, allow_inf_nan=False)]
RightAscension = Annotated[float, Field(ge=0, lt=360, allow_inf_nan=False)]
Declination = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Elevation = Annotated[float, Field(ge=0, le=90, allow_inf_nan=False)]
Azimuth = Annotated[float, Field(ge=-360, le=720, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=2**31)]


class Entry(Message):
    """One row of the catalog.

    Attributes:
        retired: It is no longer used; what refers to it keeps doing so.
    """

    retired: bool = False
