"""What a VGA needs of its machine beside what every device needs: the legacy window on video memory, and that memory.

Accesses to 0xa0000-0xbffff are served by C (native/xen/vga.c), which finds in a `struct vga_window` what they
mean; the device puts its registers there whenever they change. The struct and video memory are the machine's state,
saved with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from hv.devices.layout import PAGE
from hv.devices.pci import PciMachine
from hv.native import ffi, lib, view


class VgaMachine(PciMachine, Protocol):
    """A machine with a VGA."""

    def vga_window(self) -> VgaWindow:
        """The legacy window, always the same object."""

    def video_memory(self) -> VideoMemory:
        """The memory behind the window and behind the VGA's frame buffer: the same object until that is elsewhere,
        because the domain has begun anew."""


@dataclass(frozen=True)
class Beam:
    """How the beam goes over the screen: nanoseconds of a scan line and its visible part, and lines."""

    line_ns: int = 0
    lines: int = 0
    shown_ns: int = 0
    shown_lines: int = 0
    retrace_start: int = 0
    retrace_lines: int = 0


class VgaWindow:
    """A view on a `struct vga_window`."""

    def __init__(self, native: Any) -> None:
        self.native = native

    def set_planes(self, sequencer: bytes, graphics: bytes) -> None:
        """The sequencer's and the graphics controller's registers, 5 and 9: what drawing programs change often."""
        self.native.sequencer, self.native.graphics = sequencer, graphics

    def set_mode(self, enabled: bool, mono: bool, vbe: int, bank: int, beam: Beam) -> None:
        """The rest. enabled: accesses are answered. mono: the status register is at port 0x3ba. vbe: VGA_VBE_OFF,
        _PLANAR or _LINEAR. bank: in front of what the window shows in a VBE mode, in bytes, or in offsets of a
        plane."""
        native = self.native
        native.enabled, native.mono, native.vbe, native.bank = enabled, mono, vbe, bank
        for name, value in vars(beam).items():
            setattr(native, name, value)

    def reset(self) -> None:
        """What accesses have left behind is forgotten: latches and the attribute controller's flip-flop."""
        self.native.latch = self.native.attribute_data = 0

    def status(self, now_ns: int) -> int:
        """The guest reads input status register 1."""
        return int(lib.vga_status(self.native, now_ns))

    def attribute_data(self) -> bool:
        """Whether port 0x3c0 takes data now, and not an index."""
        return bool(self.native.attribute_data)

    def attribute_written(self) -> None:
        """Port 0x3c0 was written: the next write is of the other kind."""
        self.native.attribute_data ^= 1


class VideoMemory:
    """Video memory: `size` bytes at `address` (of C), which stay there. `before_write` is called with the number of
    each page that is about to be written from Python."""

    def __init__(self, address: Any, size: int, before_write: Callable[[int], None]) -> None:
        self.size = size
        self._memory = view(address, size)
        self._before_write = before_write

    @property
    def bytes(self) -> memoryview:
        """A read-only view of all of it."""
        return self._memory.toreadonly()

    def clear(self, length: int) -> None:
        """Zeros from the beginning on."""
        length = min(length, self.size)
        for page in range((length + PAGE - 1) // PAGE):
            self._before_write(page)
        ffi.memmove(self._memory, bytes(length), length)
