"""The guest ABI in Python: constants, structure layouts, hypercall tables, rules.

Everything here comes from the headers and lists in native/abi through the generated module ``hv._abi_data``;
no number is written twice. Constants are attributes (``abi.EVTCHNOP_send``) with the value that guests of
the first ABI see, or, for names that only another ABI has, that one's; ``constant(name, abi_name)`` gives one ABI's.

    >>> layout("evtchn_bind_virq").unpack(bytes(12))
    {'virq': 0, 'vcpu': 0, 'port': 0}
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from struct import Struct
from typing import Any, NamedTuple

from hv import _abi_data

__all__ = [
    "ABIS",
    "ERRNOS",
    "HYPERCALLS",
    "HYPERCALL_ARGS",
    "HYPERCALL_NUMBERS",
    "RULES",
    "SUBOPS",
    "SUBOP_MASKS",
    "Layout",
    "Rule",
    "SubOp",
    "call_arguments",
    "constant",
    "layout",
    "layout_names",
    "subop_name",
    "subop_of",
    "word_size",
]  # fmt: skip

ABIS: tuple[str, ...] = tuple(_abi_data.LAYOUTS)
"""The guest ABIs that native/abi lays structures out for."""
_FIRST = ABIS[0]


class Rule(NamedTuple):
    """One line of rules.def: why a hypercall may be refused."""

    name: str
    number: int  # as C counts them: 1 is the first
    errno: str
    facts: tuple[str, ...]
    sentence: str


class SubOp(NamedTuple):
    """One sub-operation: its name in the headers and the structure of its argument ("" when it has none)."""

    name: str
    argument: str


class Layout:
    """Where the fields of one structure or union lie for one guest ABI. Integers are little-endian."""

    __slots__ = ("_codec", "_fields", "_names", "_table", "align", "kind", "name", "size")

    def __init__(self, name: str, table: dict[str, list[str]]) -> None:
        kind, size, align, *fields = table[name]
        self.name, self.kind, self.size, self.align = name, kind, int(size), int(align)
        self._table = table
        self._fields = tuple(
            (field, int(offset), code, int(count))
            for field, offset, code, count in (text.split(":") for text in fields)
        )
        # A structure of plain scalars is decoded by one Struct; the rest field by field.
        scalars = all(code not in table and count == 0 for _, _, code, count in self._fields)
        self._names = tuple(field[0] for field in self._fields)
        self._codec = Struct(self._flat_format()) if scalars and self.kind == "struct" else None

    def _flat_format(self) -> str:
        text, at = "<", 0
        for _, offset, code, _ in self._fields:
            text += f"{offset - at}x{code}"
            at = offset + Struct("<" + code).size
        return f"{text}{self.size - at}x"

    # ---- decoding ----
    def unpack(self, data: bytes | bytearray | memoryview, offset: int = 0) -> dict[str, Any]:
        """The fields of the structure at `offset`: ints, bytes (char arrays), lists, dicts (nested
        aggregates; every member of a union is decoded). ValueError: fewer than `size` bytes."""
        if len(data) - offset < self.size or offset < 0:
            raise ValueError(f"struct {self.name}: {self.size} bytes wanted, {len(data) - offset} given")
        if self._codec is not None:
            return dict(zip(self._names, self._codec.unpack_from(data, offset), strict=True))
        return {name: self._unpack_field(code, count, data, offset + at) for name, at, code, count in self._fields}

    def _unpack_field(self, code: str, count: int, data: bytes | bytearray | memoryview, at: int) -> Any:
        if code in self._table:
            inner = _layout_of(code, self._table)
            if count:
                return [inner.unpack(data, at + i * inner.size) for i in range(count)]
            return inner.unpack(data, at)
        if code == "s":
            return bytes(data[at : at + max(count, 1)])
        values = _codec(code, count).unpack_from(data, at)
        return list(values) if count else values[0]

    # ---- encoding ----
    def pack(self, fields: dict[str, Any]) -> bytes:
        """The bytes of the structure; fields that are not given, and padding, are zero. Of a union give one
        member. ValueError: an unknown field, two members of a union, or a value that does not fit."""
        out = bytearray(self.size)
        self._pack_into(out, 0, fields, None)
        return bytes(out)

    def update(self, data: bytes, before: dict[str, Any], after: dict[str, Any]) -> bytes:
        """`data` with just those fields written that differ between `before` and `after` (both as unpack()
        makes them), so that of a union only the member that was set is written. ValueError as pack()."""
        out = bytearray(data)
        self._pack_into(out, 0, after, before)
        return bytes(out)

    def _pack_into(self, out: bytearray, base: int, fields: dict[str, Any], before: dict[str, Any] | None) -> None:
        unknown = fields.keys() - set(self._names)
        changed = {n for n, v in fields.items() if before is None or before.get(n) != v}
        if unknown or (self.kind == "union" and len(changed) > 1):
            what = f"has no {sorted(unknown)}" if unknown else f"takes one member, not {sorted(changed)}"
            raise ValueError(f"{self.kind} {self.name} {what}")
        for name, at, code, count in self._fields:
            if name in changed:
                old = None if before is None else before.get(name)
                self._pack_field(out, base + at, (name, code, count), fields[name], old)

    def _pack_field(self, out: bytearray, at: int, field: tuple[str, str, int], value: Any, old: Any) -> None:
        name, code, count = field
        if code in self._table:
            inner = _layout_of(code, self._table)
            values, olds = (value, old or []) if count else ([value], [old] if old else [])
            self._check_count(name, count, len(values))
            for i, one in enumerate(values):
                inner._pack_into(out, at + i * inner.size, one, olds[i] if i < len(olds) else None)
        elif code == "s":
            room = max(count, 1)
            if len(value) > room:
                raise ValueError(f"struct {self.name}: {name} holds {room} bytes, {len(value)} given")
            out[at : at + room] = bytes(value).ljust(room, b"\0")
        else:
            values = value if count else [value]
            self._check_count(name, count, len(values))
            try:
                _codec(code, count).pack_into(out, at, *values)
            except Exception as error:  # struct.error names no field
                raise ValueError(f"struct {self.name}: {name}: {error}") from None

    def _check_count(self, name: str, count: int, given: int) -> None:
        if count and given != count:
            raise ValueError(f"struct {self.name}: {name} has {count} elements, {given} given")

    # ---- places ----
    def offset(self, path: str) -> int:
        """Byte offset of a field: ``"arch.cr2"``, ``"vcpu_info[1].time"``. KeyError: no such field."""
        return self._locate(path)[0]

    def field_size(self, path: str) -> int:
        """Size in bytes of a field named as for offset()."""
        return self._locate(path)[1]

    def fields(self) -> tuple[str, ...]:
        """Names of the fields in the order of their declaration."""
        return self._names

    def _locate(self, path: str) -> tuple[int, int]:
        head, _, rest = path.partition(".")
        wanted, _, index = head.rstrip("]").partition("[")
        for name, at, code, count in self._fields:
            if name == wanted:
                inner = _layout_of(code, self._table) if code in self._table else None
                size = inner.size if inner else Struct("<" + code).size
                if index:
                    if not index.isdigit() or int(index) >= count:
                        break
                    at += int(index) * size
                elif count:
                    if rest:
                        break
                    size *= count
                if not rest:
                    return at, size
                if inner is None:
                    break
                inner_at, inner_size = inner._locate(rest)
                return at + inner_at, inner_size
        raise KeyError(f"struct {self.name} has no field {path}")


@cache
def _codec(code: str, count: int) -> Struct:
    return Struct(f"<{count}{code}" if count else "<" + code)


_layouts: dict[tuple[int, str], Layout] = {}


def _layout_of(name: str, table: dict[str, list[str]]) -> Layout:
    key = (id(table), name)  # the tables live as long as the module
    found = _layouts.get(key)
    if found is None:
        found = _layouts[key] = Layout(name, table)
    return found


@cache
def _table(abi_name: str) -> dict[str, list[str]]:
    return {name: rest for name, *rest in _rows(_abi_data.LAYOUTS[abi_name])}


def layout_names(abi_name: str = _FIRST) -> tuple[str, ...]:
    """The structures and unions of one ABI; nested ones without a tag are named by their path."""
    return tuple(_table(abi_name))


def layout(name: str, abi_name: str = _FIRST) -> Layout:
    """The layout of a structure or union by its tag. KeyError: that ABI has none of that name."""
    table = _table(abi_name)
    if name not in table:
        raise KeyError(f"native/abi has no struct {name} for {abi_name}")
    return _layout_of(name, table)


@cache
def word_size(abi_name: str) -> int:
    """Bytes of a guest's long (xen_ulong_t)."""
    return layout("vcpu_info", abi_name).field_size("evtchn_pending_sel")


