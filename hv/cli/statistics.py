"""What a run did, in numbers: the table of `--stats` and the data of `--json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv import abi
from hv.arch.exceptions import exceptions_of
from hv.native import ffi, lib

if TYPE_CHECKING:
    from hv.domain import Domain

def counts(domain: Domain) -> tuple[dict[str, int], dict[str, int]]:
    """(exceptions, hypercalls) of the domain by name, those that came at all, in the order of their numbers."""
    traps, hypercalls = ffi.new("uint64_t[]", int(lib.HV_TRAPS)), ffi.new("uint64_t[64]")
    names = exceptions_of(domain.kind)
    lib.hv_statistics(domain.hv.native, domain.slot, traps, hypercalls)
    return (
        {names.counter(number): int(count) for number, count in enumerate(traps) if count},
        {
            abi.HYPERCALLS.get(number, f"hypercall {number}"): int(count)
            for number, count in enumerate(hypercalls)
            if count
        },
    )


def collect(domain: Domain, stop: str) -> dict[str, Any]:
    """Everything as data. `stop` says why the run ended; `seconds` are the guest's."""
    traps, hypercalls = counts(domain)
    return {
        "instructions": domain.hv.instructions,
        "state_hash": domain.hv.state_hash,
        "traps": traps,
        "hypercalls": hypercalls,
        "shutdown": domain.shutdown_name,
        "seconds": domain.hv.now_ns / 1e9,
        "stop": stop,
    }


def table(facts: dict[str, Any]) -> str:
    """The data as a table for people."""
    lines = ["", f"{'trap':<28}{'count':>14}"]
    rows = sorted([*facts["traps"].items(), *facts["hypercalls"].items()], key=lambda row: (-row[1], row[0]))
    lines += [f"{name:<28}{count:>14,}" for name, count in rows] or [f"{'(none)':<28}{0:>14}"]
    lines.append(f"{'instructions':<28}{facts['instructions']:>14,}")
    lines.append(f"{'guest seconds':<28}{facts['seconds']:>14.6f}")
    lines.append(f"{'shutdown':<28}{facts['shutdown'] or facts['stop']:>14}")
    lines.append(f"state hash {facts['state_hash']}")
    return "\n".join(lines) + "\n"
