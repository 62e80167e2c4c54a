"""Realtek RTL8139C, the fast Ethernet card with one receive ring and four transmit descriptors.

Frames are received into one ring of memory behind headers of four bytes, and sent from four addresses in turn. Its
registers are of different widths and may be met by any access, in I/O space (BAR 0) or memory (BAR 1). Sending and
negotiating take no time. Interrupts, the timer (33 MHz), the EEPROM and the transceiver are there; wake-up, power
management and the C+ mode of later chips are not.

Source: Realtek RTL8139C(L) data sheet, chapters 5 and 6.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from hv.devices import rtl8139_registers as r
from hv.devices.device import NEVER
from hv.devices.eeprom import Eeprom, words_address
from hv.devices.nic import CRC, LONGEST_FRAME, SHORTEST_FRAME, NicDevice
from hv.devices.pci import BAR_IO, BAR_MEMORY, Bar, PciMachine
from hv.devices.registers import Register, mixed_region
from hv.devices.values import byte_replaced, replaced


class Rtl8139(NicDevice):
    """An RTL8139C with an Ethernet address."""

    IDENTITY = r.IDENTITY
    State: type[Any] = r.Rtl8139State

    def __init__(self, machine: PciMachine, name: str, slot: int, mac: bytes, function: int = 0) -> None:
        super().__init__(machine, name, slot, mac, function)
        self.bars = {
            0: Bar(BAR_IO, r.SIZE, mixed_region(self, f"{name}-io", r.SIZE, TABLE)),
            1: Bar(BAR_MEMORY, r.SIZE, mixed_region(self, name, r.SIZE, TABLE)),
        }
        self.power_on(r.eeprom_words(mac))

    def begin(self, words: tuple[int, ...]) -> None:
        """The address registers."""
        self.state.eeprom = Eeprom(words)
        self.state.idr = words_address(words[r.ADDRESS_WORD : r.ADDRESS_WORD + 3])
        self.state.tick_zero = self.machine.now_ns

    # ---- command, interrupts, timer ----

    def read_command(self) -> int:
        """CR: whether the receive ring is empty is asked of its pointers."""
        return int(self.state.cr) | (r.EMPTY if self._used() == 0 else 0)

    def write_command(self, value: int) -> None:
        """CR."""
        state = self.state
        if value & r.RESET:
            kept = {name: getattr(state, name) for name in
                    ("config", "idr", "mar", "eeprom", "cr9346", "config1", "config3", "config4", "tick_zero")}
            self.state = self.State(**kept)
            self.machine.set_timer(self, NEVER)
            self.causes_changed()
            return
        was, state.cr = state.cr, value & (r.TX_ENABLE | r.RX_ENABLE)
        if state.cr & r.RX_ENABLE and not was & r.RX_ENABLE:
            state.cbr, state.capr = 0, 0xFFF0
            self.has_room()
        self._transmit()

    def cause(self, causes: int) -> None:
        """Something has happened that may interrupt."""
        self.state.isr |= causes
        self.causes_changed()

    def causes_changed(self, value: int = 0) -> None:
        """ISR or IMR: set the pin."""
        pending = bool(self.state.isr & self.state.imr)
        if pending != self.interrupting:
            self.set_irq(pending)

    def read_ticks(self) -> int:
        """TCTR."""
        return int(self.machine.now_ns - self.state.tick_zero) // r.TICK_NS & 0xFFFFFFFF

    def write_ticks(self, value: int) -> None:
        """TCTR: any write makes it 0."""
        self.state.tick_zero = self.machine.now_ns
        self.set_timeout(0)

    def set_timeout(self, value: int) -> None:
        """TimerInt: interrupt when the timer gets there; 0: never."""
        state = self.state
        if state.timer == 0:
            self.machine.set_timer(self, NEVER)
            return
        left = (state.timer - self.read_ticks() & 0xFFFFFFFF) or 1 << 32
        self.machine.set_timer(self, self.machine.now_ns + left * r.TICK_NS)

    def timer(self) -> None:
        """The timer is where it was set to; it goes on, and will be there again."""
        self.cause(r.TIMEOUT)
        self.set_timeout(0)

    # ---- EEPROM, configuration, transceiver ----

    def read_eeprom(self) -> int:
        """9346CR."""
        return int(self.state.cr9346 & ~r.EE_OUT | self.state.eeprom.out)

    def write_eeprom(self, value: int) -> None:
        """9346CR."""
        state = self.state
        if value & r.MODE == r.AUTOLOAD:
            state.cr9346 = 0
            state.idr = words_address(state.eeprom.words[r.ADDRESS_WORD : r.ADDRESS_WORD + 3])
            return
        state.cr9346 = value & 0xFE
        programming = value & r.MODE == 0x80
        state.eeprom = state.eeprom.pins(
            programming and bool(value & r.EE_SELECT), bool(value & r.EE_CLOCK), bool(value & r.EE_IN)
        )

    def config_writable(self) -> bool:
        """The configuration registers are locked unless 9346CR says otherwise."""
        return bool(self.state.cr9346 & r.MODE == r.CONFIG_ENABLE)

    def read_media(self) -> int:
        """MSR: bit 2 says that there is no link."""
        return 0x10 if self.port is not None else 0x14

    def read_basic_status(self) -> int:
        """BMSR: negotiation is over, and whether there is a link."""
        return 0x7829 | (0x04 if self.port is not None else 0)

    def read_partner(self) -> int:
        """ANLPAR: the other end can do what this one can."""
        return 0x45E1 if self.port is not None else 0

    def write_basic_control(self, value: int) -> None:
        """BMCR: negotiation takes no time."""
        self.state.bmcr = 0x3100 if value & 0x8000 else value & ~0x0200 & 0x7FFF
        if value & 0x0200:
            self.cause(r.LINK_CHANGE)

    # ---- sending ----

    def write_descriptor(self, index: int, value: int) -> None:
        """TSD: clearing OWN hands the descriptor to the card."""
        self.state.tsd = replaced(self.state.tsd, index, value & (r.SIZE_MASK | r.OWN | r.TX_THRESHOLD))
        self._transmit()

    def _transmit(self) -> None:
        """Send what is handed over, in turn."""
        state = self.state
        for _ in range(4):
            index = state.next
            status = state.tsd[index]
            if not state.cr & r.TX_ENABLE or status & r.OWN:
                return
            frame = self.dma_read(state.tsad[index], status & r.SIZE_MASK)
            state.tsd = replaced(state.tsd, index, status | r.OWN | r.SENT)
            state.next = (index + 1) % 4
            if state.tcr & r.LOOPBACK == r.LOOPBACK:
                self.accept(frame)
            elif len(frame) <= LONGEST_FRAME + 4 - CRC:
                self.transmit(frame)
            self.cause(r.TX_OK)

    def read_all_status(self) -> int:
        """TSAD: OWN and OK of all four descriptors."""
        value = 0
        for index, status in enumerate(self.state.tsd):
            value |= (bool(status & r.OWN) | bool(status & r.SENT) << 12) << index
        return value

    # ---- receiving ----

    @property
    def _ring(self) -> int:
        return 8192 << (int(self.state.rcr) >> 11 & 3)

    def _used(self) -> int:
        """Bytes of the ring that the driver has not read: its pointer is 16 behind where it reads."""
        return int(self.state.cbr - self.state.capr - 16) % self._ring

    def set_read_pointer(self, value: int) -> None:
        """CAPR."""
        self.has_room()

    def holding(self) -> bool:
        """It receives, but the ring may have no room for the next frame."""
        return bool(self.state.cr & r.RX_ENABLE) and self._ring - self._used() < LONGEST_FRAME + 4 + 8

    def full(self) -> None:
        """The ring is full, and frames come. Linux's driver leaves frames in the ring with their interrupt
        acknowledged, counting on the next one's, or on an overflow's."""
        self.cause(r.RX_OVERFLOW)

    def accept(self, data: bytes) -> None:
        """A frame arrives."""
        state = self.state
        if not state.cr & r.RX_ENABLE or len(data) < 14 or len(data) + CRC > LONGEST_FRAME + 4:
            return
        status = self._wanted(data)
        if not status:
            return
        frame = data.ljust(SHORTEST_FRAME, b"\0")
        frame += zlib.crc32(frame).to_bytes(4, "little")
        entry = (status | r.GOOD | len(frame) << 16).to_bytes(4, "little") + frame
        if len(entry) + 4 >= self._ring - self._used():
            state.mpc = min(state.mpc + 1, 0xFFFFFF)
            self.cause(r.RX_OVERFLOW)
            return
        room = self._ring - state.cbr
        wraps = len(entry) > room and not (state.rcr & r.WRAP and self._ring < 65536)
        first = entry[:room] if wraps else entry
        self.dma_write(state.rbstart + state.cbr, first)
        self.dma_write(state.rbstart, entry[len(first) :])
        state.cbr = (state.cbr + len(entry) + 3 & ~3) % self._ring
        self.cause(r.RX_OK)

    def _wanted(self, frame: bytes) -> int:
        """Which filter lets the frame in, as the status that its header shows; 0: none."""
        rcr, target = self.state.rcr, frame[:6]
        if target == b"\xff" * 6:
            return r.TO_BROADCAST if rcr & (r.BROADCAST | r.ALL) else 0
        if target[0] & 1:
            hit = self.state.mar >> _hash(target) & 1 if rcr & r.MULTICAST else rcr & r.ALL
            return r.TO_GROUP if hit or rcr & r.ALL else 0
        if target == self.state.idr:
            return r.TO_ADDRESS if rcr & (r.MATCH | r.ALL) else 0
        return r.GOOD if rcr & r.ALL else 0


def _hash(address: bytes) -> int:
    """Which bit of the multicast register is an address's: six bits of its CRC, as they go over the wire."""
    return int(f"{zlib.crc32(address) ^ 0xFFFFFFFF:032b}"[::-1][:6], 2)


