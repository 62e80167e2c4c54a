"""The hypercalls that failed, and why: what `--why` prints.

C keeps its own refusals (native/xen, struct refusal); those of Python handlers are noted here, and `collect()`
brings both together in the order they came.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

from hv import abi
from hv.arch import kind_numbered, registers_of
from hv.errors import XenError
from hv.native import check, ffi, lib

__all__ = ["Evidence", "Refusal", "RefusalLog"]

KEPT = 4096
"""Refusals kept at most; the oldest go first."""
_WORD = (1 << 64) - 1


class Evidence(NamedTuple):
    """What was copied when a call was refused: the general registers, the memory that its arguments point to, and the
    stack from its pointer up (as much as could be read). `arch`: what its architecture says of
    registers (hv.arch)."""

    registers: dict[str, int]
    arch: Any
    data_address: int
    data: bytes
    stack: bytes

    def read_argument(self, address: int, length: int) -> bytes | None:
        """Memory that the arguments point to; None outside of what was copied."""
        return _part(self.data, address - self.data_address, length)

    def read_stack(self, address: int, length: int) -> bytes | None:
        """The stack by address; None outside of what was copied."""
        return _part(self.stack, address - self.registers[self.arch.STACK], length)


def _part(data: bytes, at: int, length: int) -> bytes | None:
    return data[at : at + length] if at >= 0 and at + length <= len(data) else None


class Refusal(NamedTuple):
    """One failed hypercall. `when` counts retired instructions; `result` is what the guest got. `status`: of one
    operation of a grant batch, the GNTST_* value that its structure got; the hypercall itself succeeds."""

    when: int
    domid: int
    vcpu: int
    hypercall: int
    args: tuple[int, ...]
    error: XenError
    result: int
    evidence: Evidence | None = None
    status: int | None = None

    @property
    def call(self) -> str:
        """The call in words: ``event_channel_op(EVTCHNOP_send, 0x7f10)``, or where an emulated instruction is."""
        if self.hypercall == lib.HV_NO_HYPERCALL:
            return f"instruction at {self.args[0]:#x}"
        name = abi.HYPERCALLS.get(self.hypercall)
        if name is None:
            return f"hypercall {self.hypercall}"
        return f"{name}({', '.join(abi.call_arguments(name, self.args))})"

    def __str__(self) -> str:
        error = self.error
        status = None if self.status is None else f"{grant_status(self.status)} [{error.rule}] {error.sentence}"
        return f"{self.when:>14,}  d{self.domid}v{self.vcpu}  {self.call} = {self.result}: {status or error}"


def grant_status(status: int) -> str:
    """The name of a GNTST_* value."""
    return next(name for name in dir(abi) if name.startswith("GNTST_") and getattr(abi, name) == status)


class RefusalLog:
    """The refusals of one Hypervisor."""

    def __init__(self, native: Any) -> None:
        self._native = native
        self._own: deque[Refusal] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()
        self._named: set[tuple[int, int]] = set()
        self._evidence: Any = None

    def keep_evidence(self) -> None:
        """Keep with each refusal from now on what is needed to understand it later. NativeError: no memory for it."""
        check(lib.hv_keep_evidence(self._native, True), "evidence of refusals")
        self._evidence = ffi.new("struct evidence[]", KEPT)

    def note(
        self, vcpu: Any, number: int, args: list[int], error: XenError, result: int | None = None,
        status: int | None = None,
    ) -> None:
        """A Python handler refused. `vcpu` is a `struct vcpu`; `result` and `status` what the guest got if not
        the errno. Unknown hypercall numbers are noted once a domain."""
        self._counts[error.rule] += 1
        self._trace(vcpu, error)
        if error.rule == "unknown_hypercall":
            key = (int(vcpu.domid), number)
            if key in self._named:
                return
            self._named.add(key)
        when = int(lib.hv_state(self._native).retired)
        self._own.append(
            Refusal(
                when, int(vcpu.domid), int(vcpu.id), number, tuple(args), error,
                -error.errno if result is None else result, self._take(vcpu, number, args), status,
            )
        )  # fmt: skip

    def _trace(self, vcpu: Any, error: XenError) -> None:
        """For the trace, if there is one."""
        rule = abi.RULES[error.rule]
        facts = [error.facts[name] & _WORD for name in rule.facts]
        lib.hv_log_refusal(self._native, vcpu, rule.number, facts + [0] * (4 - len(facts)))

    def _take(self, vcpu: Any, number: int, args: list[int]) -> Evidence | None:
        if self._evidence is None:
            return None
        lib.hv_take_evidence(self._native, vcpu, number, [value & _WORD for value in args], self._evidence)
        return self._evidence_of(self._evidence[0], int(vcpu.domid))

    def rewind(self, when: int) -> None:
        """Time went back: forget what has not been refused yet at `when` retired instructions."""
        while self._own and self._own[-1].when > when:
            self._own.pop()

    def collect(self) -> list[Refusal]:
        """Every refusal since the last call, oldest first, at most KEPT of each kind."""
        out = ffi.new("struct refusal[]", KEPT)
        known = 0 if self._evidence is None else lib.hv_refusal_evidence(self._native, self._evidence, KEPT)
        count = lib.hv_refusals(self._native, out, KEPT)
        # What C refused to a Python handler is told by the handler, in the guest's terms.
        found = [
            self._of_c(out[i], self._evidence_of(self._evidence[i], out[i].domid) if i < known else None)
            for i in range(count)
            if out[i].domid != lib.OWNER_XEN
        ] + list(self._own)
        self._own.clear()
        return sorted(found, key=lambda refusal: refusal.when)

    def counts(self) -> dict[str, int]:
        """How often each rule of rules.def refused so far, in its order; 0 where it never did."""
        of_c = ffi.new("uint64_t[]", len(abi.RULES) + 1)
        lib.hv_rule_counts(self._native, of_c, len(abi.RULES) + 1)
        return {name: int(of_c[rule.number]) + self._counts[name] for name, rule in abi.RULES.items()}

    def _evidence_of(self, e: Any, domid: int) -> Evidence | None:
        """None: the domain is gone, and with it what its registers are."""
        domain = lib.hv_find_domain(self._native, domid)
        if domain == ffi.NULL:
            return None
        arch = registers_of(kind_numbered(domain.type))
        data, stack = bytes(ffi.buffer(e.data, e.data_length)), bytes(ffi.buffer(e.stack, e.stack_length))
        return Evidence(arch.of_evidence(e), arch, int(e.data_va), data, stack)

    @staticmethod
    def _of_c(r: Any, evidence: Evidence | None) -> Refusal:
        error = XenError.from_number(r.rule, tuple(r.facts))
        return Refusal(r.when, r.domid, r.vcpu, r.hypercall, tuple(r.args), error, r.result, evidence)
