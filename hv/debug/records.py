"""The records of the log of traps (native/xen/traplog.c) by name: drained from C as bytes, put together here.

C makes several records of one hypercall: the call, copies of the memory that it points to, the rule that refuses it. An
`Assembler` makes one `Trap` of them. Bytes may come in pieces of any size, but whole records.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from hv import abi
from hv.arch import architecture, kind_numbered
from hv.arch.exceptions import Exceptions, exceptions_numbered
from hv.native import ffi, lib

if TYPE_CHECKING:
    from hv.debug.calls import Argument, Call, ReadMemory
    from hv.errors import XenError

KINDS: dict[int, str] = {
    lib.TRAP_LOG_EXCEPTION: "exception",
    lib.TRAP_LOG_HYPERCALL: "hypercall",
    lib.TRAP_LOG_EVENT: "event",
    lib.TRAP_LOG_NMI: "nmi",
    lib.TRAP_LOG_ENTRY: "entry",
    lib.TRAP_LOG_SEND: "send",
    lib.TRAP_LOG_PAGETABLE: "pagetable",
    lib.TRAP_LOG_SWITCH: "switch",
    lib.TRAP_LOG_IO: "io",
    lib.TRAP_LOG_POWER: "power",
}
"""Kinds of Trap; the copies of memory and the refusals of C become part of the call before them."""
# At one of these whatever came before is complete: only one vcpu runs, and it has left its last trap.
_BOUNDARIES = frozenset({lib.TRAP_LOG_EXCEPTION, lib.TRAP_LOG_HYPERCALL, lib.TRAP_LOG_ENTRY, lib.TRAP_LOG_SWITCH})
_COPIES = frozenset({lib.TRAP_LOG_DATA, lib.TRAP_LOG_OUTPUT})
_CALLS = frozenset({lib.TRAP_LOG_EXCEPTION, lib.TRAP_LOG_HYPERCALL, lib.TRAP_LOG_ENTRY})

_RECORD = Struct("<QQQ6QqIIHHBBBB")
RECORD_BYTES: int = ffi.sizeof("struct trap_record")
_ARGS_AT = 24
SOURCES = {lib.TRACE_FROM_GUEST: "guest", lib.TRACE_FROM_VIRQ: "virq", lib.TRACE_FROM_HOST: "host"}
NOBODY: int = lib.TRACE_NOBODY


Copies = tuple[tuple[int, bytes], ...]
"""Pieces of guest memory: (address, bytes)."""


class Trap(NamedTuple):
    """One thing that happened. `kind` is one of KINDS' values; docs/trace.md says what each has in which field.

    memory: copies of what a hypercall points to; after: the same once Python has answered it. refusal: number of the
    rule that refused it, and its facts. type: the `domain.type` of its domain, whose exceptions `number` counts.
    """

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
    memory: Copies = ()
    after: Copies = ()
    refusal: tuple[int, tuple[int, ...]] | None = None
    type: int = 0

    @property
    def exceptions(self) -> Exceptions:
        """Those of the processor that it is of."""
        return exceptions_numbered(self.type)

    @property
    def is_call(self) -> bool:
        """Whether it is a hypercall, or an entry of a multicall."""
        return self.kind in ("hypercall", "entry")

    @property
    def name(self) -> str:
        """The exception's or the hypercall's name; the kind of what has none."""
        if self.kind == "exception":
            return self.exceptions.name(self.number, software=bool(self.args[0]))
        if self.is_call:
            return abi.HYPERCALLS.get(self.number, f"hypercall {self.number}")
        return power_of(self).call_name(self.number) if self.kind == "power" else self.kind

    @property
    def subop(self) -> str | None:
        """The name of a hypercall's sub-operation, or its number; None when it has none."""
        number = abi.subop_of(self.name, self.args[0]) if self.is_call else None
        return None if number is None else abi.subop_name(self.name, number)

    @property
    def vector(self) -> int | None:
        """The vector of an interrupt that a whole processor takes, or of its NMI; None: it is something else."""
        return self.address if self.kind == "event" and self.address else None

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that an event upcall delivers, as far as the trace knows."""
        if self.kind != "event" or self.vector is not None:
            return ()
        words = [half for word in self.args for half in (word & 0xFFFFFFFF, word >> 32)]
        return tuple(words[: self.number])

    @property
    def error_of_call(self) -> XenError | None:
        """Why a call was refused; None when it was not, or nothing is known."""
        if self.refusal is None:
            return None
        from hv.errors import XenError

        return XenError.from_number(*self.refusal)

    def call(self, abi_name: str = "x86_64") -> Call:
        """A hypercall decoded with the memory that was copied when it was made."""
        from hv.debug.calls import decode_call

        return decode_call(self.name, self.args, _reader(self.memory), abi_name)

    def output(self, abi_name: str = "x86_64") -> Argument | None:
        """The argument whose memory the call has changed, with just what has changed as its content."""
        from hv.debug.calls import decode_call, output

        if not self.after:
            return None
        after = decode_call(self.name, self.args, _reader(self.after), abi_name, answered=True)
        return output(self.call(abi_name), after)

    def head(self) -> dict[str, Any]:
        """What every record has, for JSON."""
        who = {"domid": somebody(self.domid), "vcpu": somebody(self.vcpu)}
        return {"when": self.when} | who | {"kind": self.kind, "name": self.name}

    def data(self) -> dict[str, Any]:
        """As a dictionary for JSON: only what this kind of record has."""
        return self.head() | {self.exceptions.pc: self.rip} | _DETAILS.get(self.kind, _nothing)(self)

    def line(self) -> str:
        """As one line of a crash report."""
        head = f"{self.when:>14} d{self.domid}v{self.vcpu} {self.rip:#018x} {self.name:<18}"
        if self.is_call:
            result = "no answer" if self.result is None else result_text(self.result)
            return f"{head} ({', '.join(abi.call_arguments(self.name, self.args))}) = {result}"
        if self.kind == "exception":
            return f"{head}{exception_text(self)}"
        return head.rstrip()


def _reader(copies: Copies) -> ReadMemory:
    def read(address: int, length: int) -> bytes | None:
        for start, data in copies:
            if start <= address and address + length <= start + len(data):
                return data[address - start : address - start + length]
        return None

    return read


def power_of(trap: Trap) -> ModuleType:
    """The architecture's module that knows what a record of the kind "power" is called."""
    return architecture(kind_numbered(trap.type).abi, "power")


