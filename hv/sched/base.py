"""What every scheduler has: turns of a quantum, a seed, and the search for vcpus that could run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

from hv.native import check, ffi, lib

# Instructions, that is ns, of a turn. Xen's credit scheduler gives 30 ms; shorter turns find more races.
DEFAULT_QUANTUM = 1_000_000
_MASK = (1 << 64) - 1


class Machine(Protocol):
    """What a scheduler sees of the Hypervisor."""

    native: Any  # struct hv *
    state: Any  # struct hv_state *


class Scheduler(ABC):
    """Chooses the next vcpu.

    quantum: instructions of a turn. seed: 0 makes every turn exactly that long; any other number varies
    turns between half and one and a half quantum, differently and reproducibly for each seed, to try other
    interleavings.
    """

    def __init__(self, quantum: int = DEFAULT_QUANTUM, seed: int = 0) -> None:
        if quantum <= 0:
            raise ValueError(f"a quantum is a positive number of instructions, not {quantum}")
        self.quantum = quantum
        self.seed = seed & _MASK
        self._slots = ffi.new("uint16_t[]", lib.HV_MAX_VCPUS)

    round_robin = False
    """Whether C may choose as well."""

    def enter(self, native: Any) -> None:
        """Be the scheduler of a hypervisor (struct hv)."""
        check(lib.hv_set_turns(native, self.quantum, self.seed, self.round_robin), "the scheduler")

    def pick(self, hv: Machine) -> int | None:
        """The vcpu slot to run now; None: nobody can run. While a turn goes on, it is the one that has it.

        At the end of a turn (the quantum is spent, the vcpu blocked, yielded or left) the next is chosen and
        put on the processor, with the accounting of run states that belongs to a switch.
        """
        running = int(lib.hv_turn(hv.native))
        if running != lib.HV_NO_SLOT:
            return running
        chosen = self.choose(hv)
        if chosen is None:
            lib.hv_switch(hv.native, lib.HV_NO_SLOT)
            return None
        lib.hv_begin_turn(hv.native, chosen)
        return chosen

    def budget(self, hv: Machine, slot: int) -> int:
        """How many instructions the vcpu just picked may run before the next pick; at least 1."""
        return max(int(hv.state.quantum_end - hv.state.retired), 1)

    @abstractmethod
    def choose(self, hv: Machine) -> int | None:
        """Who gets the next turn; None: nobody can run."""

    def runnable(self, hv: Machine) -> list[int]:
        """Slots of the vcpus that could run now, in ascending order."""
        count = lib.hv_runnable(hv.native, self._slots, lib.HV_MAX_VCPUS)
        return list(self._slots[0:count])