# ---- the registers ----


def _word(field: str, index: int, size: int) -> Register:
    """Part of a field that is an integer of several registers."""
    mask = (1 << 8 * size) - 1 << 8 * size * index

    def read(device: Rtl8139) -> int:
        return (int(getattr(device.state, field)) & mask) >> 8 * size * index

    def write(device: Rtl8139, value: int) -> None:
        old = int(getattr(device.state, field))
        setattr(device.state, field, old & ~mask | value << 8 * size * index)
    return Register(f"{field}.{index}", read=read, write=write)


def _address_byte(index: int) -> Register:
    def write(device: Rtl8139, value: int) -> None:
        if device.config_writable():
            device.state.idr = byte_replaced(device.state.idr, index, value & 0xFF)
    return Register(f"IDR{index}", read=lambda device: device.state.idr[index], write=write)


def _status(index: int) -> Register:
    return Register(
        f"TSD{index}", read=lambda device: device.state.tsd[index],
        write=lambda device, value: device.write_descriptor(index, value),
    )  # fmt: skip


def _start(index: int) -> Register:
    def write(device: Rtl8139, value: int) -> None:
        device.state.tsad = replaced(device.state.tsad, index, value)
    return Register(f"TSAD{index}", read=lambda device: device.state.tsad[index], write=write)


