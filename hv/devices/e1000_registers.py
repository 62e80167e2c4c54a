"""The registers of the Intel 82540EM, their bits, and what they hold after a reset.

Source: Intel PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual (317453), chapter 13.
"""

from __future__ import annotations

from dataclasses import dataclass

from hv.devices.eeprom import Eeprom
from hv.devices.pci import PciState

# CTRL
SLU, RST, VME, PHY_RST = 1 << 6, 1 << 26, 1 << 30, 1 << 31
# STATUS: full duplex, link up, 1000 Mb/s (twice: as set and as detected), and the transmit clock
LINK_UP = 0x02
STATUS_FIXED = 0x0781
# EECD
EE_SK, EE_CS, EE_DI, EE_DO, EE_REQ, EE_GNT, EE_PRES = 0x01, 0x02, 0x04, 0x08, 0x40, 0x80, 0x100
# EERD
EERD_START, EERD_DONE = 0x01, 0x10
# MDIC
MDIC_WRITE, MDIC_READ, MDIC_READY, MDIC_INTERRUPT, MDIC_ERROR = 1 << 26, 2 << 26, 1 << 28, 1 << 29, 1 << 30
# ICR, ICS, IMS, IMC
TXDW, TXQE, LSC, RXDMT0, RXO, RXT0, MDAC = 0x01, 0x02, 0x04, 0x10, 0x40, 0x80, 0x200
CAUSES = 0x1FFFF
# RCTL
RX_ENABLE, UNICAST_ALL, MULTICAST_ALL, LONG, BROADCAST = 0x02, 0x08, 0x10, 0x20, 0x8000
LOOPBACK, VLAN_FILTER, SIZE_EXTENSION, STRIP_CRC = 0xC0, 1 << 18, 1 << 25, 1 << 26
# TCTL
TX_ENABLE, PAD = 0x02, 0x08
# RXCSUM
IP_SUM, TCP_SUM = 0x100, 0x200
ADDRESS_VALID = 1 << 31
"""In the high half of a receive address."""

RX_BUFFER = {0: (2048, 1024, 512, 256), SIZE_EXTENSION: (2048, 16384, 8192, 4096)}
"""Sizes of receive buffers: by RCTL.BSEX, then by RCTL.BSIZE."""
MULTICAST_SHIFT = (4, 3, 2, 0)
"""Which 12 bits of an address choose a bit of the multicast table, by RCTL.MO."""
STATISTICS = 0x4000
"""Where the counters begin: 64 registers that reading clears."""


def statistic(offset: int) -> int:
    """The number of a counter."""
    return (offset - STATISTICS) // 4


MISSED, GOOD_RX, BROADCAST_RX, MULTICAST_RX, GOOD_TX, NO_BUFFER, TOO_LONG, TOTAL_RX, TOTAL_TX = (
    statistic(offset) for offset in (0x4010, 0x4074, 0x4078, 0x407C, 0x4080, 0x40A0, 0x40AC, 0x40D0, 0x40D4)
)
MULTICAST_TX, BROADCAST_TX, TSO_TX = statistic(0x40F0), statistic(0x40F4), statistic(0x40F8)
GOOD_RX_BYTES, GOOD_TX_BYTES, TOTAL_RX_BYTES, TOTAL_TX_BYTES = (
    statistic(offset) for offset in (0x4088, 0x4090, 0x40C0, 0x40C8)
)
"""Counters of 64 bits: the low half, which the high half follows."""

PHY_RESET = (
    0x1140, 0x796D, 0x0141, 0x0C20, 0x0DE1, 0x45E1, 0, 0, 0, 0x0E00, 0x3C00, 0, 0, 0, 0, 0x3000,
    0x0360, 0xAC00, 0, 0, 0x0D60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
)  # fmt: skip
"""The transceiver's 32 registers (a Marvell 88E1011): negotiation is over, the link up with 1000 Mb/s."""
PHY_WRITABLE = {0: 0xFFFF & ~0x8200, 4: 0xFFFF, 7: 0xFFFF, 9: 0xFF00, 16: 0xFFFF, 18: 0xFFFF, 20: 0xFFFF, 29: 0xFFFF,
                30: 0xFFFF}
PHY_LOOPBACK, PHY_RESTART, PHY_CONTROL_RESET = 0x4000, 0x0200, 0x8000
EMPTY = Eeprom((0,) * 64)


@dataclass
class E1000State(PciState):
    """The card's registers, by their names in the manual; those in the middle are its own.

    `packet`: what has been collected of the packet that is being sent, with `packet_options` (POPTS and the command of
    its first descriptor). `context`: the last context descriptor, 16 bytes. `quiet_until`: the end of the pause after
    an interrupt (ITR). `resume_at`: when transmission goes on; 0: it does not wait."""

    ctrl: int = 0x00140200 | SLU
    ctrl_ext: int = 0
    eecd: int = EE_PRES
    eerd: int = 0
    mdic: int = 0
    fcal: int = 0
    fcah: int = 0
    fct: int = 0
    vet: int = 0x8100
    icr: int = 0
    itr: int = 0
    ims: int = 0
    rctl: int = 0
    fcttv: int = 0
    txcw: int = 0
    tctl: int = 0
    tipg: int = 0
    ait: int = 0
    ledctl: int = 0x07068302
    pba: int = 0x00100030
    fcrtl: int = 0
    fcrth: int = 0
    rdbal: int = 0
    rdbah: int = 0
    rdlen: int = 0
    rdh: int = 0
    rdt: int = 0
    rdtr: int = 0
    rxdctl: int = 0
    radv: int = 0
    rsrpd: int = 0
    txdmac: int = 0
    tdbal: int = 0
    tdbah: int = 0
    tdlen: int = 0
    tdh: int = 0
    tdt: int = 0
    tidv: int = 0
    txdctl: int = 0
    tadv: int = 0
    tspmt: int = 0
    rxcsum: int = 0
    wuc: int = 0
    wufc: int = 0
    wus: int = 0
    manc: int = 0
    io_address: int = 0
    statistics: tuple[int, ...] = (0,) * 64
    multicast: tuple[int, ...] = (0,) * 128
    addresses: tuple[int, ...] = (0,) * 32
    vlans: tuple[int, ...] = (0,) * 128
    phy: tuple[int, ...] = PHY_RESET
    eeprom: Eeprom = EMPTY
    packet: bytes = b""
    packet_options: int = -1
    context: bytes = bytes(16)
    quiet_until: int = 0
    resume_at: int = 0
