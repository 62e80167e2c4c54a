"""Round robin: each runnable vcpu in turn, in the order of slots."""

from __future__ import annotations

from hv.native import lib
from hv.sched.base import Machine, Scheduler


class RoundRobin(Scheduler):
    """The next runnable slot after the one whose turn was last."""

    def choose(self, hv: Machine) -> int | None:
        """Who gets the next turn; None: nobody can run."""
        slots = self.runnable(hv)
        if not slots:
            return None
        # The field of slot 0 remembers whose turn comes next, while the processor idles too.
        memory = hv.state.vcpus[0]
        chosen = next((slot for slot in slots if slot >= memory.sched_order), slots[0])
        memory.sched_order = (chosen + 1) % lib.HV_MAX_VCPUS
        return chosen
