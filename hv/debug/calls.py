"""Hypercalls in words: the sub-operation, each argument by name, and what the arguments point to, field by field.

    call = decode_call("event_channel_op", args, read)
    call.text()          # event_channel_op(EVTCHNOP_send, {port=3})
    call.field("port")   # 3

`read(address, length)` gives guest memory, or None for what cannot be read: a stopped vcpu's `peek`, or the bytes that
a trace copied when the call was made. Which structure belongs to which sub-operation is told by native/abi/subops.def,
its fields by the headers; the names of the arguments and of constants are in hv/debug/call_names.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from hv import abi
from hv.debug.call_names import (
    MEMBERS,
    OUTPUT_ONLY,
    POINTED,
    SIGNATURES,
    constant_name,
    is_address,
    is_amount,
    update_flags,
)

__all__ = ["Argument", "Call", "ReadMemory", "changes", "decode_call", "output", "show"]

ReadMemory = Callable[[int, int], "bytes | None"]
ELEMENTS = 32
"""Elements of an array that are decoded at most."""
SHOWN = 8
"""Elements of an array that text() shows; of bytes, eight times as many."""
_KNOWN = 512  # calls and sub-operations whose signature is remembered: a guest can name any number
_PREEMPTED = 0x80000000  # MMU_UPDATE_PREEMPTED, in the count of a continuation


class Argument(NamedTuple):
    """One argument: its name and value; `content` is what it points to (a dict, a list of them, bytes) or None; `word`
    its text where it is a constant with a name."""

    name: str
    value: int
    content: Any = None
    word: str | None = None


class Call(NamedTuple):
    """A decoded hypercall. `subop` is the sub-operation's name (a number where it has none), None for calls without
    one. Structures are dicts of ints, bytes, dicts and lists, by the names of the headers."""

    name: str
    subop: str | None
    arguments: tuple[Argument, ...]

    def field(self, path: str) -> int | None:
        """An argument, or a field of what one points to: ``port``, ``arg1.mfn``, ``1.val`` (of an array's element).
        None: the call has no such number."""
        for argument in self.arguments:
            if argument.name == path:
                return argument.value
        for argument in self.arguments:
            found = _walk(argument.content, path.split("."))
            if found is not None:
                return found
        return None

    def text(self) -> str:
        """As strace writes a system call."""
        shown = []
        for argument in self.arguments:
            if argument.content is not None:
                shown.append(show(argument.content, self.structures.get(argument.name, "")))
            elif argument.word is not None:
                shown.append(argument.word)
            else:
                shown.append(f"{argument.name}={number(argument.name, argument.value)}")
        return f"{self.name}({', '.join(shown)})"

    @property
    def structures(self) -> dict[str, str]:
        """The structure's tag for each argument that points to one."""
        found = {}
        for name, kind in _signature(self.name):
            tag, _, _ = kind.partition("[")
            found[name] = _structure(self.name, self.subop) if tag == "*" else tag
        return found

    def data(self) -> dict[str, Any]:
        """For JSON: name, sub-operation, the arguments and what they point to."""
        out: dict[str, Any] = {"name": self.name}
        if self.subop is not None:
            out["subop"] = self.subop
        out["args"] = {argument.name: argument.value for argument in self.arguments}
        content = {one.name: plain(one.content) for one in self.arguments if one.content is not None}
        if content:
            out["content"] = content
        return out


def decode_call(
    name: str, args: Sequence[int], read: ReadMemory, abi_name: str = "x86_64", *, answered: bool = False
) -> Call:
    """Decode a hypercall by its name in hypercalls.def, its six argument words, and the caller's memory.

    answered: the call has been made; structures that Xen only writes mean something then.
    """
    signature = _signature(name)
    values = {argument: args[at] for at, (argument, _) in enumerate(signature)}
    found = abi.subop_of(name, args[0]) if signature else None
    subop = None if found is None else abi.subop_name(name, found)
    arguments = tuple(
        _argument(argument, kind, values, _Place(name, subop, read, abi_name, answered)) for argument, kind in signature
    )
    return Call(name, subop, arguments)


class _Place(NamedTuple):
    call: str
    subop: str | None
    read: ReadMemory
    abi: str
    answered: bool


@lru_cache(_KNOWN)
def _signature(name: str) -> tuple[tuple[str, str], ...]:
    """(argument, kind) of each argument; those of calls that the table does not have are numbers."""
    text = SIGNATURES.get(name)
    if text is None:
        return tuple((f"arg{at}", "x") for at in range(abi.HYPERCALL_ARGS.get(name, 6)))
    return tuple((one.partition(":")[0], one.partition(":")[2]) for one in text.split())


@lru_cache(_KNOWN)
def _structure(name: str, subop: str | None) -> str:
    """The structure of a sub-operation; "" when it has none."""
    return next((found.argument for found in abi.SUBOPS.get(name, {}).values() if found.name == subop), "")


@lru_cache(_KNOWN)
def _layout(structure: str, abi_name: str) -> abi.Layout | None:
    try:
        return abi.layout(structure, abi_name)
    except KeyError:
        return None


def _argument(name: str, kind: str, values: dict[str, int], place: _Place) -> Argument:
    value = values[name]
    tag, _, length = kind.partition("[")
    if kind == "subop":
        return Argument(name, value, word=place.subop)
    if kind == "uvmf":
        return Argument(name, value, word=update_flags(value))
    if kind in ("n", "x"):
        return Argument(name, value, word=constant_name(place.call, name, value))
    count = 1 if not length else values[length.rstrip("]")] & 0xFFFFFFFF & ~_PREEMPTED
    if not value or not count:
        return Argument(name, value)
    if tag == "bytes":
        return Argument(name, value, place.read(value, min(count, ELEMENTS * SHOWN)))
    if tag == "*" and place.subop in POINTED:
        return Argument(name, value, _pointed(value, POINTED[place.subop], place))
    structure = _structure(place.call, place.subop) if tag == "*" else tag
    if _layout(structure, place.abi) is None or (structure in OUTPUT_ONLY and not place.answered):
        return Argument(name, value)
    elements = list(_elements(structure, value, count if length else 1, place))
    if not elements:
        return Argument(name, value)
    return Argument(name, value, elements if length else elements[0])


def _pointed(address: int, what: tuple[str, str], place: _Place) -> dict[str, int] | None:
    """A number that an argument points to, by its name; None where it cannot be read."""
    field, code = what
    data = place.read(address, struct.calcsize(code))
    return None if data is None or len(data) < struct.calcsize(code) else {field: struct.unpack(code, data)[0]}


def _elements(structure: str, address: int, count: int, place: _Place) -> Iterator[Any]:
    """The elements of an array, up to ELEMENTS, as far as they can be read. A list of traps ends by itself."""
    layout = abi.layout(structure, place.abi)  # the caller has found it
    for at in range(ELEMENTS if structure == "trap_info" else min(count, ELEMENTS)):
        data = place.read(address + at * layout.size, layout.size)
        if data is None or len(data) < layout.size:
            return
        fields = layout.unpack(data)
        if structure == "trap_info" and fields["address"] == 0:
            return
        yield _entry(fields, place) if structure == "multicall_entry" else fields


def _entry(fields: dict[str, Any], place: _Place) -> Call | dict[str, Any]:
    """An entry of a multicall is a call itself."""
    name = abi.HYPERCALLS.get(fields["op"])
    if name is None or name == "multicall":
        return fields
    return decode_call(name, fields["args"], place.read, place.abi)


def changes(before: Any, after: Any) -> Any:
    """What of `after` differs from `before`: fields of structures, for each element of an array. None: nothing."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = {name: changes(before.get(name), value) for name, value in after.items()}
        return {name: value for name, value in found.items() if value is not None} or None
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        each = [changes(old, new) for old, new in zip(before, after, strict=True)]
        return None if all(one is None for one in each) else [one or {} for one in each]
    return None if before == after else after


def output(before: Call, after: Call) -> Argument | None:
    """The argument whose memory the call has changed, with just what has changed as its content."""
    for old, new in zip(before.arguments, after.arguments, strict=True):
        found = None if new.content is None else changes(old.content, new.content)
        if found is not None:
            return new._replace(content=found)
    return None


def _walk(content: Any, path: list[str]) -> int | None:
    for step in path:
        if isinstance(content, dict):
            content = content.get(step)
        elif isinstance(content, list):
            if not step.isdigit():
                return _walk(content[0], path) if content else None
            content = content[int(step)] if int(step) < len(content) else None
        else:
            return None
    return content if isinstance(content, int) else None


# ---- text ----


def number(name: str, value: int) -> str:
    """A number as people read it: addresses, frames and what is large in hexadecimal, but not counts and times."""
    return hex(value) if is_address(name) or (value > 0xFFFF and not is_amount(name)) else str(value)


def show(content: Any, structure: str = "") -> str:
    """What an argument points to, as text; `structure` is its tag, for the names of constants."""
    if isinstance(content, Call):
        return content.text()
    if isinstance(content, bytes):
        return _quoted(content)
    if isinstance(content, list):
        shown = [show(one, structure) for one in content[:SHOWN]]
        return f"[{', '.join(shown)}{', ...' if len(content) > SHOWN else ''}]"
    if isinstance(content, dict):
        return _fields(content, structure)
    return number("", content)


def _fields(fields: dict[str, Any], structure: str) -> str:
    members = MEMBERS.get(structure, {})
    shown = []
    for name, value in fields.items():
        if name.lstrip("_").startswith(("pad", "rsvd", "unused")):
            continue
        if name in members:
            chosen = [member for member in members[name](fields) if member in value]
            shown += [f"{member}={number(member, value[member])}" for member in chosen]
        elif isinstance(value, int):
            word = constant_name(structure, name, value)
            shown.append(f"{name}={number(name, value) if word is None else word}")
        else:
            shown.append(f"{name}={show(value, f'{structure}.{name}')}")
    if len(shown) > 2 * SHOWN:
        shown[2 * SHOWN :] = ["..."]
    return f"{{{', '.join(shown)}}}"


def _quoted(data: bytes) -> str:
    """Bytes as a C string: at most ELEMENTS * 2 of them, without the zeros behind."""
    data = data.rstrip(b"\0")
    text = data[: ELEMENTS * 2].decode("latin-1").encode("unicode_escape").decode().replace('"', '\\"')
    return f'"{text}"{"..." if len(data) > ELEMENTS * 2 else ""}'


def plain(content: Any) -> Any:
    """Content for JSON: bytes as hexadecimal text, calls as dicts."""
    if isinstance(content, Call):
        return content.data()
    if isinstance(content, bytes):
        return content.hex()
    if isinstance(content, list):
        return [plain(one) for one in content]
    if isinstance(content, dict):
        return {name: plain(value) for name, value in content.items()}
    return content
