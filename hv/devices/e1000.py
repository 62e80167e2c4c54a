"""Intel 82540EM, the gigabit Ethernet card that most systems have a driver for ("e1000", "em").

Its registers are in memory (BAR 0) and, by an address and a data port, in I/O space (BAR 1). e1000_registers.py has
their names and bits, e1000_transmit.py and e1000_receive.py the descriptor rings. The link is up as long as there is a
cable. Interrupts are spaced as ITR says; the other delays (RDTR, RADV, TIDV, TADV) are taken for none.

Not there: flow control, wake-up, the packet buffer's memory, receive descriptors of split headers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hv.devices import e1000_receive, e1000_transmit
from hv.devices import e1000_registers as r
from hv.devices.bus import Region
from hv.devices.device import NEVER
from hv.devices.eeprom import WORDS, Eeprom, address_words
from hv.devices.nic import ETHERNET_CONTROLLER, NicDevice
from hv.devices.pci import BAR_IO, BAR_MEMORY, QEMU_SUBSYSTEM, Bar, Identity, PciMachine
from hv.devices.registers import Register, register_region
from hv.devices.values import replaced

VENDOR, DEVICE = 0x8086, 0x100E
MEMORY_SIZE, IO_SIZE = 128 << 10, 64
ITR_NS = 256
"""The unit of ITR."""
ALL = 0xFFFFFFFF
IDENTITY = Identity(VENDOR, DEVICE, ETHERNET_CONTROLLER, 3, *QEMU_SUBSYSTEM, pin=1)


def eeprom_words(mac: bytes) -> tuple[int, ...]:
    """What the EEPROM holds when it is new: address, identity, and a checksum that makes the sum 0xbaba."""
    words = [0] * WORDS
    words[0:3] = address_words(mac)
    words[4] = 0xFFFF  # LEDs as usual
    words[10:15] = 0x4408, IDENTITY.subsystem, IDENTITY.subsystem_vendor, DEVICE, VENDOR
    words[63] = 0xBABA - sum(words) & 0xFFFF
    return tuple(words)


class E1000(NicDevice):
    """An 82540EM with an Ethernet address."""

    IDENTITY = IDENTITY
    State: type[Any] = r.E1000State

    def __init__(self, machine: PciMachine, name: str, slot: int, mac: bytes, function: int = 0) -> None:
        super().__init__(machine, name, slot, mac, function)
        memory = register_region(self, name, MEMORY_SIZE, TABLE, 4, 0)
        self.bars = {
            0: Bar(BAR_MEMORY, MEMORY_SIZE, memory),
            1: Bar(BAR_IO, IO_SIZE, Region(f"{name}-io", IO_SIZE, self._io_read, self._io_write, (4,))),
        }
        self.power_on(eeprom_words(mac))

    def begin(self, words: tuple[int, ...]) -> None:
        """The address registers."""
        self.state.eeprom = Eeprom(words)
        self.state.addresses = (words[0] | words[1] << 16, r.ADDRESS_VALID | words[2], *(0,) * 30)

    def _software_reset(self) -> None:
        """CTRL.RST: all but configuration space and the EEPROM."""
        config, words, phy = self.state.config, self.state.eeprom.words, self.state.phy
        self.state = self.State(config=config, phy=phy)
        self.begin(words)
        self.arm()
        self._drive_causes()

    def _io_read(self, offset: int, size: int) -> int:
        address = int(self.state.io_address)
        return address if offset == 0 else self._at(offset).get(self) if offset == 4 else 0

    def _io_write(self, offset: int, size: int, value: int) -> None:
        if offset == 0:
            self.state.io_address = value
        else:
            self._at(offset).put(self, value)

    def _at(self, offset: int) -> Register:
        return TABLE.get(self.state.io_address, NOTHING) if offset == 4 else NOTHING

    # ---- interrupts and time ----

    def cause(self, causes: int) -> None:
        """Something has happened that may interrupt."""
        self.state.icr |= causes
        self._drive_causes()

    def _drive_causes(self) -> None:
        """Set the pin; ITR may have it wait."""
        state, now = self.state, self.machine.now_ns
        pending = bool(state.icr & state.ims)
        asserted = self.interrupting
        if pending and not asserted:
            if now < state.quiet_until:
                self.arm()
                return
            state.quiet_until = now + (state.itr & 0xFFFF) * ITR_NS if state.itr & 0xFFFF else 0
        if pending != asserted:
            self.set_irq(pending)

    def arm(self) -> None:
        """Set the timer for whatever comes first."""
        state = self.state
        waits = [state.resume_at] if state.resume_at else []
        if state.icr & state.ims and not self.interrupting and state.quiet_until:
            waits.append(state.quiet_until)
        self.machine.set_timer(self, max(min(waits), self.machine.now_ns + 1) if waits else NEVER)

    def timer(self) -> None:
        """A pause is over."""
        if self.state.resume_at and self.state.resume_at <= self.machine.now_ns:
            e1000_transmit.run(self)
        self._drive_causes()
        self.arm()

    def read_causes(self) -> int:
        """ICR: reading clears it."""
        causes, self.state.icr = self.state.icr, 0
        self._drive_causes()
        return int(causes)

    def clear_causes(self, value: int) -> None:
        """ICR: so does writing ones."""
        self.state.icr &= ~value
        self._drive_causes()

    def set_causes(self, value: int) -> None:
        """ICS."""
        self.cause(value & r.CAUSES)

    def mask(self, value: int) -> None:
        """IMS: let causes interrupt."""
        self.state.ims |= value & r.CAUSES
        self._drive_causes()

    def unmask(self, value: int) -> None:
        """IMC: let them no longer."""
        self.state.ims &= ~value
        self._drive_causes()

    # ---- control, EEPROM, transceiver ----

    def write_control(self, value: int) -> None:
        """CTRL."""
        if value & r.RST:
            self._software_reset()
            return
        self.state.ctrl = value & ~(r.RST | r.PHY_RST)
        if value & r.PHY_RST:
            self.state.phy = r.PHY_RESET
            self.cause(r.LSC)

    def read_status(self) -> int:
        """STATUS."""
        return r.STATUS_FIXED | (r.LINK_UP if self.port is not None else 0)

    def read_eecd(self) -> int:
        """EECD: the EEPROM's pins."""
        return int(self.state.eecd) | (r.EE_DO if self.state.eeprom.out else 0)

    def write_eecd(self, value: int) -> None:
        """EECD: the EEPROM is granted whenever it is requested."""
        pins = value & (r.EE_SK | r.EE_CS | r.EE_DI | r.EE_REQ)
        self.state.eecd = pins | r.EE_PRES | (r.EE_GNT if value & r.EE_REQ else 0)
        self.state.eeprom = self.state.eeprom.pins(
            bool(value & r.EE_CS), bool(value & r.EE_SK), bool(value & r.EE_DI)
        )

    def write_eerd(self, value: int) -> None:
        """EERD: read a word at once."""
        if value & r.EERD_START:
            word = self.state.eeprom.words[value >> 8 & WORDS - 1]
            self.state.eerd = word << 16 | value & 0xFF00 | r.EERD_DONE

    def write_mdic(self, value: int) -> None:
        """MDIC: a register of the transceiver, which is at address 1."""
        number, state = value >> 16 & 31, self.state
        result = value & 0x3FFFFFF | r.MDIC_READY
        if value >> 21 & 31 != 1:
            result |= r.MDIC_ERROR
        elif value & r.MDIC_READ:
            result = result & ~0xFFFF | state.phy[number]
        elif value & r.MDIC_WRITE:
            self._write_phy(number, value & 0xFFFF)
        state.mdic = result | value & (r.MDIC_READ | r.MDIC_WRITE | r.MDIC_INTERRUPT)
        if value & r.MDIC_INTERRUPT:
            self.cause(r.MDAC)

    def _write_phy(self, number: int, value: int) -> None:
        phy, mask = list(self.state.phy), r.PHY_WRITABLE.get(number, 0)
        phy[number] = phy[number] & ~mask | value & mask
        if number == 0 and value & r.PHY_CONTROL_RESET:
            phy[0] = r.PHY_RESET[0]
        self.state.phy = tuple(phy)
        if number == 0 and value & (r.PHY_CONTROL_RESET | r.PHY_RESTART):
            self.cause(r.LSC)  # negotiation takes no time

    # ---- rings ----

    def transmit_ring(self, value: int) -> None:
        """TDT or TCTL was written."""
        if not self.state.resume_at:
            e1000_transmit.run(self)

    def receive_ring(self, value: int) -> None:
        """RDT or RCTL was written."""
        if not self.holding():
            self.has_room()

    def holding(self) -> bool:
        """It receives, but its ring is full."""
        return bool(self.state.rctl & r.RX_ENABLE) and not e1000_receive.buffers(self)

    def accept(self, data: bytes) -> None:
        """A frame arrives."""
        e1000_receive.receive(self, data)

    # ---- counters ----

    def count(self, *numbers: int, size: int = 0, sizes: tuple[int, ...] = ()) -> None:
        """Count one more of each of `numbers`, which stop at their largest value, and add `size` to the counters of 64
        bits in `sizes`. All at once, as each change makes the whole state's tuple anew."""
        counters = list(self.state.statistics)
        for number in numbers:
            counters[number] = min(counters[number] + 1, ALL)
        for number in sizes:
            value = counters[number] + (counters[number + 1] << 32) + size
            counters[number], counters[number + 1] = value & ALL, value >> 32 & ALL
        self.state.statistics = tuple(counters)

    def read_counter(self, number: int) -> int:
        """Reading clears."""
        value = self.state.statistics[number]
        if value:
            self.state.statistics = replaced(self.state.statistics, number, 0)
        return int(value)


