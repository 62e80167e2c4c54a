"""The i440FX host bridge, 0:0.0: what the processor meets between 0xc0000 and 0xfffff, RAM or ROM.

Source: Intel 440FX PCIset data sheet, sections 3.2.18 (PAM) and 3.2.21 (SMRAM). Firmware knows the machine by the
subsystem's numbers, which are QEMU's: without them SeaBIOS looks for no fw_cfg device.
"""

from __future__ import annotations

from typing import NamedTuple

from hv.devices.layout import SHADOW
from hv.devices.pci import QEMU_SUBSYSTEM, STATUS, Identity, PciDevice, PciMachine

PAM0, SMRAM = 0x59, 0x72
READ_RAM, WRITE_RAM = 1, 2
SMRAM_CLOSED, SMRAM_OPEN, SMRAM_LOCK, SMRAM_ENABLE, SMRAM_SEGMENT = 0x20, 0x40, 0x10, 0x08, 0x02


class ShadowRange(NamedTuple):
    """A range of addresses with two bits of its own in a PAM register."""

    register: int
    shift: int
    first: int
    size: int


SHADOW_RANGES = (
    ShadowRange(PAM0, 4, 0xF0000, 0x10000),
    *(ShadowRange(PAM0 + 1 + i // 2, 4 * (i % 2), SHADOW.start + 0x4000 * i, 0x4000) for i in range(12)),
)


class HostBridge(PciDevice):
    """The host bridge. There is no system management mode: SMRAM keeps its bits and its lock, and changes no memory."""

    IDENTITY = Identity(0x8086, 0x1237, 0x060000, 2, *QEMU_SUBSYSTEM)
    WRITABLE = {PAM0: 0x30} | dict.fromkeys(range(PAM0 + 1, PAM0 + 7), 0x33)

    def __init__(self, machine: PciMachine, name: str = "host-bridge") -> None:
        super().__init__(machine, name, slot=0)
        self.state.config = self.first_config()

    def first_config(self) -> bytes:
        """Configuration space after a reset: all of the range is ROM."""
        config = bytearray(super().first_config())
        config[STATUS : STATUS + 2] = 0x0280.to_bytes(2, "little")
        config[SMRAM] = SMRAM_SEGMENT
        return bytes(config)

    def reset(self) -> None:
        """Power on: ROM everywhere."""
        super().reset()
        for one in SHADOW_RANGES:
            self.machine.set_shadow(one.first, one.size, False, False)

    def _writable(self, at: int) -> int:
        if at == SMRAM:
            locked = self.state.config[SMRAM] & SMRAM_LOCK
            return SMRAM_CLOSED if locked else SMRAM_CLOSED | SMRAM_OPEN | SMRAM_LOCK | SMRAM_ENABLE
        return super()._writable(at)

    def config_changed(self, before: bytes) -> None:
        """Map what has changed."""
        config = self.state.config
        for one in SHADOW_RANGES:
            now = config[one.register] >> one.shift & 3
            if now != before[one.register] >> one.shift & 3:
                self.machine.set_shadow(one.first, one.size, bool(now & READ_RAM), bool(now & WRITE_RAM))
        if config[SMRAM] & SMRAM_LOCK and config[SMRAM] & SMRAM_OPEN:
            closed = bytes([config[SMRAM] & ~SMRAM_OPEN])
            self.state.config = config[:SMRAM] + closed + config[SMRAM + 1 :]
        super().config_changed(before)
