"""Rules by which exposures of a pool belong together: data, in a YAML file.

rules:
  - name: dithered images
    instruments: [J]
    where: {obs_mode: "imaging|accum"}
    group_by: [target_name, filter]
    least: 2
    exposure_type: EXP-DTH
    products: [{id: "0", type: PROD-DTH}]
"""

import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from contracts.association_ids import PRIMARY, MemberType, ProductId
from libs.associations.products import rule_of
from libs.errors import UserError


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RuleProduct(_Settings):
    """A product of every association of a rule."""

    id: ProductId
    type: MemberType


class Rule(_Settings):
    """A rule.

    Attributes:
        instruments: Codes of the instruments whose exposures it takes; all if left out.
        where: By attribute, a regular expression that the whole value must match.
        group_by: Attributes that all exposures of an association have, and agree in.
        least: An association has no fewer exposures.
        exposure_type: The role of its exposures; as they were filed if left out.
    """

    name: str = Field(min_length=1, max_length=250)
    instruments: tuple[str, ...] = ()
    where: dict[str, str] = Field(default_factory=dict)
    group_by: tuple[str, ...] = ()
    least: int = Field(default=2, ge=1)
    exposure_type: MemberType | None = None
    products: tuple[RuleProduct, ...] = (RuleProduct(id=PRIMARY, type="PROD"),)

    @field_validator("where")
    @classmethod
    def _are_expressions(cls, where: dict[str, str]) -> dict[str, str]:
        for name, expression in where.items():
            try:
                re.compile(expression)
            except re.error as error:
                raise ValueError(f"{name}: {expression!r} is no regular expression: {error}") from error
        return where

    @model_validator(mode="after")
    def _makes_what_its_instruments_make(self) -> "Rule":
        ids = [one.id for one in self.products]
        for instrument in self.instruments or ("?",):
            if not rule_of(instrument).allows(ids):
                raise ValueError(f"products {', '.join(ids) or 'none'}: {rule_of(instrument).words}")
        return self

    def agreement(self, instrument: str, attributes: Mapping[str, str]) -> tuple[str, ...] | None:
        """The values in which an exposure agrees with others of its association; None if the rule leaves it out."""
        if self.instruments and instrument not in self.instruments:
            return None
        if not rule_of(instrument).allows([one.id for one in self.products]):
            return None
        for name, expression in self.where.items():
            if re.fullmatch(expression, attributes.get(name, "")) is None:
                return None
        if any(name not in attributes for name in self.group_by):
            return None
        return tuple(attributes[name] for name in self.group_by)


class Rules(_Settings):
    """A file of rules; the first one has what several claim."""

    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> "Rules":
        names = [rule.name for rule in self.rules]
        if len(set(names)) < len(names):
            raise ValueError("two rules have one name")
        return self


def read_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of a file, in its order.

    Raises:
        UserError: ``file_unreadable`` or ``rules_invalid``, saying where they are wrong.
    """
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("file_unreadable", f"{path} cannot be read: {error}", "Name a YAML file.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise _invalid(path, f"it is no YAML: {error}") from error
    try:
        return Rules.model_validate(found).rules
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise _invalid(path, f"{where}: {first['msg']}") from error


def _invalid(path: Path, reason: str) -> UserError:
    return UserError(
        "rules_invalid", f"{path.name} has no rules: {reason}", "Write rules as docs/associations.md shows."
    )