def constant(name: str, abi_name: str = _FIRST) -> int:
    """The value that a constant has for one guest ABI. KeyError: that ABI has none of that name."""
    others = _OTHERS.get(abi_name, {})
    value = others[name] if name in others else _CONSTANTS[name]
    if not isinstance(value, int):
        raise KeyError(f"{name} is a string")
    return value


def subop_name(hypercall: str, number: int) -> str:
    """The name of a sub-operation, or its number in decimal when there is none."""
    found = SUBOPS.get(hypercall, {}).get(number)
    return found.name if found else str(number)


def subop_of(hypercall: str, word: int) -> int | None:
    """The sub-operation that a hypercall's first argument names; None for those where it names none."""
    if hypercall not in SUBOPS or hypercall in _SUBOPS_IN_ARRAY:
        return None
    return word & SUBOP_MASKS.get(hypercall, 0xFFFFFFFF)


def call_arguments(hypercall: str, args: Sequence[int]) -> list[str]:
    """The arguments of a call as people read them: the sub-operation by name, the rest in hexadecimal."""
    shown = [f"{value:#x}" for value in args[: HYPERCALL_ARGS.get(hypercall, len(args))]]
    number = subop_of(hypercall, args[0]) if shown else None
    if number is not None:
        shown[0] = subop_name(hypercall, number)
    return shown


