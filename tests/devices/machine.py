"""A machine for one device under test: buses, lines, a timer, memory, and nothing that runs."""

from __future__ import annotations

import functools
from typing import Any

from hv.devices.board import BUS_ADDRESS
from hv.devices.bus import Bus
from hv.devices.device import NEVER, Device
from hv.devices.pci import PciDevice
from hv.devices.vga_window import VgaWindow, VideoMemory
from hv.native import ffi

MEMORY = 1 << 20
VIDEO_MEMORY = 16 << 20


class TestDataPort:
    """A DataPort of nothing but Python."""

    __test__ = False

    def __init__(self) -> None:
        self.stop()

    def stop(self) -> None:
        self.giving, self.taking, self.got = b"", 0, b""

    def give(self, data: bytes) -> None:
        self.stop()
        self.giving = data

    def take(self, count: int) -> None:
        self.stop()
        self.taking = count

    def rest(self) -> bytes:
        data = self.giving
        self.stop()
        return data

    def collected(self) -> bytes:
        data = self.got
        self.stop()
        return data


class TestMachine:
    """Implements hv.devices.vga_window.VgaMachine. `now` is set by the test (advance()); `lines` and `pins` are the
    levels of interrupt lines and of devices' PCI pins."""

    __test__ = False

    def __init__(self) -> None:
        self.ports, self.memory = Bus(1 << 16), Bus(1 << 40)
        self.now = 0
        self.lines: dict[int, bool] = {}
        self.edges: list[tuple[int, bool]] = []
        self.pins: dict[str, bool] = {}
        self.deadlines: dict[str, tuple[int, Device]] = {}
        self.ram = bytearray(MEMORY)
        self.data_ports: dict[int, TestDataPort] = {}
        self.mapped: dict[tuple[str, int], int | None] = {}
        self.shadow: dict[int, tuple[bool, bool]] = {}
        self.held: tuple[int, int, int, int] | None = None
        """(port, size, value, until_ns) of the last read, where its device holds it; every read of it is compared."""
        self.holds: list[tuple[int, int, int]] = []
        self.printed = b""
        self.ended = ""
        self.video_bytes: Any = None
        self.touched: set[int] = set()
        """Pages of video memory that Python has announced to write."""

        self.a20 = True
        self.patient = False
        """Whether the timer that was set last ends idle time."""

    def links_moved(self) -> None:
        """Nothing else than PCI devices is wired to them."""

    # ---- hv.devices.device.Machine ----

    @property
    def now_ns(self) -> int:
        return self.now

    def set_irq(self, gsi: int, level: bool) -> None:
        if self.lines.get(gsi, False) != level:
            self.edges.append((gsi, level))
        self.lines[gsi] = level

    def set_timer(self, device: Device, deadline_ns: int, patient: bool = False) -> None:
        self.patient = patient
        self.deadlines.pop(device.name, None)
        if deadline_ns != NEVER:
            self.deadlines[device.name] = (deadline_ns, device)

    def dma_read(self, address: int, length: int) -> bytes:
        address &= BUS_ADDRESS
        return bytes(self.ram[address : address + length]).ljust(length, b"\xff")

    def dma_write(self, address: int, data: bytes) -> None:
        address &= BUS_ADDRESS
        end = min(address + len(data), len(self.ram))
        if address < end:
            self.ram[address:end] = data[: end - address]

    def hold(self, port: int, size: int, until_ns: int) -> None:
        self.holds.append((port, size, until_ns))

    def has_ram(self, address: int, length: int) -> bool:
        return (address & BUS_ADDRESS) + length <= len(self.ram)

    def data_port(self, port: int) -> Any:
        return self.data_ports.setdefault(port, TestDataPort())

    def power_off(self) -> None:
        self.ended = "power off"

    def reboot(self) -> None:
        self.ended = "reboot"

    def set_a20(self, enabled: bool) -> None:
        self.a20 = enabled

    def print(self, data: bytes) -> None:
        self.printed += data

    # ---- PciMachine ----

    def set_pci_irq(self, device: PciDevice, level: bool) -> None:
        self.pins[device.name] = level

    def map_ram(self, device: PciDevice, bar: int, base: int | None) -> None:
        self.mapped[device.name, bar] = base

    def set_shadow(self, first: int, size: int, read_ram: bool, write_ram: bool) -> None:
        for page in range(first >> 12, (first + size) >> 12):
            self.shadow[page << 12] = (read_ram, write_ram)

    # ---- state ----

    def save(self) -> Any:
        """What the real machine keeps beside its devices."""
        ports = {port: (data.giving, data.taking, data.got) for port, data in self.data_ports.items()}
        return self.now, dict(self.lines), dict(self.pins), dict(self.deadlines), bytes(self.ram), ports

    def load(self, saved: Any) -> None:
        """Become what save() gave; devices are loaded by themselves."""
        self.held = None
        self.now, lines, pins, deadlines, ram, ports = saved
        self.lines, self.pins, self.deadlines, self.ram = dict(lines), dict(pins), dict(deadlines), bytearray(ram)
        for port in {*ports, *self.data_ports}:
            data = self.data_port(port)
            data.giving, data.taking, data.got = ports.get(port, (b"", 0, b""))

    # ---- VgaMachine ----

    @functools.cached_property
    def _window(self) -> VgaWindow:
        return VgaWindow(ffi.new("struct vga_window *"))

    @functools.cached_property
    def _video_memory(self) -> VideoMemory:
        self.video_bytes = ffi.new("uint8_t[]", VIDEO_MEMORY)
        return VideoMemory(self.video_bytes, VIDEO_MEMORY, self.touched.add)

    def vga_window(self) -> VgaWindow:
        return self._window

    def video_memory(self) -> VideoMemory:
        return self._video_memory

    # ---- what a test does ----

    def advance(self, ns: int) -> None:
        """Time passes, and due timers are called in order."""
        end = self.now + ns
        while due := min((d for d in self.deadlines.items() if d[1][0] <= end), key=lambda d: d[1][0], default=None):
            name, (deadline, device) = due
            self.now = max(self.now, deadline)
            del self.deadlines[name]
            self.held = None
            device.timer()
        self.now = end

    def inp(self, port: int, size: int = 1) -> int:
        """The guest reads a port."""
        data = self.data_ports.get(port)
        if data is not None and len(data.giving) > size:
            value, data.giving = data.giving[:size], data.giving[size:]
            return int.from_bytes(value, "little")
        self.holds.clear()
        got, held = self.ports.read(port, size), self.held
        if held is not None and held[:2] == (port, size) and self.now < held[3]:
            assert got == held[2], f"port {port:#x} was to give {held[2]:#x} until {held[3]}"
        found = [until for held_port, held_size, until in self.holds if (held_port, held_size) == (port, size)]
        self.held = (port, size, got, found[-1]) if found else None
        return got

    def out(self, port: int, value: int, size: int = 1) -> None:
        """The guest writes a port."""
        data = self.data_ports.get(port)
        if data is not None and data.taking > len(data.got) + size:
            data.got += value.to_bytes(size, "little")
            return
        self.held = None
        self.ports.write(port, size, value)
