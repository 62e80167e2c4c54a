"""What gdb is told of a vcpu: its registers, and the description of them. Each architecture lists its own:
hv/arch/NAME/gdb.py, whose `target_of(vcpu)` gives a Target.

Sources: gdb's manual, appendix "Target Descriptions".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.arch import architecture

if TYPE_CHECKING:
    from hv.vcpu import Vcpu


class Register(NamedTuple):
    """One register, read from what Target.machine() gives. Which of them may be set, hv.changes knows."""

    name: str
    bits: int
    type: str
    feature: str
    read: Callable[[Any], int | bytes]
    group: str = ""


def _unchanged(machine: Any, values: dict[str, bytes]) -> dict[str, bytes]:
    return values


class Target(NamedTuple):
    """The registers of a kind of vcpu. They are the whole truth: target.xml, the `g` packet and the single registers of
    `p` and `P` come from them."""

    architecture: str
    """As gdb calls it."""
    types: dict[str, str]
    """Feature to the XML of its types, in the order of the registers."""
    registers: tuple[Register, ...]
    machine: Callable[[Vcpu], Any]
    """What the registers of a vcpu are read from, as it is now."""
    at_once: tuple[str, ...]
    """What gdb looks at after every step, so that it need not ask; the last is the program counter."""
    places: Callable[[Vcpu], tuple[int, ...]]
    """Their values, in no time at all."""
    adapted: Callable[[Any, dict[str, bytes]], dict[str, bytes]] = _unchanged
    """What gdb wants to set, as hv.changes takes it."""
    steps_over_watched: bool = False
    """gdb takes it that a watchpoint stops in front of the instruction, and executes that itself before it looks: its
    gdbarch_have_nonsteppable_watchpoint."""



def target_of(vcpu: Vcpu) -> Target:
    """That of a vcpu's kind of domain."""
    found: Target = architecture(vcpu.domain.kind.abi, "gdb").target_of(vcpu)
    return found


def flags_type(name: str, size: int, bits: dict[int, str]) -> str:
    """A type of so many bytes, whose bits gdb shows by name."""
    fields = "".join(f'<field name="{label}" start="{bit}" end="{bit}"/>' for bit, label in bits.items())
    return f'<flags id="{name}" size="{size}">{fields}</flags>\n'


def vector_types(name: str) -> str:
    """A union of that name: 128 bits as vectors of every kind."""
    kinds = (("v4f", "ieee_single", 4), ("v2d", "ieee_double", 2), ("v16i8", "int8", 16), ("v8i16", "int16", 8),
             ("v4i32", "int32", 4), ("v2i64", "int64", 2))  # fmt: skip
    vectors = "".join(f'<vector id="{id}" type="{of}" count="{count}"/>\n' for id, of, count in kinds)
    fields = (("v4_float", "v4f"), ("v2_double", "v2d"), ("v16_int8", "v16i8"), ("v8_int16", "v8i16"),
              ("v4_int32", "v4i32"), ("v2_int64", "v2i64"), ("uint128", "uint128"))  # fmt: skip
    members = "".join(f'<field name="{field}" type="{type}"/>' for field, type in fields)
    return f'{vectors}<union id="{name}">\n{members}\n</union>\n'


def target_xml(target: Target) -> bytes:
    """The target description."""
    return _xml(target.architecture, tuple(target.types.items()), target.registers)


@cache
def _xml(name: str, types: tuple[tuple[str, str], ...], registers: tuple[Register, ...]) -> bytes:
    parts = ['<?xml version="1.0"?>\n<!DOCTYPE target SYSTEM "gdb-target.dtd">\n<target version="1.0">\n'
             f"<architecture>{name}</architecture>\n<osabi>none</osabi>\n"]  # fmt: skip
    number = 0
    for feature, xml in types:
        parts.append(f'<feature name="{feature}">\n{xml}')
        for register in registers:
            if register.feature != feature:
                continue
            group = f' group="{register.group}"' if register.group else ""
            parts.append(f'<reg name="{register.name}" bitsize="{register.bits}" type="{register.type}"'
                         f' regnum="{number}"{group}/>\n')  # fmt: skip
            number += 1
        parts.append("</feature>\n")
    return "".join([*parts, "</target>\n"]).encode()


def encode(register: Register, machine: Any) -> bytes:
    """The value of a register, in its width, little-endian."""
    value = register.read(machine)
    size = register.bits // 8
    return value if isinstance(value, bytes) else (value & (1 << register.bits) - 1).to_bytes(size, "little")


def all_registers(target: Target, vcpu: Vcpu) -> bytes:
    """All of them, as the `g` packet has them before it is hexadecimal."""
    machine = target.machine(vcpu)
    return b"".join(encode(register, machine) for register in target.registers)
