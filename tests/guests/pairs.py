"""Guests that need another domain beside them: guests/pairs, two domains and more in one Hypervisor."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hv.arch.x86.builder.start import start_pv
from hv.builder.load import load_kernel
from hv.domain import Domain
from hv.hypervisor import Hypervisor, RunResult
from hv.testing.build import GUESTS, build_guest
from hv.toolstack.connect import Console

MAX_INSNS = 100_000_000
DOMAIN_MIB = 16


@cache
def guest(name: str) -> Path:
    """The ELF file of guests/pairs/NAME.c."""
    return build_guest(GUESTS / "pairs" / f"{name}.c")


def _start(hv: Hypervisor, name: str, role: int) -> tuple[Domain, Console]:
    domain = hv.create_domain(f"role{role}", memory_mib=DOMAIN_MIB, domid=role)
    start_pv(domain, load_kernel(guest(name)), cmdline=f"role={role}")
    return domain, Console(domain)


def exchange(
    quantum: int = 50_000, seed: int = 0, scheduler: str = "round_robin", order: str = "12"
) -> tuple[Hypervisor, RunResult, list[str]]:
    """exchange.c, both halves to their end: the hypervisor, how the run ended, what each printed."""
    hv = Hypervisor(memory_mib=2 * DOMAIN_MIB, quantum=quantum, seed=seed, scheduler=scheduler)
    consoles = [_start(hv, "exchange", int(role))[1] for role in order]
    result = hv.run(max_insns=MAX_INSNS)
    return hv, result, [console.text() for console in consoles]


def beside() -> tuple[Hypervisor, RunResult, list[str]]:
    """beside.c: role 2 to its end, then role 1, privileged, beside a domain that is empty, dying and hoards memory."""
    hv = Hypervisor(memory_mib=3 * DOMAIN_MIB)
    _, giver = _start(hv, "beside", 2)
    hv.run(max_insns=MAX_INSNS)
    domain, caller = _start(hv, "beside", 1)
    domain.c.privileged = 1
    empty = hv.create_domain("empty", memory_mib=3 * DOMAIN_MIB, vcpus=0, domid=3)
    # one frame is left: for the caller's status frame, which comes with its grant table's first
    empty.alloc_frames(int(hv.state.free_frames) - FRAMES_OF_THE_FIRST_GRANT_TABLE)
    empty.c.dying = 1
    empty.c.shut_down = 1
    result = hv.run(max_insns=MAX_INSNS)
    empty.c.dying = 0  # so that it can be looked at, and destroyed, like any other
    return hv, result, [giver.text(), caller.text()]


FRAMES_OF_THE_FIRST_GRANT_TABLE = 2