def somebody(number: int) -> int | None:
    """The number of a domain or vcpu; None for nobody."""
    return None if number == NOBODY else number


def exception_text(trap: Trap) -> str:
    """What belongs to an exception beside its name."""
    known = trap.exceptions
    error = f" {known.error} {trap.error:#x}" if trap.number in known.with_error else ""
    address = f" address {trap.address:#x}" if trap.number in known.with_address else ""
    return f"{error}{address}{' (emulated)' if trap.emulated else ''}"


def _nothing(trap: Trap) -> dict[str, Any]:
    return {}


def _exception(trap: Trap) -> dict[str, Any]:
    out: dict[str, Any] = {"vector": trap.number}
    if trap.number in trap.exceptions.with_error:
        out["error"] = trap.error
    if trap.number in trap.exceptions.with_address:
        out["address"] = trap.address
    return out | {"emulated": trap.emulated}


def _hypercall(trap: Trap) -> dict[str, Any]:
    out: dict[str, Any] = {"number": trap.number, "args": list(trap.args), "result": trap.result}
    if trap.subop is not None:
        out["subop"] = trap.subop
    if trap.memory:
        out["call"] = trap.call().data()
    written = trap.output()
    if written is not None:
        from hv.debug.calls import plain

        out["output"] = {written.name: plain(written.content)}
    error = trap.error_of_call
    if error is not None:
        out["refused"] = refusal_data(error, trap.result)
    return out


def refusal_data(error: XenError, result: int | None) -> dict[str, Any]:
    """A refusal for JSON: the rule, the errno if that is the call's result, the facts, and the sentence."""
    errno = error.errno_name if result in (None, -error.errno) else None
    return {"rule": error.rule, "errno": errno, "facts": error.facts, "sentence": error.sentence}


