"""A driver of a UHCI controller, for tests: transfers as one queue of descriptors in the memory of a TestMachine."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from hv.devices.pci import BAR0, COMMAND
from hv.devices.uhci import FRAME_NS, Uhci
from hv.devices.usb import IN, OUT, SETUP, UsbDevice
from tests.devices.machine import TestMachine

PORT = 0xC040
LIST, QUEUE, TRANSFERS, BUFFERS = 0x1000, 0x3000, 0x4000, 0x20000
COMMAND_REGISTER, STATUS, ENABLE, NUMBER, BASE, PORTS = 0x00, 0x02, 0x04, 0x06, 0x08, 0x10
ACTIVE, STALLED, THREE_ERRORS, INTERRUPT, SHORT = 1 << 23, 1 << 22, 3 << 27, 1 << 24, 1 << 29
DEPTH, QH, END = 4, 2, 1


class Stalled(Exception):
    """The device has stalled."""


class Driver:
    """A controller with devices, switched on, with an empty schedule that runs."""

    def __init__(self, *devices: UsbDevice, machine: TestMachine) -> None:
        self.machine = machine
        self.uhci = Uhci(machine, devices)
        self.device = devices[0]
        """At the first port."""
        self.uhci.config_write(BAR0 + 16, 4, PORT)
        self.uhci.config_write(COMMAND, 2, 5)
        self.write32(LIST, *[QUEUE | QH] * 1024)
        self.write32(QUEUE, END, END)
        self.out(BASE, LIST, 4)
        self.out(ENABLE, 0x0F)
        self.out(COMMAND_REGISTER, 1)

    # ---- registers and memory ----

    def inp(self, register: int, size: int = 2) -> int:
        return self.machine.inp(PORT + register, size)

    def out(self, register: int, value: int, size: int = 2) -> None:
        self.machine.out(PORT + register, value, size)

    def write32(self, address: int, *words: int) -> None:
        self.machine.ram[address : address + 4 * len(words)] = struct.pack(f"<{len(words)}I", *words)

    def read32(self, address: int) -> int:
        return int.from_bytes(self.machine.ram[address : address + 4], "little")

    def frames(self, count: int = 1) -> None:
        self.machine.advance(count * FRAME_NS)

    # ---- the bus ----

    def reset_port(self, port: int = 0) -> None:
        """Reset a port and enable it."""
        self.out(PORTS + 2 * port, 0x200)
        self.out(PORTS + 2 * port, 0)
        self.out(PORTS + 2 * port, 0x0E)

    def descriptor(self, at: int, pid: int, device: int, endpoint: int, length: int, buffer: int, link: int = END,
                   flags: int = THREE_ERRORS) -> None:  # fmt: skip
        """Write a TD that is active."""
        token = pid | device << 8 | endpoint << 15 | (length - 1 & 0x7FF) << 21
        self.write32(at, link, ACTIVE | flags, token, buffer)

    def queue(self, device: int, endpoint: int, packets: Sequence[tuple[int, int, int]], most: int = 200) -> list[int]:
        """Have (pid, length, buffer) sent one after the other, in as many frames as it takes: the length of each.
        Stalled; AssertionError: it takes more than `most` frames."""
        for i, (pid, length, buffer) in enumerate(packets):
            link = END if i == len(packets) - 1 else TRANSFERS + 16 * (i + 1) | DEPTH
            self.descriptor(TRANSFERS + 16 * i, pid, device, endpoint, length, buffer, link)
        self.write32(QUEUE + 4, TRANSFERS)
        for _ in range(most):
            self.frames()
            controls = [self.read32(TRANSFERS + 16 * i + 4) for i in range(len(packets))]
            if any(control & STALLED for control in controls):
                self.write32(QUEUE + 4, END)
                raise Stalled
            if not any(control & ACTIVE for control in controls):
                self.write32(QUEUE + 4, END)
                return [control + 1 & 0x7FF for control in controls]
        raise AssertionError(f"not done after {most} frames")

    def control(self, device: int, kind: int, request: int, value: int = 0, index: int = 0, length: int = 0,
                data: bytes = b"", packet: int = 8) -> bytes:  # fmt: skip
        """A control transfer; the data that it brings. Stalled."""
        length = len(data) or length
        self.machine.ram[BUFFERS : BUFFERS + 8] = struct.pack("<BBHHH", kind, request, value, index, length)
        packets = [(SETUP, 8, BUFFERS)]
        start = BUFFERS + 64
        self.machine.ram[start : start + len(data)] = data
        for at in range(0, length, packet):
            packets.append((IN if kind & 0x80 else OUT, min(packet, length - at), start + at))
        packets.append((OUT if kind & 0x80 else IN, 0, 0))
        got = sum(self.queue(device, 0, packets)[1:-1])
        return bytes(self.machine.ram[start : start + got]) if kind & 0x80 else b""

    def configure(self, address: int, port: int = 0) -> None:
        """Reset the device at a port, give it an address, and set its configuration."""
        self.reset_port(port)
        self.control(0, 0x00, 5, address)
        self.control(address, 0x00, 9, 1)

    def look(self, address: int, length: int = 8) -> bytes | None:
        """A look at the interrupt endpoint: a report, or None for NAK."""
        self.descriptor(TRANSFERS, IN, address, 1, length, BUFFERS)
        self.write32(QUEUE + 4, TRANSFERS)
        self.frames()
        control = self.read32(TRANSFERS + 4)
        self.write32(QUEUE + 4, END)
        if control & STALLED:
            raise Stalled
        return None if control & ACTIVE else bytes(self.machine.ram[BUFFERS : BUFFERS + (control + 1 & 0x7FF)])