def _locked(field: str, writable: int) -> Register:
    """A configuration register."""
    def write(device: Rtl8139, value: int) -> None:
        if device.config_writable():
            old = getattr(device.state, field)
            setattr(device.state, field, old & ~writable | value & writable)
    return Register(field.upper(), read=lambda device: int(getattr(device.state, field)), write=write)


def _constant(name: str, value: int | Callable[[Any], int]) -> Register:
    return Register(name, read=value) if callable(value) else Register(name, floating=value)


TABLE: dict[int, tuple[int, Register]] = {
    **{i: (1, _address_byte(i)) for i in range(6)},
    **{0x08 + 4 * i: (4, _word("mar", i, 4)) for i in range(2)},
    **{0x10 + 4 * i: (4, _status(i)) for i in range(4)},
    **{0x20 + 4 * i: (4, _start(i)) for i in range(4)},
    0x30: (4, Register("RBSTART", "rbstart", writable=0xFFFFFFFF)),
    0x37: (1, Register("CR", read=Rtl8139.read_command, write=Rtl8139.write_command)),
    0x38: (2, Register("CAPR", "capr", writable=0xFFFF, write=Rtl8139.set_read_pointer)),
    0x3A: (2, Register("CBR", "cbr")),
    0x3C: (2, Register("IMR", "imr", writable=r.CAUSES, write=Rtl8139.causes_changed)),
    0x3E: (2, Register("ISR", "isr", clears=0xFFFF, write=Rtl8139.causes_changed)),
    0x40: (4, Register("TCR", read=lambda device: device.state.tcr | r.CHIP_C,
                       write=lambda device, value: setattr(device.state, "tcr", value & 0x030607F0))),
    0x44: (4, Register("RCR", "rcr", writable=0x0F01FFBF, write=Rtl8139.set_read_pointer)),
    0x48: (4, Register("TCTR", read=Rtl8139.read_ticks, write=Rtl8139.write_ticks)),
    0x4C: (4, Register("MPC", "mpc", write=lambda device, value: setattr(device.state, "mpc", 0))),
    0x50: (1, Register("9346CR", read=Rtl8139.read_eeprom, write=Rtl8139.write_eeprom)),
    0x51: (1, _locked("config0", 0x00)),
    0x52: (1, _locked("config1", 0xFE)),
    0x54: (4, Register("TimerInt", "timer", writable=0xFFFFFFFF, write=Rtl8139.set_timeout)),
    0x58: (1, _constant("MSR", Rtl8139.read_media)),
    0x59: (1, _locked("config3", 0xFE)),
    0x5A: (1, _locked("config4", 0xFF)),
    0x5C: (2, Register("MULINT", "mulint", writable=0x0FFF)),
    0x5E: (1, _constant("RERID", 0x10)),
    0x60: (2, _constant("TSAD", Rtl8139.read_all_status)),
    0x62: (2, Register("BMCR", "bmcr", write=Rtl8139.write_basic_control)),
    0x64: (2, _constant("BMSR", Rtl8139.read_basic_status)),
    0x66: (2, Register("ANAR", "anar", writable=0xFFFF)),
    0x68: (2, _constant("ANLPAR", Rtl8139.read_partner)),
    0x6A: (2, _constant("ANER", 0x0001)),
    0x74: (2, Register("CSCR", "cscr", writable=0xFFFF)),
}
"""The card's registers: offset -> (width, register)."""
