"""The hypercalls that failed, and why: what `--why` prints.

C keeps its own refusals (native/xen, struct refusal); those of Python handlers are noted here, and `collect()`
brings both together in the order they came.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

from hv import abi
from hv.errors import XenError
from hv.native import ffi, lib

__all__ = ["Refusal", "RefusalLog"]

KEPT = 4096
"""Refusals kept at most; the oldest go first."""


class Refusal(NamedTuple):
    """One failed hypercall. `when` counts retired instructions; `result` is what the guest got."""

    when: int
    domid: int
    vcpu: int
    hypercall: int
    args: tuple[int, ...]
    error: XenError
    result: int

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
        return f"{self.when:>14,}  d{self.domid}v{self.vcpu}  {self.call} = {self.result}: {self.error}"


class RefusalLog:
    """The refusals of one Hypervisor."""

    def __init__(self, native: Any) -> None:
        self._native = native
        self._own: deque[Refusal] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()
        self._named: set[tuple[int, int]] = set()

    def note(
        self, vcpu: Any, number: int, args: list[int], error: XenError, result: int | None = None
    ) -> None:
        """A Python handler refused. `vcpu` is a `struct vcpu`; `result` what the guest got if not the errno.
        Unknown hypercall numbers are noted once a domain."""
        self._counts[error.rule] += 1
        if error.rule == "unknown_hypercall":
            key = (int(vcpu.domid), number)
            if key in self._named:
                return
            self._named.add(key)
        when = int(lib.hv_state(self._native).retired)
        self._own.append(
            Refusal(
                when, int(vcpu.domid), int(vcpu.id), number, tuple(args), error,
                -error.errno if result is None else result,
            )
        )  # fmt: skip

    def rewind(self, when: int) -> None:
        """Time went back: forget what has not been refused yet at `when` retired instructions."""
        while self._own and self._own[-1].when > when:
            self._own.pop()

    def collect(self) -> list[Refusal]:
        """Every refusal since the last call, oldest first, at most KEPT of each kind."""
        out = ffi.new("struct refusal[]", KEPT)
        count = lib.hv_refusals(self._native, out, KEPT)
        # What C refused to a Python handler is told by the handler, in the guest's terms.
        found = [self._of_c(out[i]) for i in range(count) if out[i].domid != lib.OWNER_XEN] + list(self._own)
        self._own.clear()
        return sorted(found, key=lambda refusal: refusal.when)

    def counts(self) -> dict[str, int]:
        """How often each rule of rules.def refused so far, in its order; 0 where it never did."""
        of_c = ffi.new("uint64_t[]", len(abi.RULES) + 1)
        lib.hv_rule_counts(self._native, of_c, len(abi.RULES) + 1)
        return {name: int(of_c[rule.number]) + self._counts[name] for name, rule in abi.RULES.items()}

    @staticmethod
    def _of_c(r: Any) -> Refusal:
        error = XenError.from_number(r.rule, tuple(r.facts))
        return Refusal(r.when, r.domid, r.vcpu, r.hypercall, tuple(r.args), error, r.result)
