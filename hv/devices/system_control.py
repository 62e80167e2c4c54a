"""Small switches of a PC: address line 20 and the fast reset (port 0x92), and the reset control register (port 0xcf9).

Line 20 has two masters, port 0x92 and the keyboard controller's output port. PIIX3 opens the line if either wants it
open; here, as in QEMU, both write the same switch and read it back, so that whoever speaks last is obeyed.

Source: PIIX3 data sheet, sections 2.5.7 (port 92) and 2.5.10 (reset control register).
"""

from __future__ import annotations

from dataclasses import dataclass

from hv.devices.device import Device, Machine
from hv.devices.registers import Register, register_region

PORT_92, RESET_CONTROL = 0x92, 0xCF9
FAST_RESET, A20 = 0x01, 0x02
RESET_CPU, RESET_KIND = 0x04, 0x02


@dataclass
class SystemControlState:
    """`a20`: the line is open. `fast_reset`, `reset`: the last values of what resets when it goes up."""

    a20: bool = True
    fast_reset: int = 0
    reset: int = 0


class SystemControl(Device):
    """The switches. Line 20 is open after a reset."""

    State = SystemControlState
    state: SystemControlState

    def __init__(self, machine: Machine, name: str = "system-control") -> None:
        super().__init__(machine, name)
        machine.ports.map(register_region(self, f"{name} 92", 1, TABLE_92), PORT_92)
        machine.ports.map(register_region(self, f"{name} reset", 1, RESET_TABLE), RESET_CONTROL)

    def reset(self) -> None:
        """Power on, or the reset line."""
        super().reset()
        self.machine.set_a20(True)

    def set_a20(self, enabled: bool) -> None:
        """Open or close address line 20."""
        if enabled != self.state.a20:
            self.state.a20 = enabled
            self.machine.set_a20(enabled)

    def read_92(self) -> int:
        """Port 0x92."""
        return self.state.fast_reset | (A20 if self.state.a20 else 0)

    def write_92(self, value: int) -> None:
        """Port 0x92."""
        before, self.state.fast_reset = self.state.fast_reset, value & FAST_RESET
        self.set_a20(bool(value & A20))
        if self.state.fast_reset & ~before:
            self.machine.reboot()

    def write_reset(self, value: int) -> None:
        """The reset control register: a reset when RESET_CPU goes up, of whatever kind."""
        before, self.state.reset = self.state.reset, value & (RESET_KIND | RESET_CPU)
        if self.state.reset & ~before & RESET_CPU:
            self.machine.reboot()


TABLE_92 = {0: Register("port 92", read=SystemControl.read_92, write=SystemControl.write_92)}
RESET_TABLE = {0: Register("reset control", "reset", write=SystemControl.write_reset)}
