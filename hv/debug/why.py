"""Why hypercalls failed: each refusal with its rule, the decoded call and the guest's call stack, as text and as data.

`report(hv, symbols)` may be called on a live hypervisor or a finished one. The stack and the arguments' memory are
those of the moment, if `hv.refusals.keep_evidence()` was called before; without, only numbers are left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from hv import abi
from hv.debug.calls import Call, decode_call
from hv.debug.records import refusal_data, result_text
from hv.debug.stack import candidates
from hv.native import lib

if TYPE_CHECKING:
    from hv.debug.calls import ReadMemory
    from hv.debug.symbols import Symbols
    from hv.hypervisor import Hypervisor
    from hv.refusals import Refusal

__all__ = ["Failure", "as_data", "as_text", "failures", "report"]


class Failure(NamedTuple):
    """One kind of refusal: the first of the kind, how many there were, the call decoded (None for an instruction), and
    the addresses of its call stack, the innermost first (empty when none was kept)."""

    first: Refusal
    times: int
    call: Call | None
    stack: tuple[int, ...]


def failures(hv: Hypervisor, symbols: Symbols | None = None) -> list[Failure]:
    """The refusals since the last look, oldest first; those from one place in the guest, by one rule, are one."""
    code = _code_reader(hv, symbols)
    found: dict[Any, Failure] = {}
    for refusal in hv.refusals.collect():
        evidence = refusal.evidence
        kind = (refusal.hypercall, refusal.args[0] & 0xFFFF, refusal.error.rule, evidence and evidence.rip)
        if kind in found:
            found[kind] = found[kind]._replace(times=found[kind].times + 1)
        else:
            stack = () if evidence is None else candidates(evidence, code, symbols)
            found[kind] = Failure(refusal, 1, _decode(refusal), stack)
    return list(found.values())


def report(hv: Hypervisor, symbols: Symbols | None = None) -> str:
    """The failures since the last look, for people."""
    return as_text(failures(hv, symbols), symbols)


def as_text(found: Iterable[Failure], symbols: Symbols | None = None) -> str:
    """For people: a paragraph each."""
    return "\n".join(_paragraph(one, symbols) for one in found) or "no hypercall was refused\n"


def as_data(found: Iterable[Failure], symbols: Symbols | None = None) -> list[dict[str, Any]]:
    """For JSON: a dictionary each."""
    return [
        {
            "when": one.first.when,
            "domid": one.first.domid,
            "vcpu": one.first.vcpu,
            "count": one.times,
            "result": one.first.result,
            "call": one.first.call if one.call is None else one.call.data(),
            "refused": refusal_data(one.first.error),
            "stack": [{"address": at, "place": _place(at, symbols)} for at in one.stack],
        }
        for one in found
    ]


def _paragraph(one: Failure, symbols: Symbols | None) -> str:
    refusal, error = one.first, one.first.error
    times = f" ({one.times:,} times; this is the first)" if one.times > 1 else ""
    call = refusal.call if one.call is None else one.call.text()
    facts = ", ".join(f"{name}={value} ({value:#x})" for name, value in error.facts.items())
    lines = [
        f"instruction {refusal.when:,}, d{refusal.domid}v{refusal.vcpu}{times}",
        f"  {call} = {result_text(refusal.result)}",
        f"  {error.errno_name} by rule {error.rule}{f': {facts}' if facts else ''}",
        f"  {error.sentence}",
        *(f"    #{depth} {at:#018x} {_place(at, symbols)}".rstrip() for depth, at in enumerate(one.stack)),
    ]
    return "\n".join(lines) + "\n"


def _place(address: int, symbols: Symbols | None) -> str:
    return "" if symbols is None else symbols.describe(address)


def _decode(refusal: Refusal) -> Call | None:
    if refusal.hypercall == lib.HV_NO_HYPERCALL:
        return None
    name = abi.HYPERCALLS.get(refusal.hypercall, f"hypercall {refusal.hypercall}")
    evidence = refusal.evidence
    read: ReadMemory = (lambda address, length: None) if evidence is None else evidence.read_argument
    return decode_call(name, refusal.args, read)


def _code_reader(hv: Hypervisor, symbols: Symbols | None) -> Callable[[int, int], bytes | None]:
    """Code by address: as some vcpu sees it now, else as the kernel file has it."""
    segments = symbols.image.segments if symbols is not None and symbols.image is not None else ()
    vcpus = [vcpu for domain in hv.domains.values() for vcpu in domain.vcpus if vcpu.c.initialised]

    def read(address: int, length: int) -> bytes | None:
        for vcpu in vcpus:
            data = vcpu.peek(address, length)
            if data is not None:
                return data
        for part in segments:
            at = address - part.vaddr
            if at >= 0 and at + length <= len(part.data):
                return bytes(part.data[at : at + length])
        return None

    return read
