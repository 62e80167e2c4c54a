"""What the RTL8139C's registers hold after a reset, and their bits.

Source: Realtek RTL8139C(L) data sheet, chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass

from hv.devices.eeprom import WORDS, Eeprom, address_words
from hv.devices.nic import ETHERNET_CONTROLLER
from hv.devices.pci import QEMU_SUBSYSTEM, Identity, PciState

SIZE = 256
# Interrupt causes
RX_OK, TX_OK, RX_OVERFLOW, LINK_CHANGE, TIMEOUT = 0x0001, 0x0004, 0x0010, 0x0020, 0x4000
CAUSES = 0xE07F
# Command register
EMPTY, TX_ENABLE, RX_ENABLE, RESET = 0x01, 0x04, 0x08, 0x10
# Transmit status
SIZE_MASK, OWN, SENT, TX_THRESHOLD = 0x1FFF, 0x2000, 0x8000, 0x3F0000
# Receive configuration
ALL, MATCH, MULTICAST, BROADCAST, WRAP = 0x01, 0x02, 0x04, 0x08, 0x80
# Receive status
GOOD, TO_BROADCAST, TO_ADDRESS, TO_GROUP = 0x0001, 0x2000, 0x4000, 0x8000
LOOPBACK = 0x60000
CHIP_C = 0x74000000
"""What the transmit configuration register says of the chip's version."""
TICK_NS = 30
"""The timer counts PCI clocks, 33 MHz."""
# 9346CR: modes, and the EEPROM's pins
MODE, AUTOLOAD, CONFIG_ENABLE = 0xC0, 0x40, 0xC0
EE_SELECT, EE_CLOCK, EE_IN, EE_OUT = 0x08, 0x04, 0x02, 0x01
ADDRESS_WORD = 7
"""Where the Ethernet address begins in the EEPROM."""
IDENTITY = Identity(0x10EC, 0x8139, ETHERNET_CONTROLLER, 0x10, *QEMU_SUBSYSTEM, pin=1)


def eeprom_words(mac: bytes) -> tuple[int, ...]:
    """What the EEPROM holds when it is new."""
    words = [0] * WORDS
    words[0:3] = 0x8129, IDENTITY.vendor, IDENTITY.device
    words[3:5] = IDENTITY.subsystem_vendor, IDENTITY.subsystem
    words[ADDRESS_WORD : ADDRESS_WORD + 3] = address_words(mac)
    return tuple(words)


BLANK = Eeprom((0,) * WORDS)


@dataclass
class Rtl8139State(PciState):
    """The registers, by their names in the data sheet. `next` is the descriptor that is sent next; `cbr` is where the
    next frame goes in the ring; `tick_zero` the time at which the timer was 0."""

    idr: bytes = bytes(6)
    mar: int = (1 << 64) - 1
    tsd: tuple[int, ...] = (OWN,) * 4
    tsad: tuple[int, ...] = (0,) * 4
    rbstart: int = 0
    cr: int = 0
    capr: int = 0xFFF0
    cbr: int = 0
    imr: int = 0
    isr: int = 0
    tcr: int = 0x00000600
    rcr: int = 0
    mpc: int = 0
    cr9346: int = 0
    config0: int = 0
    config1: int = 0x0C
    config3: int = 0
    config4: int = 0
    timer: int = 0
    mulint: int = 0
    bmcr: int = 0x3100
    anar: int = 0x05E1
    cscr: int = 0x03C8
    next: int = 0
    tick_zero: int = 0
    eeprom: Eeprom = BLANK