def _rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def _values(text: str) -> dict[str, Any]:
    return {n: int(v) if v.lstrip("-").isdigit() else v for n, v in _rows(text)}


_CONSTANTS = _values(_abi_data.CONSTANTS)
_OTHERS = {name: _values(text) for name, text in _abi_data.OTHER_CONSTANTS.items()}

# Which bits of the first argument are the sub-operation; a C int where nothing is said.
SUBOP_MASKS: dict[str, int] = {"memory_op": _CONSTANTS["MEMOP_CMD_MASK"], "grant_table_op": 0xFFF}
# Their sub-operations are in the elements of an array, not in an argument.
_SUBOPS_IN_ARRAY = frozenset({"mmuext_op"})
HYPERCALLS: dict[int, str] = {int(number): name for number, name, _ in _rows(_abi_data.HYPERCALLS)}
HYPERCALL_NUMBERS: dict[str, int] = {name: number for number, name in HYPERCALLS.items()}
HYPERCALL_ARGS: dict[str, int] = {name: int(nargs) for _, name, nargs in _rows(_abi_data.HYPERCALLS)}
SUBOPS: dict[str, dict[int, SubOp]] = {}
for _call, _number, _name, _argument in _rows(_abi_data.SUBOPS):
    SUBOPS.setdefault(_call, {})[int(_number)] = SubOp(_name, "" if _argument == "0" else _argument)
ERRNOS: dict[str, int] = {name: int(value) for name, value in _rows(_abi_data.ERRNOS)}
RULES: dict[str, Rule] = {
    name: Rule(name, int(number), errno, tuple(facts.split(",")) if facts else (), sentence)
    for name, number, errno, facts, sentence in _rows(_abi_data.RULES)
}

for _constants in (*_OTHERS.values(), _CONSTANTS):
    globals().update((name, value) for name, value in _constants.items() if name not in __all__)


def __getattr__(name: str) -> int:
    # Constants are module globals by now; this is for the type checker, and for a clear message.
    raise AttributeError(f"native/abi defines no constant {name}")
