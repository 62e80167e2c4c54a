"""Conditions of stop points: functions that are asked about the vcpu when it stands there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hv import abi
from hv.debug.call_names import POINTED, SIGNATURES
from hv.debug.commands import CommandError
from hv.debug.expressions import COMPARISONS, compile_expression
from hv.debug.here import call_here

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger
    from hv.debug.stops import Condition
    from hv.vcpu import Vcpu

_FIELD = re.compile(r"(?P<field>[A-Za-z_0-9][\w.]*)\s*(?P<operator>==|!=|<=|>=|<|>)\s*(?P<value>.+)")


def on_expression(debugger: Debugger, text: str) -> Condition:
    """True where the expression is not 0. Where it needs memory that is not mapped it is false. CommandError."""
    try:
        value = compile_expression(text, debugger.symbols)
    except ValueError as error:
        raise CommandError(f"if: {error}") from None

    def holds(vcpu: Vcpu) -> bool:
        try:
            return value(vcpu) != 0
        except ValueError:
            return False

    return holds


def on_field(debugger: Debugger, name: str, sub: str, text: str) -> Condition:
    """FIELD OP VALUE, on the decoded hypercall; false where it has no such field. VALUE is a constant's name
    (DOMID_SELF) or an expression. CommandError, ValueError."""
    found = _FIELD.fullmatch(text)
    if found is None:
        raise ValueError(f"if {text}: not FIELD OP VALUE; OP is one of {' '.join(COMPARISONS)}")
    field, compare = found["field"], COMPARISONS[found["operator"]]
    known = fields(name, sub)
    parts = [part for part in field.split(".") if not part.isdigit()]
    if known and (not parts or parts[0] not in known):
        raise ValueError(f"if {text}: {name} has no field {field}; it has {', '.join(known)}")
    try:
        constant: int | None = abi.constant(found["value"].strip())
    except KeyError:
        constant = None
    wanted = compile_expression(found["value"] if constant is None else str(constant), debugger.symbols)

    def holds(vcpu: Vcpu) -> bool:
        call = call_here(vcpu)
        number = call.field(field) if call is not None else None
        if number is None:
            return False
        try:
            return bool(compare(number, wanted(vcpu)))
        except ValueError:
            return False

    return holds


def fields(name: str, sub: str) -> list[str]:
    """Names that a condition on this hypercall may begin with: its arguments, and the fields of the structures that
    they point to."""
    signature = [one.partition(":") for one in SIGNATURES.get(name, "").split()]
    found = [argument for argument, _, _ in signature]
    for _, _, kind in signature:
        tag = kind.partition("[")[0]
        if tag == "*":
            found += [field for structure in _structures(name, sub) for field in abi.layout(structure).fields()]
            found += [POINTED[op.name][0] for op in _operations(name, sub) if op.name in POINTED]
        elif tag in abi.layout_names():
            found += abi.layout(tag).fields()
    return list(dict.fromkeys(found))


def _operations(name: str, sub: str) -> list[Any]:
    """The sub-operations that are meant: of `sub`, or all."""
    known = abi.SUBOPS.get(name, {}).values()
    return [op for op in known if not sub or sub in (op.name, op.name.split("_", 1)[-1])]


def _structures(name: str, sub: str) -> list[str]:
    wanted = dict.fromkeys(op.argument for op in _operations(name, sub))
    return [structure for structure in wanted if structure in abi.layout_names()]
