"""Guests that need another domain beside them: guests/pairs, two domains and more in one Hypervisor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hv.arch.x86.builder.start import start_pv
from hv.builder.load import load_kernel
from hv.domain import Domain
from hv.hypervisor import Hypervisor, RunResult, Stop
from hv.testing.build import ENVIRONMENTS, GUESTS, build_guest
from hv.toolstack.connect import Console
from hv.toolstack.launch import Guest, GuestConfig, launch

MAX_INSNS = 100_000_000
DOMAIN_MIB = 16
GIVER, TAKER = 1, 2


@dataclass(frozen=True)
class Plan:
    """How a pair is run: the environments of giver and taker, who is built first ("21": the taker), the scheduler, the
    vcpus of each."""

    giver: str = "pv64"
    taker: str = "pv64"
    quantum: int = 50_000
    seed: int = 0
    scheduler: str = "round_robin"
    order: str = "12"
    vcpus: int = 1

    def environment(self, role: int) -> str:
        """Of the giver or the taker."""
        return self.giver if role == GIVER else self.taker


@cache
def guest(name: str, env: str = "pv64") -> Path:
    """The ELF file of guests/pairs/NAME.c."""
    return build_guest(GUESTS / "pairs" / f"{name}.c", env)


def _config(plan: Plan, env: str, role: int, cmdline: str, machine_mib: int) -> GuestConfig:
    return GuestConfig(
        memory_mib=DOMAIN_MIB, cmdline=cmdline, quantum=plan.quantum, seed=plan.seed, name=f"role{role}",
        machine_mib=machine_mib, scheduler=plan.scheduler, kind=ENVIRONMENTS[env].kind, vcpus=plan.vcpus,
    )  # fmt: skip


def start(name: str, plan: Plan | None = None) -> dict[int, Guest]:
    """guests/pairs/NAME.c as giver and taker, ready to run; by role."""
    plan = plan or Plan()
    guests: dict[int, Guest] = {}
    first: Guest | None = None
    for domid, role in enumerate(map(int, plan.order), 1):
        env = plan.environment(role)
        config = _config(plan, env, role, f"role={role} self={domid} peer={3 - domid}", 5 * DOMAIN_MIB)
        kernel: Path | None = guest(name, env)
        if config.kind == "hvm":  # it is a PC's firmware
            kernel, config = None, config._replace(firmware=kernel)
        guests[role] = launch(kernel, config, beside=first)
        first = first or guests[role]
    return guests


def texts(guests: dict[int, Guest]) -> list[str]:
    """What giver and taker printed."""
    return [guests[role].console.text() for role in (GIVER, TAKER)]


def run(name: str, plan: Plan | None = None) -> tuple[Hypervisor, RunResult, list[str]]:
    """Both to their end: the hypervisor, how the run ended, what each printed."""
    guests = start(name, plan)
    hv = guests[GIVER].hv
    return hv, hv.run(max_insns=MAX_INSNS), texts(guests)


def survive(name: str, plan: Plan, first: int) -> tuple[Hypervisor, RunResult, list[str]]:
    """One of them, `first`, to its end, when it is destroyed; then the other."""
    guests = start(name, plan)
    gone = guests[first]
    hv = gone.hv
    while gone.domain.shutdown_name is None:
        if hv.run(max_insns=hv.instructions + 10 * plan.quantum).stop is not Stop.INSNS:
            break
    said = gone.console.text()
    gone.destroy()
    result = hv.run(max_insns=MAX_INSNS)
    return hv, result, [said, guests[3 - first].console.text()]


def _start_pv(hv: Hypervisor, name: str, role: int) -> tuple[Domain, Console]:
    domain = hv.create_domain(f"role{role}", memory_mib=DOMAIN_MIB, domid=role)
    start_pv(domain, load_kernel(guest(name)), cmdline=f"role={role}")
    return domain, Console(domain)


def beside() -> tuple[Hypervisor, RunResult, list[str]]:
    """beside.c: role 2 to its end, then role 1, privileged, beside a domain that is empty, dying and hoards memory."""
    hv = Hypervisor(memory_mib=3 * DOMAIN_MIB)
    _, giver = _start_pv(hv, "beside", 2)
    hv.run(max_insns=MAX_INSNS)
    domain, caller = _start_pv(hv, "beside", 1)
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
