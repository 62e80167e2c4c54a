"""A credit scheduler after Xen's: vcpus that have used less than their share go first.

Every vcpu has a balance: the credit it was given, minus the instructions it retired (both totals, so nothing
has to be charged at each switch). Balance above zero is UNDER, otherwise OVER; UNDER goes before OVER, and
within a class whoever waited longest. When nobody that can run is UNDER, all of them get a new grant. A
balance is at most one grant, so that a sleeper cannot hoard; as in Xen, it comes back UNDER and so runs soon.
"""

from __future__ import annotations

from hv.sched.base import Machine, Scheduler


class Credit(Scheduler):
    """Fair shares among runnable vcpus, all of one weight."""

    def choose(self, hv: Machine) -> int | None:
        """Who gets the next turn; None: nobody can run."""
        slots = self.runnable(hv)
        if not slots:
            return None
        vcpus = hv.state.vcpus
        balance = {slot: min(int(vcpus[slot].credit - vcpus[slot].retired), self.quantum) for slot in slots}
        if all(value <= 0 for value in balance.values()):
            # Enough grants at once to lift the best of them above zero.
            grants = -max(balance.values()) // self.quantum + 1
            for slot in slots:
                balance[slot] = min(balance[slot] + grants * self.quantum, self.quantum)
        for slot in slots:
            vcpus[slot].credit = vcpus[slot].retired + balance[slot]
        chosen = min(slots, key=lambda slot: (balance[slot] <= 0, vcpus[slot].sched_order, slot))
        vcpus[chosen].sched_order = 1 + max(int(vcpus[slot].sched_order) for slot in slots)
        return chosen
