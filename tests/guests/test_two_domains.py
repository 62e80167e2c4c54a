"""Two domains in one Hypervisor: events and grants between guests, the same on every run."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from hv import statehash
from hv.builder.load import load_kernel
from hv.builder.start import start_pv
from hv.hypervisor import Hypervisor, Stop
from hv.testing.build import GUESTS, build_guest
from hv.toolstack.connect import Console


@cache
def guest() -> Path:
    return build_guest(GUESTS / "pairs" / "exchange.c")


def run(quantum: int = 50_000, seed: int = 0, scheduler: str = "round_robin", order: str = "12") -> tuple[str, int]:
    """Both halves to their end; the state hash and the number of instructions."""
    hv = Hypervisor(memory_mib=32, quantum=quantum, seed=seed, scheduler=scheduler)
    consoles = []
    for role in order:
        domain = hv.create_domain(f"role{role}", memory_mib=16, domid=int(role))
        start_pv(domain, load_kernel(guest()), cmdline=f"role={role}")
        consoles.append(Console(domain))
    result = hv.run(max_insns=100_000_000)
    for console in consoles:
        assert "Test result: SUCCESS" in console.text(), "\n".join(c.text() for c in consoles)
    assert result.stop == Stop.SHUTDOWN and hv.audit() == ""
    return statehash.state_hash(hv), result.instructions


@pytest.mark.parametrize("scheduler", ["round_robin", "credit"])
@pytest.mark.parametrize(("quantum", "seed"), [(1_000_000, 0), (777, 0), (10_000, 3)])
def test_exchange(quantum: int, seed: int, scheduler: str) -> None:
    assert run(quantum, seed, scheduler) == run(quantum, seed, scheduler)


def test_who_is_built_first_does_not_matter() -> None:
    run(order="21")
