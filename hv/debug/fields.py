"""Plain data from a file, checked: each function returns a value of the type and in the range that is asked for, or
raises FieldError. What comes out of json.loads() passes here before anything else looks at it.
"""

from __future__ import annotations

from typing import Any

U64 = (1 << 64) - 1


class FieldError(ValueError):
    """A value is missing, of another type, or out of range. `str()` says which and why."""


def number(value: Any, what: str, high: int, low: int = 0) -> int:
    """An integer from `low` to `high`."""
    if type(value) is not int or not low <= value <= high:
        raise FieldError(f"{what} is no number from {low} to {high}")
    return value


def text(value: Any, what: str, limit: int = 1 << 20) -> str:
    """A string of at most `limit` characters that could be written to a terminal: no lone surrogates."""
    if type(value) is not str or len(value) > limit or any("\ud800" <= c <= "\udfff" for c in value):
        raise FieldError(f"{what} is no text")
    return value


def flag(value: Any, what: str) -> bool:
    """true or false."""
    if type(value) is not bool:
        raise FieldError(f"{what} is neither true nor false")
    return value


def hexbytes(value: Any, what: str, limit: int | None = None, exactly: int | None = None) -> bytes:
    """Bytes as hexadecimal digits."""
    try:
        data = bytes.fromhex(value) if type(value) is str else None
    except ValueError:
        data = None
    if data is None or (limit is not None and len(data) > limit) or (exactly is not None and len(data) != exactly):
        raise FieldError(f"{what} are no bytes, or not as many as there can be")
    return data


def items(value: Any, what: str, limit: int, at_least: int = 0) -> list[Any]:
    """A list of `at_least` to `limit` values."""
    if type(value) is not list or not at_least <= len(value) <= limit:
        raise FieldError(f"{what} is no list of {at_least} to {limit}")
    return value


def record(value: Any, what: str, *names: str) -> list[Any]:
    """The values of an object that has exactly these names, in this order."""
    if type(value) is not dict or value.keys() != set(names):
        raise FieldError(f"{what} has not the fields {', '.join(names)}")
    return [value[name] for name in names]


def mapping(value: Any, what: str, limit: int = 1 << 16) -> dict[str, Any]:
    """An object of any names."""
    if type(value) is not dict or len(value) > limit:
        raise FieldError(f"{what} is no object")
    return value
