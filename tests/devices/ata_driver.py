"""An IDE controller in a machine under test, and a driver for it that does what the standard tells drivers to do."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from hv.devices.ata_drive import BSY, DRQ, ERR, Drive
from hv.devices.ide import COMMAND_PORTS, CONTROL_PORTS, INTERRUPTS, Ide
from hv.disk.disk import Disk
from hv.disk.opening import open_image
from tests.devices.machine import TestMachine

MASTERS = 0xC000
PRDS, BUFFER = 0x1000, 0x10000


def disk_of(folder: Path, data: bytes | int, name: str = "disk", **options: Any) -> Disk:
    """A disk of these bytes, or of so many zeros."""
    with open(folder / name, "wb") as file:
        file.truncate(data) if isinstance(data, int) else file.write(data)
    return Disk(open_image(str(folder / name), "raw"), **options)


class Driver:
    """A driver of one channel. Waits let time pass, at most `PATIENCE` nanoseconds."""

    PATIENCE = 10_000_000

    def __init__(self, *drives: Drive | None, channel: int = 0) -> None:
        self.machine = TestMachine()
        self.ide = Ide(self.machine, drives)
        self.base, self.control, self.irq = COMMAND_PORTS[channel], CONTROL_PORTS[channel], INTERRUPTS[channel]
        self.master = MASTERS + 8 * channel
        self.ide.config_write(0x20, 4, MASTERS)
        self.ide.config_write(0x04, 2, 5)
        self.device = 0xE0

    # ---- registers ----

    def inp(self, register: int, size: int = 1) -> int:
        return self.machine.inp(self.base + register, size)

    def out(self, register: int, value: int, size: int = 1) -> None:
        self.machine.out(self.base + register, value, size)

    def status(self) -> int:
        """Without an effect on interrupts."""
        return self.machine.inp(self.control)

    def line(self) -> bool:
        return self.machine.lines.get(self.irq, False)

    # ---- waiting ----

    def wait(self) -> int:
        """Until it is no longer busy; the status."""
        for _ in range(self.PATIENCE // 100):
            status = self.status()
            if not status & BSY:
                return status
            self.machine.advance(100)
        raise AssertionError("busy for ever")

    def wait_interrupt(self) -> int:
        """Until the interrupt; acknowledges it by reading the status."""
        for _ in range(self.PATIENCE // 100):
            if self.line():
                status = self.inp(7)
                assert not self.line()
                return status
            self.machine.advance(100)
        raise AssertionError("no interrupt")

    # ---- commands ----

    def select(self, number: int) -> None:
        self.device = self.device & ~0x10 | number << 4
        self.out(6, self.device)

    def command(self, opcode: int, lba: int = 0, count: int = 0, features: int = 0, chs: bool = False) -> None:
        """A command with a 28-bit address; with `chs`, `lba` is head << 24 | cylinder << 8 | sector."""
        for register, value in ((1, features), (2, count), (3, lba), (4, lba >> 8), (5, lba >> 16)):
            self.out(register, value & 0xFF)
        self.out(6, self.device & (0xB0 if chs else 0xF0) | lba >> 24 & 0xF)
        self.out(7, opcode)
        assert not self.line()

    def command_ext(self, opcode: int, lba: int, count: int) -> None:
        """A command with a 48-bit address: the high halves first."""
        for register, value in (
            (2, count >> 8), (3, lba >> 24), (4, lba >> 32), (5, lba >> 40),
            (2, count), (3, lba), (4, lba >> 8), (5, lba >> 16),
        ):  # fmt: skip
            self.out(register, value & 0xFF)
        self.out(6, self.device)
        self.out(7, opcode)

    def simple(self, opcode: int, **registers: int) -> int:
        """A command without data; the status at its end."""
        self.command(opcode, **registers)
        assert self.status() & BSY
        return self.wait_interrupt()

    # ---- data ----

    def read_words(self, count: int, size: int = 2) -> bytes:
        return b"".join(self.inp(0, size).to_bytes(size, "little") for _ in range(count // size))

    def write_words(self, data: bytes, size: int = 2) -> None:
        for at in range(0, len(data), size):
            self.out(0, int.from_bytes(data[at : at + size], "little"), size)

    def pio_in(self, length: int, block: int = 512, size: int = 2) -> bytes:
        """The data of a command that was given: one interrupt a block, and none at the end."""
        data = b""
        while len(data) < length:
            assert self.wait_interrupt() & (DRQ | ERR | BSY) == DRQ
            data += self.read_words(min(block, length - len(data)), size)
        assert self.wait() & (DRQ | ERR) == 0 and not self.line()
        return data

    def pio_out(self, data: bytes, block: int = 512, size: int = 2) -> int:
        """Data for a command that was given; the status at its end."""
        assert self.wait() & DRQ and not self.line()
        for at in range(0, len(data), block):
            self.write_words(data[at : at + block], size)
            status = self.wait_interrupt()
            assert bool(status & DRQ) == (at + block < len(data) and not status & ERR)
        return status

    # ---- DMA ----

    def table(self, *entries: tuple[int, int], last: bool = True, at: int = PRDS) -> None:
        """Write descriptors of (address, bytes), and have the bus master find them."""
        raw = b"".join(struct.pack("<IHH", address, count & 0xFFFF, 0) for address, count in entries)
        if last:
            raw = raw[:-1] + b"\x80"
        self.machine.ram[at : at + len(raw)] = raw
        self.machine.out(self.master + 4, at, 4)

    def start(self, to_memory: bool) -> None:
        self.machine.out(self.master, 8 if to_memory else 0)
        self.machine.out(self.master + 2, self.machine.inp(self.master + 2) | 6)
        self.machine.out(self.master, 9 if to_memory else 1)

    def stop(self) -> int:
        """Stop the bus master; its status before."""
        status = self.machine.inp(self.master + 2)
        self.machine.out(self.master, 0)
        self.machine.out(self.master + 2, status | 6)
        return status

    # ---- packets ----

    def packet(self, packet: bytes, limit: int = 0xFFFE, dma: bool = False) -> None:
        """Send a packet, filled up with zeros."""
        self.out(1, int(dma))
        self.out(4, limit & 0xFF)
        self.out(5, limit >> 8)
        self.out(7, 0xA0)
        assert self.wait() & DRQ and not self.line() and self.inp(2) & 3 == 1
        self.write_words(packet.ljust(12, b"\0"))

    def packet_in(self, packet: bytes, limit: int = 0xFFFE) -> bytes:
        """Send a packet and read what it answers, by PIO."""
        self.packet(packet, limit)
        data = b""
        while (status := self.wait_interrupt()) & DRQ:
            assert self.inp(2) & 3 == 2
            count = self.inp(4) | self.inp(5) << 8
            assert 0 < count <= max(limit, 2)
            data += self.read_words(count + 1 & ~1)[:count]
        assert not status & ERR and self.inp(2) & 3 == 3
        return data

    def packet_error(self, packet: bytes) -> tuple[int, int, int]:
        """Send a packet that is refused; the sense that tells why."""
        self.packet(packet)
        status = self.wait_interrupt()
        assert status & (ERR | DRQ) == ERR and self.inp(2) & 3 == 3
        key = self.inp(1) >> 4
        sense = self.packet_in(bytes([3, 0, 0, 0, 18, 0]))
        assert sense[2] == key
        return key, sense[12], sense[13]
