"""What pydantic found, told in our words: which key, what is wrong with it, and what to write instead."""

from collections.abc import Callable
from datetime import timedelta
from difflib import get_close_matches

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from libs.sites.findings import Issue, KeyPath, Part, error
from libs.sites.models import (
    AssociationSettings,
    ClaimSettings,
    Deployment,
    DiskLocation,
    HttpSettings,
    InstrumentSettings,
    LogSettings,
    NatsSettings,
    OpsDbSettings,
    RouteSettings,
    S3Location,
    ScanSettings,
    SiteSettings,
)
from libs.sites.retention import Retention
from libs.sites.scrubs import ScrubSettings

_STORAGES: dict[str, type[BaseModel]] = {"disk": DiskLocation, "s3": S3Location}
_MODELS: dict[str, type[BaseModel]] = {
    "": Deployment,
    "sites *": SiteSettings,
    "sites * nats": NatsSettings,
    "sites * opsdb": OpsDbSettings,
    "sites * http": HttpSettings,
    "sites * scan": ScanSettings,
    "sites * claims": ClaimSettings,
    "sites * associations": AssociationSettings,
    "sites * locations * disk": DiskLocation,
    "sites * locations * s3": S3Location,
    "sites * locations * * retention": Retention,
    "sites * locations * * log": LogSettings,
    "sites * locations * * scrub": ScrubSettings,
    "instruments *": InstrumentSettings,
    "routes *": RouteSettings,
}
"""Where each settings class stands in pydantic's locations; * is a name."""
_EXPECTED = {
    "string_type": "text",
    "path_type": "a path",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "tuple_type": "a list",
    "time_delta_type": "a duration such as 30s or 12h",
    "time_delta_parsing": "a duration such as 30s or 12h",
    "byte_size": "a size such as 50 GB or 20 MiB",
    "byte_size_unit": "a size such as 50 GB or 20 MiB",
}
_RANGES = {
    "greater_than": "above",
    "greater_than_equal": "not below",
    "less_than": "below",
    "less_than_equal": "not above",
}
_LOCATION_STEPS = 4
_LONGEST_SHOWN = 60


def issue_of(details: ErrorDetails) -> Issue:
    """One pydantic error as an issue."""
    kind, raw = details["type"], details["loc"]
    if raw[-1:] == ("[key]",):
        return _bad_name(key_path(raw)[:-1], details)
    if kind in _EXPECTED:
        return _wrong_type(key_path(raw), details)
    return _WORDINGS.get(kind, _other)(raw, details)


def key_path(raw: tuple[str | int, ...]) -> KeyPath:
    """A pydantic location without the tag that tells disk from S3 locations."""
    if is_location(raw):
        return raw[:_LOCATION_STEPS] + raw[_LOCATION_STEPS + 1 :]
    return raw


def is_location(raw: tuple[str | int, ...]) -> bool:
    """Whether a pydantic location lies within a data location's settings, so that its tag is the fifth step."""
    return len(raw) > _LOCATION_STEPS and raw[0] == "sites" and raw[2] == "locations" and raw[4] in _STORAGES


