"""What immutable values of devices look like as plain data: written by what they are, read by what they must be.

`plain()` writes: numbers, flags, texts and None as they are, bytes as hexadecimal digits, tuples as lists. A Shape
reads that back, checks type and range of everything on the way, and gives values of the very types that were written:
a state hash comes out the same. FieldError: the data are not of this shape.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from hv.debug.fields import FieldError, flag, hexbytes, items, number, text

U8, U16, U32, U64 = ((1 << bits) - 1 for bits in (8, 16, 32, 64))
Shape = Callable[[Any, str], Any]
"""Called with plain data and what they are, for people; gives the value."""
Special = Callable[[Any], Any]
"""How plain() writes a value that is none of the usual ones."""


def plain(value: Any, special: Special) -> Any:
    """A device's saved value as plain data."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [plain(item, special) for item in value]
    return special(value)


def integer(high: int, low: int = 0, make: Callable[[int], Any] = int) -> Shape:
    """A number from `low` to `high`."""
    return lambda data, what: make(number(data, what, high, low))


def octets(limit: int, at_least: int = 0) -> Shape:
    """Bytes, `at_least` to `limit` of them."""

    def read(data: Any, what: str) -> bytes:
        found = hexbytes(data, what, limit)
        if len(found) < at_least:
            raise FieldError(f"{what} are {len(found)} bytes, and must be {at_least}")
        return found

    return read


def exactly(count: int) -> Shape:
    """So many bytes."""
    return octets(count, count)


def empty_or(count: int) -> Shape:
    """So many bytes, or none."""
    return lambda data, what: exactly(count if data else 0)(data, what)


def one_of(*values: Any) -> Shape:
    """One of these values, and of its type."""

    def read(data: Any, what: str) -> Any:
        for value in values:
            if type(data) is type(value) and data == value:
                return value
        raise FieldError(f"{what} is none of {', '.join(map(repr, values))}")

    return read


def words(limit: int) -> Shape:
    """A text of at most `limit` characters."""
    return lambda data, what: text(data, what, limit)


def maybe(shape: Shape) -> Shape:
    """None, or what the shape says."""
    return lambda data, what: None if data is None else shape(data, what)


def many(shape: Shape, limit: int, at_least: int = 0) -> Shape:
    """A tuple of values of one shape."""
    return lambda data, what: tuple(
        shape(item, f"{what}[{i}]") for i, item in enumerate(items(data, what, limit, at_least))
    )


def row(*shapes: Shape, make: Callable[[Iterable[Any]], Any] = tuple) -> Shape:
    """A tuple of values of these shapes; `make` builds another type of them."""

    def read(data: Any, what: str) -> Any:
        values = items(data, what, len(shapes), len(shapes))
        return make([shape(item, f"{what}[{i}]") for i, (shape, item) in enumerate(zip(shapes, values, strict=True))])

    return read


Limits = Mapping[str, Shape | int]
"""Of fields, by name: their shape, or the highest number."""
Known = Mapping[type, Limits]


def like(value: Any, known: Known) -> Shape:
    """The shape of values like this one, which is a device's after power-on: numbers up to 2^32 - 1 (or from -1, where
    that stands for none), as many bytes and elements as there are, and up to 64 KiB where there are none."""
    if isinstance(value, bool):
        return flag
    if isinstance(value, int):
        return integer(U32, min(value, 0))
    if isinstance(value, bytes):
        return exactly(len(value)) if value else octets(1 << 16)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        fields = dict(zip(value._fields, value, strict=True))
        return row(*_fields(type(value), fields, known), make=cast("Any", type(value))._make)
    if isinstance(value, tuple) and value:
        return row(*(like(item, known) for item in value))
    raise TypeError(f"{value!r}: nothing says what values of this kind there are")


def _fields(cls: type, first: Mapping[str, Any], known: Known) -> list[Shape]:
    limits: dict[str, Shape | int] = {}
    for base in reversed(cls.__mro__):
        limits |= known.get(base, {})
    shapes: list[Shape] = []
    for name, value in first.items():
        given = limits.get(name)
        if isinstance(given, int):
            low = min(value, 0) if isinstance(value, int) else 0
            shapes.append(integer(given, low))
        else:
            shapes.append(given or like(value, known))
    return shapes


def state_shape(cls: type[Any], known: Known) -> Shape:
    """The shape of the values of all fields of a state (hv.devices.device.state_values), in order."""
    first = {field.name: _default(field) for field in dataclasses.fields(cls)}
    shapes = _fields(cls, first, known)

    def read(data: Any, what: str) -> tuple[Any, ...]:
        values = items(data, what, len(shapes), len(shapes))
        named = zip(first, shapes, values, strict=True)
        return tuple(shape(value, f"{what}.{name}") for name, shape, value in named)

    return read


def _default(field: dataclasses.Field[Any]) -> Any:
    """What a field is at first; of one that has no such value nothing can be derived, so its shape must be given."""
    if field.default is not dataclasses.MISSING:
        return field.default
    return None if field.default_factory is dataclasses.MISSING else field.default_factory()
