"""A trace as text, one line a record in the manner of strace, and as a table of sums."""

from __future__ import annotations

from typing import TextIO

from hv import abi
from hv.arch import architecture, kind_numbered
from hv.debug.call_names import constants
from hv.debug.calls import show
from hv.debug.filters import Filter
from hv.debug.records import NOBODY, Trap, exception_text, power_of, result_text
from hv.native import lib

__all__ = ["Summary", "Text", "answer", "line", "who"]


def who(domid: int, vcpu: int) -> str:
    """`d1v0`; `d1` when no vcpu is known, `nobody` without a domain."""
    if domid == NOBODY:
        return "nobody"
    return f"d{domid}" if vcpu == NOBODY else f"d{domid}v{vcpu}"


def line(trap: Trap) -> str:
    """A record as a line: retired instructions, who, and what."""
    return f"{trap.when:>14,} {who(trap.domid, trap.vcpu):<6} {_WORDS.get(trap.kind, _plain)(trap)}"


def answer(trap: Trap) -> str:
    """What a call returned, and why if it was refused."""
    error = trap.error_of_call
    result = "?" if trap.result is None else result_text(trap.result)
    return result if error is None else f"{result} [{error.rule}] {error.sentence}"


def _call(trap: Trap) -> str:
    call, written = trap.call(), trap.output()
    wrote = "" if written is None else " " + show(written.content, call.structures.get(written.name, ""))
    return f"{call.text()} = {answer(trap)}{wrote}"


def _entry(trap: Trap) -> str:
    return f"  {_call(trap)}"


def _plain(trap: Trap) -> str:
    return trap.kind


def _exception(trap: Trap) -> str:
    error = trap.error_of_call
    why = f" [{error.rule}] {error.sentence}" if error else ""
    return f"{trap.name}{exception_text(trap)} {trap.exceptions.pc} {trap.rip:#x}{why}"


def _event(trap: Trap) -> str:
    if trap.vector is not None:
        return f"interrupt {trap.vector:#x} {trap.exceptions.pc} {trap.rip:#x}"
    ports = f" port{'s' if len(trap.ports) > 1 else ''} {', '.join(map(str, trap.ports))}" if trap.ports else ""
    return f"upcall{ports}"


def sender(trap: Trap) -> str:
    """Who made an event channel pending."""
    source, domid, vcpu, port = trap.args[:4]
    if source == lib.TRACE_FROM_VIRQ:
        return constants("VIRQ_").get(port, f"VIRQ {port}")
    name = "the host" if source == lib.TRACE_FROM_HOST else who(domid, vcpu)
    return f"{name} port {port}" if port else name


def _send(trap: Trap) -> str:
    again = " (pending already)" if trap.args[4] else ""
    return f"event port {trap.number} <- {sender(trap)}{again}"


def _pagetable(trap: Trap) -> str:
    table, slot, old, new = trap.args[:4]
    flags = architecture(kind_numbered(trap.type).abi, "report").entry_flags(new)
    level = f"L{trap.number}" if trap.number else "entry in"
    return f"{level} table {table:#x} slot {slot}: {old:#x} -> {new:#x} {flags}"


def _switch(trap: Trap) -> str:
    return f"switch from {who(trap.args[0], trap.args[1])}"


def _io(trap: Trap) -> str:
    return f"{'out' if trap.args[1] else 'in'} port {trap.number:#x} size {trap.error} value {trap.args[0]:#x}"


def _power(trap: Trap) -> str:
    known = power_of(trap)
    arguments = known.call_arguments(trap.number, trap.args)
    result = "?" if trap.result is None else known.result_text(trap.result)
    return f"{trap.name}({', '.join(f'{name}={value:#x}' for name, value in arguments.items())}) = {result}"


_WORDS = {
    "exception": _exception, "hypercall": _call, "entry": _entry, "event": _event, "nmi": _plain, "send": _send,
    "pagetable": _pagetable, "switch": _switch, "io": _io, "power": _power,
}  # fmt: skip


class Text:
    """Lines for people."""

    def __init__(self, out: TextIO, wanted: Filter) -> None:
        self.out = out
        self.filter = wanted

    def write(self, trap: Trap) -> None:
        """One record."""
        self.out.write(line(trap) + "\n")

    def close(self) -> None:
        """Nothing is kept back; the file is the caller's."""
        self.out.flush()


def _row_name(trap: Trap) -> str:
    """What is counted as one. Numbers without a name are one all together: a guest may use any of them."""
    if trap.is_call and trap.number not in abi.HYPERCALLS:
        return "unknown hypercall"
    if trap.subop is None:
        return trap.name
    return f"{trap.name}.{'unknown' if trap.subop.isdigit() else trap.subop}"


class Summary:
    """How often each thing came, how often it failed, and how many instructions the guest executed before it: those
    since the record before, not what it cost. The column adds up to where the last record is."""

    def __init__(self, out: TextIO, wanted: Filter) -> None:
        self.out = out
        self.filter = wanted
        self._rows: dict[str, list[int]] = {}
        self._before = 0

    def write(self, trap: Trap) -> None:
        """Count one record."""
        row = self._rows.setdefault(_row_name(trap), [0, 0, 0])
        row[0] += 1
        row[1] += trap.is_call and (trap.refusal is not None or (trap.result is not None and -4096 < trap.result < 0))
        row[2] += trap.when - self._before
        self._before = trap.when

    def close(self) -> None:
        """Print the table: most instructions first."""
        total = max(sum(row[2] for row in self._rows.values()), 1)
        self.out.write(f"{'% before':>8} {'insns before':>16} {'each':>12} {'count':>10} {'errors':>8}  name\n")
        for name, (count, errors, insns) in sorted(self._rows.items(), key=lambda item: (-item[1][2], item[0])):
            share = 100 * insns / total
            self.out.write(f"{share:>8.2f} {insns:>16,} {insns // count:>12,} {count:>10,} {errors or '':>8}  {name}\n")
        count, errors = (sum(row[at] for row in self._rows.values()) for at in (0, 1))
        self.out.write(f"{100:>8.2f} {self._before:>16,} {'':>12} {count:>10,} {errors or '':>8}  total\n")
        self.out.flush()