def _event(trap: Trap) -> dict[str, Any]:
    if trap.vector is not None:
        return {"vector": trap.vector}
    return {"ports": list(trap.ports)} if trap.number else {}


def _send(trap: Trap) -> dict[str, Any]:
    source, domid, vcpu, port, pending, _ = trap.args
    out: dict[str, Any] = {"port": trap.number, "source": SOURCES.get(source, "unknown"), "pending": bool(pending)}
    if source == lib.TRACE_FROM_VIRQ:
        return out | {"virq": port}
    out |= {"from_domid": domid, "from_port": port}
    return out if vcpu == NOBODY else out | {"from_vcpu": vcpu}


def _pagetable(trap: Trap) -> dict[str, Any]:
    table, slot, old, new = trap.args[:4]
    return {"level": trap.number, "table": table, "slot": slot, "old": old, "new": new}


def _switch(trap: Trap) -> dict[str, Any]:
    return {"from_domid": somebody(trap.args[0]), "from_vcpu": somebody(trap.args[1])}


def _io(trap: Trap) -> dict[str, Any]:
    return {"port": trap.number, "size": trap.error, "value": trap.args[0], "write": bool(trap.args[1])}


def _power(trap: Trap) -> dict[str, Any]:
    arguments = power_of(trap).call_arguments(trap.number, trap.args)
    return {"number": trap.number, "args": arguments, "result": trap.result}


_DETAILS = {
    "exception": _exception, "hypercall": _hypercall, "entry": _hypercall, "event": _event, "send": _send,
    "pagetable": _pagetable, "switch": _switch, "io": _io, "power": _power,
}  # fmt: skip


def result_text(result: int) -> str:
    """A hypercall's result: small negative numbers are errnos."""
    if -4096 < result < 0:
        names = {number: name for name, number in abi.ERRNOS.items()}
        return f"-{names.get(-result, -result)}"
    return f"{result:#x}" if result > 9 else str(result)


class _Parts(NamedTuple):
    """A record and those that belong to it."""

    fields: Any
    memory: list[tuple[int, bytes]]
    after: list[tuple[int, bytes]]
    refusals: list[tuple[int, tuple[int, ...]]]


class Assembler:
    """Makes Traps of the records' bytes."""

    def __init__(self) -> None:
        self._waiting: list[_Parts] = []
        self._call: _Parts | None = None

    def feed(self, raw: bytes) -> Iterator[Trap]:
        """The Traps that are complete with these records, oldest first."""
        for at, fields in enumerate(_RECORD.iter_unpack(raw)):
            kind = fields[14]
            if kind in _BOUNDARIES:
                yield from self.close()
            if kind in _COPIES:
                if self._call is not None:
                    start = at * RECORD_BYTES + _ARGS_AT
                    copies = self._call.memory if kind == lib.TRAP_LOG_DATA else self._call.after
                    _add(copies, fields[2], raw[start : start + fields[10]])
            elif kind == lib.TRAP_LOG_REFUSED:
                if self._call is not None:
                    self._call.refusals.append((fields[10], fields[3:7]))
            else:
                one = _Parts(fields, [], [], [])
                self._waiting.append(one)
                if kind in _CALLS:
                    self._call = one

    def close(self) -> Iterator[Trap]:
        """What is left, complete or not."""
        waiting, self._waiting, self._call = self._waiting, [], None
        for parts in waiting:
            yield _trap(parts)


def _add(data: list[tuple[int, bytes]], address: int, part: bytes) -> None:
    """Pieces that follow each other are one."""
    if data and data[-1][0] + len(data[-1][1]) == address:
        address, part = data[-1][0], data.pop()[1] + part
    data.append((address, part))


def _trap(parts: _Parts) -> Trap:
    fields, memory, after, refusals = parts
    return Trap(
        when=fields[0], rip=fields[1], address=fields[2], args=fields[3:9],
        result=fields[9] if fields[15] else None, number=fields[10], error=fields[11],
        domid=fields[12], vcpu=fields[13], kind=KINDS.get(fields[14], "unknown"), emulated=bool(fields[16]),
        memory=tuple(memory), after=tuple(after), refusal=refusals[-1] if refusals else None, type=fields[17],
    )  # fmt: skip