def model_at(raw: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The settings class at a pydantic location; None where the file holds no settings."""
    return next((model for form, model in _MODELS.items() if _fits(raw, form)), None)


def _fits(raw: tuple[str | int, ...], form: str) -> bool:
    steps = form.split()
    return len(raw) == len(steps) and all(
        step in ("*", found) for step, found in zip(steps, raw, strict=True)
    )


def shown(value: object) -> str:
    """A value as it is written in the file, cut to a readable length."""
    match value:
        case None:
            text = "nothing"
        case bool():
            text = str(value).lower()
        case timedelta():
            text = f"{value.total_seconds():g}s"
        case _:
            text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def nearest(word: object, words: list[str]) -> str:
    """``Did you mean x? `` or nothing."""
    by_lower = {known.lower(): known for known in words}
    close = get_close_matches(str(word).lower(), by_lower, n=1)
    return f"Did you mean {by_lower[close[0]]}? " if close else ""


def _fields(raw: tuple[str | int, ...]) -> list[str]:
    model = model_at(raw)
    return list(model.model_fields) if model else []


def _missing(raw: tuple[str | int, ...], _details: ErrorDetails) -> Issue:
    path = key_path(raw)
    where = f"below {path[-2]}" if path[1:] else "at the top of the file"
    return error(path, "key_missing", f"{path[-1]!r} is missing", f"Add {path[-1]}: {where}.", Part.KEY)


def _unknown(raw: tuple[str | int, ...], _details: ErrorDetails) -> Issue:
    key, fields = str(raw[-1]), _fields(raw[:-1])
    hint = nearest(key, fields)
    if not hint and key in S3Location.model_fields and is_location(raw):
        hint = "It belongs to a location with storage: s3. "
    remedy = f"{hint}Keys that may stand here: {', '.join(fields)}."
    return error(key_path(raw), "key_unknown", f"the key {key!r} is unknown", remedy, Part.KEY)


def _not_allowed(raw: tuple[str | int, ...], details: ErrorDetails) -> Issue:
    expected = str(details.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ")
    return _choose(key_path(raw), details["input"], expected.split(", "))


def _wrong_storage(raw: tuple[str | int, ...], details: ErrorDetails) -> Issue:
    return _choose((*raw, "storage"), details.get("ctx", {}).get("tag"), list(_STORAGES))


def _choose(path: KeyPath, value: object, values: list[str]) -> Issue:
    remedy = f"{nearest(value, values)}Values that may stand here: {', '.join(values)}."
    return error(path, "value_not_allowed", f"{shown(value)} is no value for {path[-1]}", remedy)


def _bad_name(path: KeyPath, details: ErrorDetails) -> Issue:
    reason = f"{shown(details['input'])} is no name"
    remedy = "Use 1 to 63 lower-case letters, digits and hyphens, the first no hyphen."
    return error(path, "name_invalid", reason, remedy, Part.KEY)


def _bad_value_name(raw: tuple[str | int, ...], details: ErrorDetails) -> Issue:
    found = _bad_name(key_path(raw), details)
    return Issue(found.path, found.problem)


def _wrong_type(path: KeyPath, details: ErrorDetails) -> Issue:
    expected, value = _EXPECTED[details["type"]], details["input"]
    quote = expected in ("text", "a path") and isinstance(value, bool | int | float)
    remedy = (
        "Put quotes around it." if quote else f"Write {expected}, or leave {path[-1] if path else 'it'} out."
    )
    return error(path, "type_wrong", f"expected {expected}, found {_kind(value)}", remedy)


def _kind(value: object) -> str:
    match value:
        case dict():
            return "keys and values"
        case list():
            return "a list"
        case _:
            return shown(value)


def _invalid(raw: tuple[str | int, ...], details: ErrorDetails) -> Issue:
    reason, _, remedy = str(details.get("ctx", {}).get("error", details["msg"])).partition("; ")
    remedy = remedy or "correct the value"
    return error(key_path(raw), "value_invalid", reason, f"{remedy[0].upper()}{remedy[1:]}.")


def _out_of_range(raw: tuple[str | int, ...], details: ErrorDetails) -> Issue:
    limit = next(iter(details.get("ctx", {}).values()), "")
    reason = f"{shown(details['input'])} is out of range"
    remedy = f"Write a value {_RANGES[details['type']]} {limit}."
    return error(key_path(raw), "value_out_of_range", reason, remedy)


def _empty(raw: tuple[str | int, ...], _details: ErrorDetails) -> Issue:
    return error(
        key_path(raw), "value_empty", f"{raw[-1]} is empty or too short", "Write at least one entry."
    )


def _other(raw: tuple[str | int, ...], details: ErrorDetails) -> Issue:
    reason = f"{shown(details['input'])} will not do: {details['msg'].lower()}"
    return error(
        key_path(raw), "value_invalid", reason, "Correct the value; docs/configuration.md has its limits."
    )


_WORDINGS: dict[str, Callable[[tuple[str | int, ...], ErrorDetails], Issue]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "enum": _not_allowed,
    "literal_error": _not_allowed,
    "union_tag_invalid": _wrong_storage,
    "string_pattern_mismatch": _bad_value_name,
    "value_error": _invalid,
    "too_short": _empty,
    **dict.fromkeys(_RANGES, _out_of_range),
}
