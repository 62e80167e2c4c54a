"""Schedulers: which vcpu the one processor runs next, and for how long. `make_scheduler(name)` makes one.

A scheduler is policy only. It holds no state of its own: what it remembers is in `struct vcpu` (credit,
sched_order) and `struct hv_state` (running, quantum_end, rng), so that saving and restoring the arena saves
and restores its decisions.
"""

from __future__ import annotations

from hv.sched.base import DEFAULT_QUANTUM, Scheduler
from hv.sched.credit import Credit
from hv.sched.round_robin import RoundRobin

SCHEDULERS: dict[str, type[Scheduler]] = {"credit": Credit, "round_robin": RoundRobin}


def make_scheduler(name: str = "round_robin", quantum: int = DEFAULT_QUANTUM, seed: int = 0) -> Scheduler:
    """The scheduler called `name`. ValueError: there is none of that name, or the quantum is not positive."""
    if name not in SCHEDULERS:
        raise ValueError(f"no scheduler {name}; there are {', '.join(sorted(SCHEDULERS))}")
    return SCHEDULERS[name](quantum, seed)


__all__ = ["DEFAULT_QUANTUM", "SCHEDULERS", "Credit", "RoundRobin", "Scheduler", "make_scheduler"]
