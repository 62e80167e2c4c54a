"""The PC around an HVM domain's processors: what a Board has, and PCI, the A20 line, windows below 1 MiB, video memory.

A Platform implements hv.devices.pci.PciMachine for one domain. What of it a run changes lies in the arena (interrupt
controllers, timers, data ports: native/xen/x86/hvm/state.h) or in the devices.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

from hv import abi
from hv.devices.board import Board
from hv.devices.device import DataPort
from hv.devices.layout import BIOS_WINDOW, FIRMWARE_END, SHADOW
from hv.devices.vga_window import VgaWindow, VideoMemory
from hv.native import ffi, lib, view

if TYPE_CHECKING:
    from hv.devices.bus import Bus
    from hv.devices.pci import PciDevice
    from hv.devices.pci_bus import PciBus
    from hv.domain import Domain

class Platform(Board):
    """The PC of one domain."""

    def __init__(self, domain: Domain) -> None:
        super().__init__(domain)
        self.access_ns = int(lib.HVM_ACCESS_NS)
        self._state: Any = lib.hv_hvm_domain(self._native, domain.c)
        self._holds: tuple[int, int, int] | None = None
        self._video: tuple[int, VideoMemory] | None = None

    def reset(self) -> None:
        """Power on, or the reset line: processors, controllers and devices."""
        lib.hv_hvm_reset(self._native, self.domain.c)
        super().reset()

    # ---- the guest's accesses ----

    def read(self, bus: Bus, address: int, size: int) -> tuple[int, int]:
        """As a Board's; but what a device holds, C answers from now on."""
        self._holds = None
        value, took_ns = super().read(bus, address, size)
        if self._holds is not None and bus is self.ports and (address, size) == self._holds[:2]:
            self._have_repeated(address, size, value, self._holds[2])
            took_ns = 0  # as of the reads that C answers in this one's place
        return value, took_ns

    def _have_repeated(self, port: int, size: int, value: int, until_ns: int) -> None:
        """Have C answer reads of a port (native/xen/x86/hvm/io.c)."""
        held = self._state.held
        held.port, held.size, held.value, held.until_ns = port, size, value, until_ns

    def release(self) -> None:
        """A device is about to be asked by something else than an access."""
        self._state.held.until_ns = 0

    # ---- hv.devices.device.Machine ----

    def hold(self, port: int, size: int, until_ns: int) -> None:
        """The read that is being answered gives the same until then."""
        self._holds = (port, size, until_ns)

    def data_port(self, port: int) -> DataPort:
        """The machine's side of a data port. ValueError: it has no more of them."""
        for index in range(lib.HVM_DATA_PORTS):
            if self._state.data_port[index].port in (0, port):
                return NativeDataPort(self._state.data_port[index], port)
        raise ValueError(f"no data port is left for {port:#x}")

    def set_a20(self, enabled: bool) -> None:
        """Address line 20: held low, or not."""
        self._state.a20 = enabled
        lib.machine_tlb_stale(self.domain.hv.machine)

    def set_shadow(self, first: int, size: int, read_ram: bool, write_ram: bool) -> None:
        """What is read and written at addresses of layout.SHADOW: RAM, or the ROM there. RAM that is written but not
        read is not supported by the p2m: the ROM is read, and writes are lost."""
        rom = self._rom_window()
        for gfn in range(first >> 12, first + size >> 12):
            if read_ram:
                flags = lib.P2M_RAM | (lib.P2M_WRITABLE if write_ram else 0)
                self.domain.map_frames(gfn, [self._state.shadow_frame[gfn - (SHADOW.start >> 12)]], flags)
            elif gfn in rom:
                self.domain.map_frames(gfn, [rom[gfn]], lib.P2M_RAM)
            else:
                self.domain.unmap_frame(gfn)

    def _rom_window(self) -> dict[int, int]:
        """Guest frame to machine frame of the firmware below 1 MiB, as far as it reaches."""
        window = {}
        for back in range(1, (len(BIOS_WINDOW) >> 12) + 1):
            mfn = self.domain.frame_of((FIRMWARE_END >> 12) - back)
            if mfn is None:
                break
            window[(BIOS_WINDOW.stop >> 12) - back] = mfn
        return window

    # ---- hv.devices.pci.PciMachine ----

    def add_pci(self, device: PciDevice) -> None:
        """Put a device into the machine and onto its PCI bus, which was added before."""
        self.add(device)
        self.bus.add(device)

    @property
    def bus(self) -> PciBus:
        """The machine's PCI bus. KeyError: it has none."""
        return cast("PciBus", self.devices["pci"])

    def set_pci_irq(self, device: PciDevice, level: bool) -> None:
        """Drive a PCI device's interrupt pin."""
        self.bus.set_pin(device, level)

    def callback_lines(self, via: int) -> int:
        """The interrupt lines by which events come that the guest wants in the way `via` says (the value of
        HVM_PARAM_CALLBACK_IRQ), a bit each; none where it wants a vector, or the machine has no such line."""
        kind = via >> abi.HVM_PARAM_CALLBACK_TYPE_SHIFT
        if kind == abi.HVM_PARAM_CALLBACK_TYPE_GSI and (self._state.has_pic or self._state.has_ioapic):
            gsi = via & 0xFF
            return 1 << gsi if 0 < gsi < lib.IOAPIC_PINS else 0
        if kind == abi.HVM_PARAM_CALLBACK_TYPE_PCI_INTX and "pci" in self.devices:
            return self.bus.lines_of(via >> 11 & 0x1F, (via & 3) + 1)
        return 0

    def links_moved(self) -> None:
        """The lines of the callback are others now."""
        via = int(self._state.params[abi.HVM_PARAM_CALLBACK_IRQ])
        if via >> abi.HVM_PARAM_CALLBACK_TYPE_SHIFT == abi.HVM_PARAM_CALLBACK_TYPE_PCI_INTX:
            lib.hv_move_callback(self._native, self.domain.c, self.callback_lines(via))

    def map_ram(self, device: PciDevice, bar: int, base: int | None) -> None:
        """Have video memory, the only RAM of a device, stand at `base`, and nowhere else."""
        state, pages = self._state, int(self._state.video_frames)
        old = int(state.video_gfn)
        if base is not None and old == base >> 12:
            return
        if old:
            for gfn in range(old, old + pages):
                self.domain.unmap_frame(gfn)
        state.video_gfn = 0
        if base is not None and (base >> 12) + pages <= lib.P2M_FRAMES:
            first = int(state.video_frame)
            self.domain.map_frames(base >> 12, range(first, first + pages))
            state.video_gfn = base >> 12

    # ---- hv.devices.vga_window.VgaMachine ----

    def take_video_memory(self, size: int) -> None:
        """Give the machine video memory, once, before the VGA is added. The frames are Xen's, so that the guest cannot
        give back what the device writes to. MemoryError: there is none."""
        frames = list(self.domain.alloc_frames(size >> 12, shared=True))
        if len(frames) < size >> 12 or frames != list(range(frames[0], frames[0] + len(frames))):
            raise MemoryError("the machine has no room for video memory; remedy: give the domain less memory")
        self._state.video_frame, self._state.video_frames = frames[0], len(frames)

    @functools.cached_property
    def _window(self) -> VgaWindow:
        return VgaWindow(ffi.addressof(self._state, "vga"))

    def vga_window(self) -> VgaWindow:
        """The legacy window."""
        return self._window

    def video_memory(self) -> VideoMemory:
        """The memory behind it."""
        first, pages = int(self._state.video_frame), int(self._state.video_frames)
        if self._video is None or self._video[0] != first:
            machine = self.domain.hv.machine
            address = ffi.cast("uint8_t *", lib.machine_frame(machine, first))
            memory = VideoMemory(address, pages << 12, lambda page: lib.machine_write_begin(machine, first + page))
            self._video = first, memory
        return self._video[1]


class NativeDataPort:
    """A DataPort whose state is in the arena, and which C serves (native/xen/x86/hvm/io.c)."""

    def __init__(self, state: Any, port: int) -> None:
        self._state = state
        self._port = port

    def _begin(self, length: int, writing: bool) -> None:
        if length > lib.IO_BLOCK_BYTES:
            raise ValueError(f"a data port takes {lib.IO_BLOCK_BYTES} bytes at once, not {length}")
        state = self._state
        state.port, state.at, state.length, state.writing = self._port, 0, length, writing

    def give(self, data: bytes) -> None:
        """Reads take from these bytes."""
        self._begin(len(data), False)
        ffi.memmove(self._state.data, data, len(data))

    def take(self, count: int) -> None:
        """Writes are collected."""
        self._begin(count, True)

    def rest(self) -> bytes:
        """What has not been read yet."""
        state = self._state
        data = bytes(view(state.data + state.at, state.length - state.at))
        self.stop()
        return data

    def collected(self) -> bytes:
        """What has been written before the last write."""
        data = bytes(view(self._state.data, self._state.at))
        self.stop()
        return data

    def stop(self) -> None:
        """The transfer is off."""
        self._state.at = self._state.length = 0
