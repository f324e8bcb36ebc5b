"""What all settings of the deployment file have in common."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen, and no unknown keys: a misspelt key is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")
