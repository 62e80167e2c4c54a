"""Why hypercalls failed: each refusal with its rule, the decoded call and the guest's call stack, as text and as data.

`report(hv, symbols)` may be called on a live hypervisor or a finished one. The stack and the arguments' memory are
those of the moment, if `hv.refusals.keep_evidence()` was called before; without, only numbers are left.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from hv import abi
from hv.debug.calls import Call, decode_call
from hv.debug.records import refusal_data, result_text
from hv.debug.symbols import Symbols
from hv.debug.symbols.cursor import WORD, Cursor, Memory
from hv.debug.symbols.stack import HERE, Frame, unwind
from hv.native import lib
from hv.refusals import grant_status

if TYPE_CHECKING:
    from hv.debug.calls import ReadMemory
    from hv.hypervisor import Hypervisor
    from hv.refusals import Evidence, Refusal

__all__ = ["Failure", "as_data", "as_text", "call_stack", "failures", "report"]


DEPTH = 32
"""Frames of a call stack at most."""


class Failure(NamedTuple):
    """One kind of refusal: the first of the kind, how many there were, the call decoded (None for an instruction), and
    the frames of its call stack, the innermost first (empty when none was kept)."""

    first: Refusal
    times: int
    call: Call | None
    stack: tuple[Frame, ...]


def failures(
    hv: Hypervisor, symbols: Symbols | None = None, refusals: Iterable[Refusal] | None = None
) -> list[Failure]:
    """These refusals, or those since the last look, oldest first; those from one place in the guest, by one rule, are
    one."""
    known = symbols or Symbols()
    found: dict[Any, Failure] = {}
    for refusal in hv.refusals.collect() if refusals is None else refusals:
        evidence = refusal.evidence
        where = evidence and _place(evidence)
        kind = (refusal.hypercall, refusal.args[0] & 0xFFFF, refusal.error.rule, where)
        if kind in found:
            found[kind] = found[kind]._replace(times=found[kind].times + 1)
        else:
            code = _memory_now(hv, refusal.domid, known)
            stack = () if evidence is None else tuple(call_stack(evidence, known, code))
            found[kind] = Failure(refusal, 1, _decode(refusal), stack)
    return list(found.values())


def _place(evidence: Evidence) -> tuple[int, bytes | None]:
    """Where the guest was: its program counter, and who called, as far as the top of the stack tells."""
    registers, arch = evidence.registers, evidence.arch
    return registers[arch.PC], evidence.read_stack(registers[arch.STACK], 32)


class _Copy(Memory):
    """A copy of the stack: a read that runs off its end gives what there is."""

    def words(self, address: int, count: int, size: int = WORD) -> list[int]:
        """Up to `count` words."""
        found = (self.word(address + size * at, size) for at in range(count))
        return list(takewhile(lambda word: word is not None, found))  # type: ignore[arg-type]


def call_stack(evidence: Evidence, symbols: Symbols, code: ReadMemory) -> list[Frame]:
    """The call stack of the moment when the evidence was taken, as far as the copied stack reaches. `code`: memory as
    it is now, of which only functions are read."""

    def read(address: int, length: int) -> bytes | None:
        symbol = symbols.table.at(address)
        return code(address, length) if symbol and symbol.code else evidence.read_stack(address, length)

    registers, arch = dict(evidence.registers), evidence.arch
    cursor = Cursor(registers.pop(arch.PC) - arch.HYPERCALL_BYTES, registers, True, HERE)
    return unwind(cursor, symbols, _Copy(read), DEPTH, arch.RECORD)


def _memory_now(hv: Hypervisor, domid: int, symbols: Symbols) -> ReadMemory:
    """The domain's memory as a vcpu of it sees it, else what is in the kernel file."""
    vcpus = [vcpu for domain in hv.domains.values() if domain.domid == domid for vcpu in domain.vcpus]

    def read(address: int, length: int) -> bytes | None:
        for vcpu in vcpus:
            if vcpu.c.initialised and (data := vcpu.peek(address, length)) is not None:
                return data
        for part in symbols.image.segments if symbols.image else ():
            at = address - part.vaddr
            if at >= 0 and at + length <= len(part.data):
                return bytes(part.data[at : at + length])
        return None

    return read


def report(hv: Hypervisor, symbols: Symbols | None = None) -> str:
    """The failures since the last look, for people."""
    return as_text(failures(hv, symbols))


def as_text(found: Iterable[Failure]) -> str:
    """For people: a paragraph each."""
    return "\n".join(_paragraph(one) for one in found) or "no hypercall was refused\n"


def as_data(found: Iterable[Failure]) -> list[dict[str, Any]]:
    """For JSON: a dictionary each."""
    return [
        {
            "when": one.first.when,
            "domid": one.first.domid,
            "vcpu": one.first.vcpu,
            "count": one.times,
            "result": one.first.result,
            "call": one.first.call if one.call is None else one.call.data(),
            "status": None if one.first.status is None else grant_status(one.first.status),
            "refused": refusal_data(one.first.error, one.first.result),
            "stack": [_frame(frame) for frame in one.stack],
        }
        for one in found
    ]


def _paragraph(one: Failure) -> str:
    refusal, error = one.first, one.first.error
    times = f" ({one.times:,} times; this is the first)" if one.times > 1 else ""
    call = refusal.call if one.call is None else one.call.text()
    facts = ", ".join(f"{name}={value} ({value:#x})" for name, value in error.facts.items())
    status = None if refusal.status is None else grant_status(refusal.status)
    got = error.errno_name if refusal.result == -error.errno else status or "refused"
    lines = [
        f"instruction {refusal.when:,}, d{refusal.domid}v{refusal.vcpu}{times}",
        f"  {call} = {result_text(refusal.result)}{f', status {status}' if status else ''}",
        f"  {got} by rule {error.rule}{f': {facts}' if facts else ''}",
        f"  {error.sentence}",
        *(f"    {frame}" for frame in one.stack),
    ]
    return "\n".join(lines) + "\n"


def _frame(frame: Frame) -> dict[str, Any]:
    place = None if frame.place is None else str(frame.place)
    return {"address": frame.pc, "place": place, "file": frame.file, "line": frame.line, "how": frame.how}


def _decode(refusal: Refusal) -> Call | None:
    if refusal.hypercall == lib.HV_NO_HYPERCALL:
        return None
    name = abi.HYPERCALLS.get(refusal.hypercall, f"hypercall {refusal.hypercall}")
    evidence = refusal.evidence
    read: ReadMemory = (lambda address, length: None) if evidence is None else evidence.read_argument
    return decode_call(name, refusal.args, read)

