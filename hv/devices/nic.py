"""What the emulated network cards have in common."""

from __future__ import annotations

from hv.devices.device import NEVER
from hv.devices.pci import PciDevice, PciMachine
from hv.net.port import LONGEST, Port

ETHERNET_CONTROLLER = 0x020000
"""Class of a PCI device."""
SHORTEST_FRAME = 60
"""Bytes of a frame without its check sequence; shorter ones are filled up on the wire."""
LONGEST_FRAME = 1518
"""With the check sequence, without a VLAN tag."""
CRC = 4


class NicDevice(PciDevice):
    """A network card (hv.net.port.Nic) with the Ethernet address `mac`, 6 bytes."""

    def __init__(self, machine: PciMachine, name: str, slot: int, mac: bytes, function: int = 0) -> None:
        self.mac = mac
        self.port: Port | None = None
        super().__init__(machine, name, slot, function)

    def power_on(self, words: tuple[int, ...]) -> None:
        """Registers as after a reset, with those contents of the EEPROM."""
        super().reset()
        self.begin(words)

    def reset(self) -> None:
        """Power-on, or the reset line: all but the EEPROM's contents."""
        self.power_on(self.state.eeprom.words)
        self.machine.set_timer(self, NEVER)

    def begin(self, words: tuple[int, ...]) -> None:
        """A reset loads what the EEPROM has for the registers."""
        raise NotImplementedError

    def transmit(self, frame: bytes) -> None:
        """Put a frame onto the cable."""
        if self.port is not None and len(frame) <= LONGEST:
            self.port.send(frame)

    def holding(self) -> bool:
        """Whether frames had better wait."""
        raise NotImplementedError

    def full(self) -> None:
        """Frames wait."""

    def has_room(self) -> None:
        """Buffers have come: frames may."""
        if self.port is not None:
            self.port.room()
