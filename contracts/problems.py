"""What went wrong, as data: a stable code, a reason in words, and what to do about it."""

from pydantic import BaseModel, ConfigDict, Field


class Problem(BaseModel):
    """One fault, told so that a program can branch on it and a person can act on it.

    Attributes:
        code: Stable, lower snake case (``file_missing``). Never reworded once published.
        reason: One sentence: what was found, with the values that matter.
        remedy: One sentence: what the reader can do now.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    reason: str
    remedy: str