def _element(field: str, index: int) -> Register:
    """One register of an array."""
    def read(device: E1000) -> int:
        return int(getattr(device.state, field)[index])

    def write(device: E1000, value: int) -> None:
        setattr(device.state, field, replaced(getattr(device.state, field), index, value))
    return Register(f"{field}[{index}]", read=read, write=write)


def _counter(number: int) -> Register:
    return Register(f"statistics[{number}]", read=lambda device: device.read_counter(number))


def _plain(name: str, writable: int = ALL, write: Callable[[Any, int], None] | None = None) -> Register:
    return Register(name.upper(), name, writable=writable, write=write)


NOTHING = Register("nothing")
_RING_LENGTH = 0xFFF80
TABLE = {
    0x0000: Register("CTRL", "ctrl", write=E1000.write_control),
    0x0004: Register("CTRL, again", "ctrl", write=E1000.write_control),
    0x0008: Register("STATUS", read=E1000.read_status),
    0x0010: Register("EECD", read=E1000.read_eecd, write=E1000.write_eecd),
    0x0014: Register("EERD", "eerd", write=E1000.write_eerd),
    0x0018: _plain("ctrl_ext"),
    0x0020: Register("MDIC", "mdic", write=E1000.write_mdic),
    0x0028: _plain("fcal"), 0x002C: _plain("fcah"), 0x0030: _plain("fct"), 0x0038: _plain("vet", 0xFFFF),
    0x00C0: Register("ICR", read=E1000.read_causes, write=E1000.clear_causes),
    0x00C4: _plain("itr", 0xFFFF),
    0x00C8: Register("ICS", write=E1000.set_causes),
    0x00D0: Register("IMS", "ims", write=E1000.mask),
    0x00D8: Register("IMC", write=E1000.unmask),
    0x0100: _plain("rctl", write=E1000.receive_ring),
    0x0170: _plain("fcttv"), 0x0178: _plain("txcw"),
    0x0400: _plain("tctl", write=E1000.transmit_ring),
    0x0410: _plain("tipg"), 0x0458: _plain("ait", 0xFFFF), 0x0E00: _plain("ledctl"), 0x1000: _plain("pba", 0xFFFF),
    0x2160: _plain("fcrtl"), 0x2168: _plain("fcrth"),
    0x2800: _plain("rdbal", 0xFFFFFFF0), 0x2804: _plain("rdbah"), 0x2808: _plain("rdlen", _RING_LENGTH),
    0x2810: _plain("rdh", 0xFFFF), 0x2818: _plain("rdt", 0xFFFF, E1000.receive_ring),
    0x2820: _plain("rdtr", 0xFFFF), 0x2828: _plain("rxdctl"), 0x282C: _plain("radv", 0xFFFF),
    0x2C00: _plain("rsrpd", 0xFFF), 0x3000: _plain("txdmac"),
    0x3800: _plain("tdbal", 0xFFFFFFF0), 0x3804: _plain("tdbah"), 0x3808: _plain("tdlen", _RING_LENGTH),
    0x3810: _plain("tdh", 0xFFFF), 0x3818: _plain("tdt", 0xFFFF, E1000.transmit_ring),
    0x3820: _plain("tidv", 0xFFFF), 0x3828: _plain("txdctl"), 0x382C: _plain("tadv", 0xFFFF), 0x3830: _plain("tspmt"),
    **{r.STATISTICS + 4 * i: _counter(i) for i in range(64)},
    0x5000: _plain("rxcsum", 0x7FF),
    **{0x5200 + 4 * i: _element("multicast", i) for i in range(128)},
    **{0x5400 + 4 * i: _element("addresses", i) for i in range(32)},
    **{0x5600 + 4 * i: _element("vlans", i) for i in range(128)},
    0x5800: _plain("wuc"), 0x5808: _plain("wufc"), 0x5810: _plain("wus"), 0x5820: _plain("manc"),
}  # fmt: skip
"""The card's registers by offset."""
