"""A real VGA BIOS programs the device: SeaVGABIOS of the Debian package seabios, on a bare processor."""

from __future__ import annotations

import os

import pytest

from tests.devices.vga.bios import DATA, FRAME_BUFFER, Pc, find_bios

ROM = find_bios()
MISSING = "no VGA BIOS is installed; remedy: tools/fetch_debian.py seabios"
pytestmark = pytest.mark.skipif(ROM is None and not os.environ.get("CI"), reason=MISSING)
LINE = "The quick brown fox 0123456789"


def pc() -> Pc:
    assert ROM is not None, MISSING
    return Pc(ROM)


def shown(mode: int) -> Pc:
    """A mode, and a few lines that the BIOS has written in it."""
    made = pc()
    made.video(mode)
    for color in (15, 12, 10):
        for character in f"{LINE}\r\n".encode():
            made.video(0x0E00 | character, bx=color)
    return made


@pytest.mark.parametrize(("mode", "columns", "size"), [
    (0, 40, (720, 400)), (1, 40, (720, 400)), (2, 80, (720, 400)), (3, 80, (720, 400)),
])  # fmt: skip
def test_text_modes(mode: int, columns: int, size: tuple[int, int]) -> None:
    bench = shown(mode).bench
    assert bench.screen.text() == [LINE] * 3
    assert bench.vga.state.crtc[1] + 1 == columns
    picture = bench.screen.picture()
    assert (picture.width, picture.height) == size


def test_eight_lines_a_character_and_a_cursor() -> None:
    made = pc()
    made.video(3)
    made.video(0x1112)  # 8x8 font: 50 lines
    made.video(0x0200, dx=49 << 8 | 5)
    made.video(0x0E00 | ord("X"))
    assert made.bench.screen.text() == [""] * 49 + ["     X"]
    assert made.bench.screen.picture().height == 400


def test_scrolling() -> None:
    made = pc()
    made.video(3)
    for line in range(30):
        for character in f"line {line}\r\n".encode():
            made.video(0x0E00 | character)
    assert made.bench.screen.text() == [f"line {line}" for line in range(6, 30)]


GRAPHICS = {
    0x04: (640, 400), 0x06: (640, 400), 0x0D: (640, 400), 0x0E: (640, 400), 0x10: (640, 350), 0x11: (640, 480),
    0x12: (640, 480), 0x13: (640, 400),
}  # fmt: skip


@pytest.mark.parametrize("mode", GRAPHICS)
def test_graphics_modes(mode: int) -> None:
    """What the BIOS has drawn, it reads back: its dots are the screen's, each of its colours another one there."""
    made = shown(mode)
    picture = made.bench.screen.picture()
    assert (picture.width, picture.height) == GRAPHICS[mode]
    wide = 2 if mode in (4, 0x0D, 0x13) else 1
    tall = 2 if mode in (4, 6, 0x0D, 0x0E, 0x13) else 1
    colors: dict[int, tuple[int, int, int]] = {}
    for y in range(24):
        for x in range(64):
            number = made.video(0x0D00, cx=x, dx=y) & (1 if mode == 0x11 else 0xFF)  # one plane is shown of four
            seen = picture.pixel(x * wide, y * tall)
            assert colors.setdefault(number, seen) == seen, (x, y)
    assert len(set(colors.values())) == len(colors) > 1


def test_a_pixel_by_the_bios() -> None:
    made = pc()
    made.video(0x12)
    before = made.bench.screen.picture()
    made.video(0x0C0E, cx=639, dx=479)
    after = made.bench.screen.picture()
    assert after.pixel(639, 479) == (255, 255, 85)
    assert after.rgb[:-3] == before.rgb[:-3]


@pytest.mark.parametrize(("mode", "width", "height", "depth"), [
    (0x101, 640, 480, 8), (0x102, 800, 600, 4), (0x110, 640, 480, 15), (0x111, 640, 480, 16), (0x112, 640, 480, 24),
    (0x118, 1024, 768, 24), (0x144, 1024, 768, 32),
])  # fmt: skip
def test_vbe_modes(mode: int, width: int, height: int, depth: int) -> None:
    made = pc()
    assert made.video(0x4F00) == 0x4F
    assert made.memory(DATA, 4) == b"VESA"
    assert made.video(0x4F01, cx=mode) == 0x4F
    info = made.memory(DATA, 256)
    assert int.from_bytes(info[0x12:0x14], "little") == width
    assert int.from_bytes(info[0x14:0x16], "little") == height
    if depth != 4:
        assert int.from_bytes(info[0x28:0x2C], "little") == FRAME_BUFFER
    assert made.video(0x4F02, bx=mode | (0 if depth == 4 else 0x4000)) == 0x4F
    set_mode = made.bench.vga.mode
    assert set_mode is not None
    assert (set_mode.width, set_mode.height, set_mode.depth) == (width, height, depth)
    assert set_mode.stride == int.from_bytes(info[0x10:0x12], "little") * (4 if depth == 4 else 1)
    assert set(made.bench.screen.picture().rgb) == {0}
    made.video(3)
    made.video(0x0E00 | ord("X"))
    assert made.bench.screen.text() == ["X"]


def test_a_bank_and_the_start_of_the_display() -> None:
    made = pc()
    made.video(0x4F02, bx=0x101)
    made.video(0x4F05, bx=0, dx=4)
    made.bench.write(0xA0000, 0x0F)
    assert made.bench.vga.memory.bytes[4 << 16] == 0x0F
    made.video(0x4F07, bx=0, cx=0, dx=(4 << 16) // 640)
    assert made.bench.screen.picture().pixel((4 << 16) % 640, 0) == (255, 255, 255)
