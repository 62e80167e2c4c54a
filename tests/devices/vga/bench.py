"""A VGA on a bench, programmed by ports and through its window, as a driver does it."""

from __future__ import annotations

from hv.devices.screen import Screen
from hv.devices.vga import Vga
from hv.native import ffi, lib
from tests.devices.machine import VIDEO_MEMORY, TestMachine
from tests.devices.vga.modes import Mode

WINDOW = 0xA0000

# 5x7 shapes, a byte a column from the left, the lowest bit on top.
_SHAPES = {
    "!": "00005f0000", '"': "0007000700", "#": "147f147f14", "'": "0008070300", "(": "001c224100", ")": "0041221c00",
    "*": "2a1c7f1c2a", "+": "08083e0808", ",": "0080703000", "-": "0808080808", ".": "0000606000", "/": "2010080402",
    "0": "3e5149453e", "1": "00427f4000", "2": "7249494946", "3": "2141494d33", "4": "1814127f10", "5": "2745454539",
    "6": "3c4a494931", "7": "4121110907", "8": "3649494936", "9": "464949291e", ":": "0000140000", "=": "1414141414",
    "?": "0201590906", "A": "7c1211127c", "B": "7f49494936", "C": "3e41414122", "D": "7f4141413e", "E": "7f49494941",
    "F": "7f09090901", "G": "3e41415173", "H": "7f0808087f", "I": "00417f4100", "J": "2040413f01", "K": "7f08142241",
    "L": "7f40404040", "M": "7f021c027f", "N": "7f0408107f", "O": "3e4141413e", "P": "7f09090906", "Q": "3e4151215e",
    "R": "7f09192946", "S": "2649494932", "T": "03017f0103", "U": "3f4040403f", "V": "1f2040201f", "W": "3f4038403f",
    "X": "6314081463", "Y": "0304780403", "Z": "6159494d43",
}  # fmt: skip


def shape(number: int) -> bytes:
    """Eight lines of a character: of letters and the like one can read them; of others a box drawing or a pattern."""
    columns = bytes.fromhex(_SHAPES.get(chr(number).upper() if number < 128 else "", ""))
    if columns:
        return bytes(sum((column >> line & 1) << (6 - at) for at, column in enumerate(columns)) for line in range(8))
    if number == 0xC4:
        return bytes((0, 0, 0, 0xFF, 0, 0, 0, 0))
    if number == 0xDB:
        return b"\xff" * 8
    return bytes(8) if number in (0, 32, 255) else bytes((number ^ line * 37) & 0xFF for line in range(8))


class VgaBench:
    def __init__(self) -> None:
        self.machine = TestMachine()
        self.vga = Vga(self.machine)
        self.screen = Screen(self.vga)
        self.pages: set[int] = set()
        self._touch = ffi.callback("void(void *, uint64_t)", lambda ctx, page: self.pages.add(page))
        self._memory = ffi.new("struct vga_memory *")
        self._memory.bytes, self._memory.size = self.machine.video_bytes, VIDEO_MEMORY
        self._memory.touch = self._touch

    # ---- ports ----

    def out(self, port: int, value: int, size: int = 1) -> None:
        self.machine.out(port, value, size)

    def inp(self, port: int, size: int = 1) -> int:
        return self.machine.inp(port, size)

    def sequencer(self, index: int, value: int) -> None:
        self.out(0x3C4, value << 8 | index, 2)

    def graphics(self, index: int, value: int) -> None:
        self.out(0x3CE, value << 8 | index, 2)

    def crtc(self, index: int, value: int) -> None:
        self.out(0x3D4 if self.vga.color else 0x3B4, value << 8 | index, 2)

    def attribute(self, index: int, value: int) -> None:
        """With the screen on, as a driver leaves it."""
        self.inp(0x3DA if self.vga.color else 0x3BA)
        self.out(0x3C0, index | 0x20)
        self.out(0x3C0, value)

    def vbe(self, index: int, value: int) -> None:
        self.out(0x1CE, index, 2)
        self.out(0x1CF, value, 2)

    def vbe_mode(self, width: int, height: int, depth: int, flags: int = 0x41) -> None:
        for index, value in ((4, 0), (1, width), (2, height), (3, depth), (4, flags)):
            self.vbe(index, value)
        self.inp(0x3DA)
        self.out(0x3C0, 0x20)

    def set_mode(self, mode: Mode) -> None:
        self.out(0x3C2, mode.misc)
        for index, value in enumerate(mode.sequencer):
            self.sequencer(index, value)
        self.crtc(0x11, 0)
        for index, value in enumerate(mode.crtc):
            self.crtc(index, value)
        for index, value in enumerate(mode.graphics):
            self.graphics(index, value)
        for index, value in enumerate(mode.attribute):
            self.attribute(index, value)
        self.colors()

    def colors(self) -> None:
        """EGA's 64 colours as the BIOS sets them, then 192 that differ from each other."""
        self.out(0x3C8, 0)
        for number in range(256):
            if number < 64:
                parts = [42 * (number >> bit & 1) + 21 * (number >> bit + 3 & 1) for bit in (2, 1, 0)]
            else:
                parts = [number * 3 & 63, number * 5 & 63, number * 11 & 63]
            for part in parts:
                self.out(0x3C9, part)

    # ---- memory ----

    def read(self, address: int, size: int = 1) -> int:
        return int(lib.vga_read(self.machine.vga_window().native, self._memory, address - WINDOW, size))

    def write(self, address: int, value: int, size: int = 1) -> None:
        lib.vga_write(self.machine.vga_window().native, self._memory, address - WINDOW, size, value)

    def frame_buffer(self, offset: int, data: bytes) -> None:
        """Write through BAR 0."""
        ffi.memmove(self.machine.video_bytes + offset, data, len(data))

    # ---- text ----

    def load_font(self, height: int = 16, slot: int = 0) -> None:
        """Shapes into plane 2, as drivers do: odd/even off, map mask 4, window at 0xa0000; then back."""
        sequencer, graphics = self.vga.state.sequencer, self.vga.state.graphics
        for index, value in ((2, 4), (4, 7)):
            self.sequencer(index, value)
        for index, value in ((5, 0), (6, 4)):
            self.graphics(index, value)
        for number in range(256):
            lines = shape(number)
            tall = lines if height == 8 else bytes(2) + bytes(lines[at // 2] for at in range(16))[:14]
            for at, line in enumerate(tall):
                self.write(WINDOW + 8192 * slot + 32 * number + at, line)
        for index, value in enumerate(sequencer):
            self.sequencer(index, value)
        for index, value in enumerate(graphics):
            self.graphics(index, value)

    def say(self, row: int, column: int, text: str, attribute: int = 7, columns: int = 80, base: int = 0xB8000) -> None:
        for at, character in enumerate(text.encode("cp437")):
            self.write(base + 2 * (row * columns + column + at), attribute << 8 | character, 2)
