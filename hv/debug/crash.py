"""Why a guest has crashed, and the last traps before: as the run knows it, and as a snapshot file keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.debug.fields import U64, FieldError, flag, items, number, record, text
from hv.debug.filters import Filter
from hv.debug.records import KINDS, Trap, exception_text
from hv.native import ffi, lib

if TYPE_CHECKING:
    from hv.debug.debugger import Debugger
    from hv.domain import Domain
    from hv.hypervisor import Hypervisor

LAST = 16
"""Traps that are kept at most."""
_EXCEPTIONS = Filter(frozenset({"exception"}), decoded=False)
_FIELDS = len(("when", "domid", "vcpu", "kind", "number", "rip", "error", "address", "args", "result", "emulated"))
_WORD = 1 << 63


class Crash(NamedTuple):
    """`when`: the count of retired instructions. traps: the last before it, oldest first."""

    when: int
    reason: str
    traps: tuple[Trap, ...] = ()

    def __str__(self) -> str:
        """The reason, and the exception if one brought it about."""
        last = self.traps[-1] if self.traps else None
        if last is None or last.kind != "exception" or last.emulated or last.when != self.when:
            return self.reason
        return f"{self.reason} ({last.name}{exception_text(last)})"


def crashed(hv: Hypervisor) -> Domain | None:
    """The first domain that has crashed."""
    return next((domain for domain in hv.domains.values() if domain.shutdown_name == "crash"), None)


def reason_of(domain: Domain) -> str:
    """Why a domain that has crashed did so."""
    if domain.crash_reason:
        return domain.crash_reason
    said = lib.hv_crash_reason(domain.hv.native)
    return "the guest itself said so (SCHEDOP_shutdown)" if said == ffi.NULL else str(ffi.string(said).decode())


def crash_of(hv: Hypervisor, traps: Sequence[Trap] = ()) -> Crash | None:
    """The crash of the machine as it stands; `traps` led to it. None: nobody has crashed."""
    domain = crashed(hv)
    return None if domain is None else Crash(hv.instructions, reason_of(domain), tuple(traps[-LAST:]))


def crash_here(debugger: Debugger) -> Crash | None:
    """The same under a debugger, which repeats the last instructions to see the exception, if there are any."""
    found = crash_of(debugger.hv)
    if found is None or found.when <= debugger.timeline.begin:
        return found
    return found._replace(traps=tuple(debugger.past.between(found.when - 1, found.when + 1, _EXCEPTIONS, last=1)))


# ---- in a file ----


def plain(crash: Crash) -> dict[str, Any]:
    """For JSON."""
    traps = [[*trap[:8], list(trap.args), trap.result, trap.emulated] for trap in crash.traps]
    return {"when": crash.when, "reason": crash.reason, "traps": traps}


def from_about(about: dict[str, Any]) -> Crash | None:
    """What write_crash() has kept in a snapshot file; None: nothing that could be believed."""
    try:
        when, reason, traps = record(about.get("crash"), "the crash", "when", "reason", "traps")
        found = tuple(_trap(entry) for entry in items(traps, "traps", LAST))
        said = text(reason, "the reason", 1000)
        return Crash(number(when, "the count", U64), said if said.isprintable() else "?", found)
    except FieldError:
        return None


def _trap(entry: Any) -> Trap:
    when, domid, vcpu, kind, nr, rip, error, address, args, result, emulated = items(entry, "a trap", _FIELDS, _FIELDS)
    if kind not in KINDS.values():
        raise FieldError("a trap is of no kind that there is")
    numbers = [number(value, "a trap", U64) for value in (when, domid, vcpu, nr, rip, error, address)]
    words = tuple(number(value, "an argument", U64) for value in items(args, "arguments", 6, 6))
    answered = None if result is None else number(result, "a result", _WORD - 1, -_WORD)
    when, domid, vcpu, nr, rip, error, address = numbers
    return Trap(when, domid, vcpu, kind, nr, rip, error, address, words, answered, flag(emulated, "a trap"))
