"""A driver for the 82540EM in as little as it takes, and a cable that keeps what is sent."""

from __future__ import annotations

import struct

from hv.devices.e1000 import E1000
from hv.net.port import Port
from tests.devices.machine import TestMachine

MAC = b"\x52\x54\x00\x12\x34\x56"
BASE = 0xFEBC0000
IO = 0xC000
RX_RING, TX_RING, RX_DATA, TX_DATA = 0x10000, 0x20000, 0x30000, 0x80000
CTRL, STATUS, EECD, EERD, MDIC, ICR, ITR, ICS, IMS, IMC = 0, 8, 0x10, 0x14, 0x20, 0xC0, 0xC4, 0xC8, 0xD0, 0xD8
RCTL, TCTL, RDBAL, RDLEN, RDH, RDT = 0x100, 0x400, 0x2800, 0x2808, 0x2810, 0x2818
TDBAL, TDLEN, TDH, TDT, RXCSUM, MTA, RA, VFTA = 0x3800, 0x3808, 0x3810, 0x3818, 0x5000, 0x5200, 0x5400, 0x5600
EOP, IFCS, IC, RS, DEXT, VLE = 1, 2, 4, 8, 0x20, 0x40


class Wire(Port):
    """The far end: frames that were sent, oldest first."""

    def __init__(self, machine: TestMachine) -> None:
        super().__init__(machine, "wire")
        self.frames: list[bytes] = []

    def sent(self, frame: bytes) -> None:
        self.frames.append(frame)


class Driver:
    """The card, brought up as drivers do it, unless `up` is false."""

    def __init__(self, up: bool = True, ring: int = 8) -> None:
        self.machine, self.count = TestMachine(), ring
        self.nic = E1000(self.machine, "nic0", 4, MAC)
        self.wire = Wire(self.machine)
        self.wire.plug(self.nic)
        self.nic.config_write(0x10, 4, BASE)
        self.nic.config_write(0x14, 4, IO | 1)
        self.nic.config_write(0x04, 2, 7)
        self.tail = self.seen = 0
        if up:
            self.up()

    def get(self, register: int) -> int:
        return self.machine.memory.read(BASE + register, 4)

    def put(self, register: int, value: int) -> None:
        self.machine.memory.write(BASE + register, 4, value)

    def up(self, rctl: int = 0x8002, size: int = 2048) -> None:
        """Rings of `count` descriptors, receive buffers of `size` bytes."""
        self.put(IMC, 0xFFFFFFFF)
        self.put(CTRL, 1 << 26)
        for i in range(self.count):
            self.poke(RX_RING + 16 * i, struct.pack("<QQ", RX_DATA + i * size, 0))
        for base, where in ((RDBAL, RX_RING), (TDBAL, TX_RING)):
            self.put(base, where)
            self.put(base + 4, 0)
            self.put(base + 8, self.count * 16)
        self.put(RDH, 0)
        self.put(RDT, self.count - 1)
        self.put(RCTL, rctl)
        self.put(TCTL, 0x2 | 0x8)
        self.put(IMS, 0x1FFFF)
        self.get(ICR)
        self.tail = self.seen = 0

    def poke(self, address: int, data: bytes) -> None:
        self.machine.ram[address : address + len(data)] = data

    def peek(self, address: int, length: int) -> bytes:
        return bytes(self.machine.ram[address : address + length])

    # ---- sending ----

    def describe(self, *descriptors: bytes) -> None:
        """Put descriptors into the ring, and tell the card."""
        for descriptor in descriptors:
            self.poke(TX_RING + 16 * self.tail, descriptor)
            self.tail = (self.tail + 1) % self.count
        self.put(TDT, self.tail)

    def send(self, frame: bytes, command: int = EOP | IFCS | RS, cso: int = 0, css: int = 0, special: int = 0) -> bytes:
        """Send by one legacy descriptor; its write-back."""
        at = self.tail
        self.poke(TX_DATA, frame)
        self.describe(struct.pack("<QHBBBBH", TX_DATA, len(frame), cso, command, 0, css, special))
        return self.peek(TX_RING + 16 * at, 16)

    def offload(self, packet: bytes, context: bytes, tse: bool, popts: int = 3) -> None:
        """Send by a context descriptor and data descriptors of 4 KiB."""
        self.poke(TX_DATA, packet)
        pieces = range(0, len(packet), 4096)
        data = [
            struct.pack("<QIBBH", TX_DATA + at, min(4096, len(packet) - at) | 1 << 20
                        | (DEXT | RS | 4 * tse | (at == pieces[-1])) << 24, 0, popts, 0)
            for at in pieces
        ]  # fmt: skip
        self.describe(context, *data)

    # ---- receiving ----

    def receive(self) -> list[tuple[bytes, int, int, int]]:
        """What has come: (bytes, status, errors, special) of each descriptor that is done; they are given back."""
        found = []
        while True:
            where = RX_RING + 16 * self.seen
            address, length, _, status, errors, special = struct.unpack("<QHHBBH", self.peek(where, 16))
            if not status & 1:
                return found
            found.append((self.peek(address, length), status, errors, special))
            self.poke(where + 8, bytes(8))
            self.put(RDT, self.seen)
            self.seen = (self.seen + 1) % self.count


def context(css: int = 14, payload: int = 0, header: int = 54, mss: int = 0, command: int = 0x27) -> bytes:
    """A context descriptor for TCP over IPv4 in Ethernet; TSE is part of the command."""
    fields = (css, css + 10, css + 19, css + 20, css + 36, 0, payload | command << 24, 0, header, mss)
    return struct.pack("<BBHBBHIBBH", *fields)
