"""C structs as plain data by the names of their fields, and a digest of how structs are laid out."""

from __future__ import annotations

import hashlib
from typing import Any

from hv.debug.fields import FieldError, hexbytes, items, number, record
from hv.native import ffi, lib

ARENA = ("struct hv_state", "struct evtchn", "struct active_grant", "struct maptrack", "struct page_info")
"""The structs that lie in the arena; those inside them are laid out with them."""
CAPACITIES = (
    "HV_MAX_DOMAINS", "HV_MAX_VCPUS", "HV_DOMAIN_VCPUS", "HV_MAX_PORTS", "HV_MAX_GRANTS", "HV_MAX_MAPTRACK",
)  # fmt: skip


def layout_digest() -> str:
    """SHA-256 of the layout of the arena: name, place, size and type of every field, and how many of what there are."""
    lines = [f"{name} {getattr(lib, name)}" for name in CAPACITIES]
    for name in ARENA:
        _describe(ffi.typeof(name), 0, name, lines)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _describe(ctype: Any, offset: int, name: str, lines: list[str]) -> None:
    """One line a field, with the fields of structs inside."""
    lines.append(f"{name} {offset} {ffi.sizeof(ctype)} {ctype.cname}")
    inner = ctype.item if ctype.kind == "array" else ctype
    if inner.kind == "struct":
        for field, place in inner.fields:
            _describe(place.type, offset + place.offset, f"{name}.{field}", lines)


def plain(value: Any, ctype: Any) -> Any:
    """A C value as plain data: numbers, byte arrays as hexadecimal digits, arrays as lists, structs as objects."""
    if ctype.kind == "struct":
        return {name: plain(getattr(value, name), field.type) for name, field in ctype.fields}
    if ctype.kind == "array":
        if ffi.sizeof(ctype.item) == 1:
            return bytes(ffi.buffer(value)).hex()
        return [plain(value[i], ctype.item) for i in range(ctype.length)]
    return int(value)


def fill(target: Any, ctype: Any, data: Any, what: str) -> None:
    """The reverse of plain(): fill a struct. FieldError: a field is missing, unknown, or no value of its type."""
    names = [name for name, _ in ctype.fields]
    for (name, field), value in zip(ctype.fields, record(data, what, *names), strict=True):
        inner = field.type
        if inner.kind == "struct":
            fill(getattr(target, name), inner, value, f"{what}.{name}")
        elif inner.kind == "array":
            _fill_array(getattr(target, name), inner, value, f"{what}.{name}")
        else:
            setattr(target, name, _scalar(value, inner, f"{what}.{name}"))


def _fill_array(target: Any, ctype: Any, data: Any, what: str) -> None:
    if ffi.sizeof(ctype.item) == 1:
        ffi.buffer(target)[:] = hexbytes(data, what, exactly=ctype.length)
        return
    for i, value in enumerate(items(data, what, ctype.length, ctype.length)):
        if ctype.item.kind == "struct":
            fill(target[i], ctype.item, value, f"{what}[{i}]")
        else:
            target[i] = _scalar(value, ctype.item, f"{what}[{i}]")


def _scalar(value: Any, ctype: Any, what: str) -> int:
    """A number that fits into a C integer."""
    if ctype.kind != "primitive":
        raise FieldError(f"{what} is of no type that a file can hold")
    bits = 8 * ffi.sizeof(ctype)
    signed = int(ffi.cast(ctype, -1)) < 0
    low, high = (-1 << bits - 1, (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return number(value, what, high, low)
