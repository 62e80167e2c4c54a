"""Round robin: each runnable vcpu in turn, in the order of slots."""

from __future__ import annotations

from hv.native import lib
from hv.sched.base import Machine, Scheduler


class RoundRobin(Scheduler):
    """The next runnable slot after the one whose turn was last. C goes from turn to turn by itself
    (native/xen/schedule.c)."""

    round_robin = True

    def choose(self, hv: Machine) -> int | None:
        """Who gets the next turn; None: nobody can run."""
        slot = int(lib.hv_round_robin(hv.native))
        return None if slot == lib.HV_NO_SLOT else slot
