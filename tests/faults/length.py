"""How long the fault suite takes: the long form does everything often, the short form once."""

import os

LENGTH = "CHASQUI_FAULTS"


def is_long() -> bool:
    """Whether the long form was asked for."""
    return os.environ.get(LENGTH) == "long"
