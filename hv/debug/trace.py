"""The log of traps in Python: records by name, drained from C, as text for people and as JSON lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from hv import abi
from hv.native import ffi, lib

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor

VECTORS = (
    *("#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#9", "#TS", "#NP", "#SS", "#GP", "#PF"),
    *("#15", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"),
)
# vectors whose frame has an error code (Intel SDM volume 3A, table 6-1)
_WITH_ERROR = frozenset({8, 10, 11, 12, 13, 14, 17, 21})
_PAGE_FAULT = 14
_DRAIN = 1024


class Trap(NamedTuple):
    """One record. `kind` is "exception", "hypercall", "event" or "nmi"."""

    when: int  # retired instructions
    domid: int
    vcpu: int
    kind: str
    number: int
    rip: int
    error: int
    address: int
    args: tuple[int, ...]
    result: int | None
    emulated: bool

    @property
    def name(self) -> str:
        """The exception's or the hypercall's name."""
        if self.kind == "exception":
            return vector_name(self.number)
        if self.kind == "hypercall":
            return abi.HYPERCALLS.get(self.number, f"hypercall {self.number}")
        return self.kind

    @property
    def subop(self) -> str | None:
        """The name of a hypercall's sub-operation, or its number; None when it has none."""
        number = abi.subop_of(self.name, self.args[0])
        return None if number is None else abi.subop_name(self.name, number)

    def data(self) -> dict[str, Any]:
        """As a dictionary for JSON: only what this kind of record has."""
        out: dict[str, Any] = {
            "when": self.when,
            "domid": self.domid,
            "vcpu": self.vcpu,
            "kind": self.kind,
            "name": self.name,
            "rip": self.rip,
        }
        if self.kind == "exception":
            out["vector"] = self.number
            if self.number in _WITH_ERROR:
                out["error"] = self.error
            if self.number == _PAGE_FAULT:
                out["address"] = self.address
            out["emulated"] = self.emulated
        elif self.kind == "hypercall":
            out |= {"number": self.number, "args": list(self.args), "result": self.result}
            if self.subop is not None:
                out["subop"] = self.subop
        return out

    def line(self) -> str:
        """As one line for people."""
        head = f"{self.when:>14} d{self.domid}v{self.vcpu} {self.rip:#018x} {self.name:<18}"
        if self.kind == "hypercall":
            result = "no answer" if self.result is None else result_text(self.result)
            return f"{head} ({', '.join(abi.call_arguments(self.name, self.args))}) = {result}"
        if self.kind == "exception":
            error = f" error {self.error:#x}" if self.number in _WITH_ERROR else ""
            address = f" address {self.address:#x}" if self.number == _PAGE_FAULT else ""
            return f"{head}{error}{address}{' (emulated)' if self.emulated else ''}"
        return head.rstrip()


def vector_name(vector: int) -> str:
    """`#PF` for 14, and so on; a number for what the architecture does not name."""
    return VECTORS[vector] if vector < len(VECTORS) else f"int {vector:#x}"


def result_text(result: int) -> str:
    """A hypercall's result: small negative numbers are errnos."""
    if -4096 < result < 0:
        names = {number: name for name, number in abi.ERRNOS.items()}
        return f"-{names.get(-result, -result)}"
    return f"{result:#x}" if result > 9 else str(result)


def drain(hv: Hypervisor) -> list[Trap]:
    """The traps since the last call, oldest first: all while tracing is on, else the last few."""
    kinds = {
        lib.TRAP_LOG_EXCEPTION: "exception",
        lib.TRAP_LOG_HYPERCALL: "hypercall",
        lib.TRAP_LOG_EVENT: "event",
        lib.TRAP_LOG_NMI: "nmi",
    }
    buffer = ffi.new("struct trap_record[]", _DRAIN)
    out: list[Trap] = []
    while True:
        count = lib.hv_trap_log(hv.native, buffer, _DRAIN)
        for record in buffer[0:count]:
            out.append(
                Trap(
                    record.when,
                    record.domid,
                    record.vcpu,
                    kinds.get(record.kind, "unknown"),
                    record.number,
                    record.rip,
                    record.error,
                    record.address,
                    tuple(record.args),
                    record.result if record.answered else None,
                    bool(record.emulated),
                )
            )
        if count < _DRAIN:
            return out


class Tracer:
    """Writes every trap of a hypervisor to `out`, one JSON object a line.

    Call `flush` after each exit of hv_run.
    """

    def __init__(self, hv: Hypervisor, out: TextIO) -> None:
        self.hv = hv
        self.out = out
        filter_ = ffi.new("struct trace_filter *", {"kinds": 0x1e, "vectors": 0xffffffff, "hypercalls": (1<<64)-1})
        lib.hv_trace(hv.native, filter_)
        self.last: list[Trap] = []

    def flush(self) -> None:
        """Write what has come since the last call."""
        traps = drain(self.hv)
        for trap in traps:
            self.out.write(json.dumps(trap.data(), separators=(",", ":")) + "\n")
        if traps:
            self.last = (self.last + traps)[-16:]
