"""What is on the screen: text, and pictures that were looked at before their hashes were written down."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable

import pytest

from hv.devices.picture import Picture
from hv.devices.screen_changes import Rectangle, Watcher, differences
from tests.devices.vga import modes
from tests.devices.vga.bench import VgaBench, shape

BLACK, WHITE, YELLOW, BLUE = (0, 0, 0), (255, 255, 255), (255, 255, 85), (0, 0, 170)


def digest(picture: Picture) -> str:
    return hashlib.sha256(b"%dx%d " % (picture.width, picture.height) + picture.rgb).hexdigest()[:16]


def in_mode(mode: modes.Mode, font: int = 0) -> VgaBench:
    bench = VgaBench()
    bench.set_mode(mode)
    if font:
        bench.load_font(font)
    return bench


def text(mode: modes.Mode = modes.TEXT_80X25, font: int = 16) -> VgaBench:
    bench = in_mode(mode, font)
    for index in (0x0E, 0x0F):
        bench.crtc(index, 0xFF)  # the cursor far away
    return bench


# ---- text ----


def test_text_is_read_as_text() -> None:
    bench = text()
    bench.say(0, 0, "Hello, ÄÖÜ █ \u2502")
    bench.write(0xB8000 + 40, 0x0701, 2)
    bench.say(3, 78, "ab")
    assert bench.screen.text() == ["Hello, ÄÖÜ █ │      ☺", "", "", " " * 78 + "ab"]


@pytest.mark.parametrize(
    ("mode", "columns", "rows"),
    [(modes.TEXT_80X25, 80, 25), (modes.TEXT_80X50, 80, 50), (modes.TEXT_40X25, 40, 25)],
)
def test_the_last_cell_is_the_last(mode: modes.Mode, columns: int, rows: int) -> None:
    bench = text(mode)
    bench.say(rows - 1, columns - 1, "X", columns=columns)
    lines = bench.screen.text()
    assert (len(lines), len(lines[-1])) == (rows, columns)


def test_text_scrolls_by_the_start_address_and_splits_at_line_compare() -> None:
    bench = text()
    for row in range(40):
        bench.say(row, 0, f"ROW {row}")
    bench.crtc(0x0C, 10 * 80 >> 8)
    bench.crtc(0x0D, 10 * 80 & 255)
    assert bench.screen.text() == [f"ROW {row}" for row in range(10, 35)]
    split = 16 * 20 - 1  # twenty rows, then from the beginning of memory
    bench.crtc(0x18, split & 255)
    bench.crtc(0x07, 0x0F | (split >> 8 & 1) << 4)
    bench.crtc(0x09, 0x0F)
    bench.crtc(0x11, 0x0E)
    bench.crtc(0x07, 0x0F | (split >> 8 & 1) << 4)
    assert bench.screen.text() == [f"ROW {row}" for row in (*range(10, 30), *range(5))]


def test_there_is_no_text_in_a_graphics_mode_or_with_the_screen_off() -> None:
    assert in_mode(modes.MODE_13H).screen.text() == []
    bench = text()
    bench.say(0, 0, "X")
    bench.out(0x3C0, 0)
    assert bench.screen.text() == []
    assert set(bench.screen.picture().rgb) == {0}
    bench.inp(0x3DA)
    bench.out(0x3C0, 0x20)
    assert bench.screen.text() == ["X"]
    bench.sequencer(1, 0x20)
    assert bench.screen.picture() == Picture(720, 400, bytes(3 * 720 * 400))


def test_a_character_dot_by_dot() -> None:
    bench = text()
    bench.say(1, 2, "A", 0x1E)
    picture = bench.screen.picture()
    for line in range(16):
        for dot in range(9):
            lit = line >= 2 and dot < 8 and shape(ord("A"))[(line - 2) // 2] >> 7 - dot & 1
            assert picture.pixel(18 + dot, 16 + line) == (YELLOW if lit else BLUE), (line, dot)
    assert picture.pixel(17, 16) == picture.pixel(27, 16) == BLACK


def test_the_ninth_dot_of_box_drawings() -> None:
    bench = text()
    bench.say(0, 0, "\u2500", 0x0F)
    bench.say(1, 0, "\u2588", 0x0F)
    bench.write(0xB8000 + 2 * 160, 0x0FE0, 2)  # α has no ninth dot
    lit = [bench.screen.picture().pixel(8, y) for y in (8, 17 + 2, 32 + 5)]
    assert lit == [WHITE, WHITE, BLACK]
    bench.attribute(0x10, 0x08)
    assert bench.screen.picture().pixel(8, 8) == BLACK


def test_blinking_attributes_are_shown_and_backgrounds_are_bright_without() -> None:
    bench = text()
    bench.say(0, 0, " ", 0xF0)
    assert bench.screen.picture().pixel(0, 0) == (170, 170, 170)
    bench.attribute(0x10, 0x04)
    assert bench.screen.picture().pixel(0, 0) == WHITE


def test_the_cursor() -> None:
    bench = text()
    bench.say(2, 0, "     ", 0x0F)
    bench.crtc(0x0E, 0)
    bench.crtc(0x0F, 162)
    column = [bench.screen.picture().pixel(18, 32 + y) for y in range(16)]
    assert column == [BLACK] * 13 + [WHITE] * 2 + [BLACK]
    assert bench.screen.picture().pixel(26, 45) == WHITE
    assert bench.screen.picture().pixel(27, 45) == BLACK
    bench.crtc(0x0A, 0x2D)
    assert bench.screen.picture().pixel(18, 45) == BLACK


def test_underlines_on_a_monochrome_adapter() -> None:
    bench = text(modes.TEXT_MONO)
    bench.say(0, 0, " ", 1, base=0xB0000)
    bench.say(0, 1, " ", 7, base=0xB0000)
    picture = bench.screen.picture()
    assert picture.pixel(4, 13) == picture.pixel(8, 13) != BLACK
    assert picture.pixel(4, 12) == picture.pixel(13, 13) == BLACK


def test_two_fonts_by_an_attribute_bit() -> None:
    bench = text()
    for at in range(16):
        bench.sequencer(2, 4)
        bench.sequencer(4, 7)
        bench.graphics(5, 0)
        bench.graphics(6, 4)
        bench.write(0xA0000 + 0x4000 + 32 * 65 + at, 0xF0)  # the second of eight fonts is the fifth in memory
    for index in (2, 4):
        bench.sequencer(index, modes.TEXT_80X25.sequencer[index])
    for index in (5, 6):
        bench.graphics(index, modes.TEXT_80X25.graphics[index])
    bench.say(0, 0, "A", 0x0F)
    plain = bench.screen.picture()
    bench.sequencer(3, 0x04)  # map A is number 1
    other = bench.screen.picture()
    assert plain != other
    assert [other.pixel(x, 0) for x in range(9)] == [WHITE] * 4 + [BLACK] * 5


def test_smooth_scrolling() -> None:
    bench = text()
    bench.say(0, 0, "\u2588\u2588", 0x0F)
    bench.say(1, 0, "\u2588", 0x0F)
    still = bench.screen.picture()
    bench.attribute(0x13, 2)
    moved = bench.screen.picture()
    assert [moved.pixel(x, 2) for x in (0, 14, 15, 716, 717, 719)] == [WHITE, WHITE, BLACK, BLACK, WHITE, WHITE]
    assert still.pixel(17, 2) == WHITE
    bench.attribute(0x13, 8)
    assert bench.screen.picture() == still
    bench.crtc(0x08, 5)
    up = bench.screen.picture()
    assert up.rgb[: 3 * 720 * 300] == still.rgb[3 * 720 * 5 : 3 * 720 * 305]


# ---- pictures, looked at ----


def everything_in_text(mode: modes.Mode, columns: int, rows: int, font: int) -> VgaBench:
    bench = text(mode, font)
    for number in range(256):
        bench.write(0xB8000 + 2 * (number // 32 * columns + number % 32), number << 8 | number, 2)
    bench.say(rows - 1, 0, "THE LAST LINE", 0x4F, columns)
    bench.crtc(0x0E, 0)
    bench.crtc(0x0F, 40)
    return bench


def sixteen_colors(mode: modes.Mode, cells: int, rows: int) -> VgaBench:
    bench = in_mode(mode)
    for y in range(rows):
        for x in range(cells):
            bench.sequencer(2, 15)
            bench.write(0xA0000 + y * cells + x, 0)
            bench.sequencer(2, (x * 16 // cells) & 15)
            bench.write(0xA0000 + y * cells + x, 0xFF if y // 20 % 2 else 0xAA)
    return bench


def mode_13h() -> VgaBench:
    bench = in_mode(modes.MODE_13H)
    for y in range(200):
        for x in range(0, 320, 4):
            bench.write(0xA0000 + y * 320 + x, int.from_bytes(bytes(x + y + at & 255 for at in range(4)), "little"), 4)
    return bench


def mode_x() -> VgaBench:
    bench = in_mode(modes.MODE_X)
    for plane in range(4):
        bench.sequencer(2, 1 << plane)
        for y in range(240):
            for x in range(plane, 320, 4):
                bench.write(0xA0000 + y * 80 + x // 4, (x ^ y) & 255)
    return bench


def cga(mode: modes.Mode, patterns: tuple[int, ...]) -> VgaBench:
    bench = in_mode(mode)
    for y in range(200):
        for x in range(80):
            pattern = patterns[(x // 8 + y // 10) % len(patterns)]
            bench.write(0xB8000 + (y & 1) * 0x2000 + y // 2 * 80 + x, pattern)
    return bench


def high_color(depth: int, width: int = 320, height: int = 200) -> VgaBench:
    bench = VgaBench()
    bench.colors()
    if depth == 4:
        bench.set_mode(modes.PLANAR_640X480)
    bench.vbe_mode(width, height, depth)
    pack: dict[int, Callable[[int, int, int], bytes]] = {
        4: lambda r, g, b: b"",
        8: lambda r, g, b: bytes((b,)),
        15: lambda r, g, b: struct.pack("<H", r >> 3 << 10 | g >> 3 << 5 | b >> 3),
        16: lambda r, g, b: struct.pack("<H", r >> 3 << 11 | g >> 2 << 5 | b >> 3),
        24: lambda r, g, b: bytes((b, g, r)),
        32: lambda r, g, b: bytes((b, g, r, 0x99)),
    }
    if depth == 4:
        data = b"".join(bytes((y & 255, 0xF0, 0x0F, 0xCC)) * (width // 8) for y in range(height))
    else:
        data = b"".join(
            pack[depth](x * 255 // width, y * 255 // height, (x + y) & 255) for y in range(height) for x in range(width)
        )
    bench.frame_buffer(0, data)
    return bench


LOOKED_AT: dict[str, tuple[Callable[[], VgaBench], str]] = {
    "80x25": (lambda: everything_in_text(modes.TEXT_80X25, 80, 25, 16), "7e37f12812a6bdd1"),
    "80x50": (lambda: everything_in_text(modes.TEXT_80X50, 80, 50, 8), "444dd2a0a5629bff"),
    "40x25": (lambda: everything_in_text(modes.TEXT_40X25, 40, 25, 16), "883b151db47daf58"),
    "planar-320": (lambda: sixteen_colors(modes.PLANAR_320X200, 40, 200), "0b558b34c0181579"),
    "planar-640": (lambda: sixteen_colors(modes.PLANAR_640X480, 80, 480), "8a14e0260e9f2901"),
    "13h": (mode_13h, "de039502ed1dcda1"),
    "x": (mode_x, "a4bfa70da45bde46"),
    "cga-4": (lambda: cga(modes.CGA_320X200, (0x00, 0x55, 0xAA, 0xFF, 0x1B)), "e8f9cce68ceedcaa"),
    "cga-2": (lambda: cga(modes.CGA_640X200, (0xFF, 0x11)), "c96965edbbf0fdf8"),
    "vbe-4": (lambda: high_color(4), "23390614eb952eda"),
    "vbe-8": (lambda: high_color(8), "b94518101beb3fbd"),
    "vbe-15": (lambda: high_color(15), "6e7faa78f170901e"),
    "vbe-16": (lambda: high_color(16), "8cbbcbd273849088"),
    "vbe-24": (lambda: high_color(24), "9ffed80257ce9e55"),
    "vbe-32": (lambda: high_color(32), "9ffed80257ce9e55"),
}


@pytest.mark.parametrize("name", LOOKED_AT)
def test_pictures(name: str) -> None:
    make, expected = LOOKED_AT[name]
    assert digest(make().screen.picture()) == expected


def test_mode_13h_is_doubled_and_panned() -> None:
    bench = mode_13h()
    picture = bench.screen.picture()
    assert (picture.width, picture.height) == (640, 400)
    colors = bench.vga.state.palette
    for x, y in ((0, 0), (639, 399), (101, 77)):
        number = (x // 2 + y // 2) & 255
        assert picture.pixel(x, y) == tuple(v << 2 | v >> 4 for v in colors[3 * number : 3 * number + 3])
    bench.attribute(0x13, 4)  # two pixels
    assert bench.screen.picture().pixel(0, 0) == picture.pixel(4, 0)


def test_mode_x_pages_and_the_pel_mask() -> None:
    bench = mode_x()
    first = bench.screen.picture()
    bench.sequencer(2, 15)
    bench.write(0xA0000 + 240 * 80, 0x21)
    bench.crtc(0x0C, 240 * 80 >> 8)
    bench.crtc(0x0D, 240 * 80 & 255)
    second = bench.screen.picture()
    assert second.pixel(6, 0) == first.pixel(2 * 0x21, 0)
    assert second.pixel(8, 0) == BLACK
    bench.out(0x3C6, 0x20)
    assert bench.screen.picture().pixel(0, 0) == first.pixel(2 * 0x20, 0)


def test_a_true_color_pixel_and_the_virtual_screen() -> None:
    bench = VgaBench()
    bench.vbe_mode(640, 480, 32)
    bench.vbe(6, 800)
    bench.frame_buffer(4 * (800 * 7 + 9), b"\x01\x02\x03\xff")
    assert bench.screen.picture().pixel(9, 7) == (3, 2, 1)
    bench.vbe(8, 5)
    bench.vbe(9, 6)
    assert bench.screen.picture().pixel(4, 1) == (3, 2, 1)


@pytest.mark.parametrize(("depth", "value", "color"), [
    (15, 0x7FFF, (255, 255, 255)), (15, 0x0200, (0, 132, 0)), (15, 0x7C01, (255, 0, 8)),
    (16, 0xFFFF, (255, 255, 255)), (16, 0x0400, (0, 130, 0)), (16, 0x0020, (0, 4, 0)), (16, 0x8010, (132, 0, 132)),
])  # fmt: skip
def test_high_color(depth: int, value: int, color: tuple[int, int, int]) -> None:
    bench = VgaBench()
    bench.vbe_mode(64, 8, depth)
    bench.frame_buffer(2, value.to_bytes(2, "little"))
    assert bench.screen.picture().pixel(1, 0) == color


def test_eight_bits_of_palette() -> None:
    bench = VgaBench()
    bench.vbe_mode(64, 8, 8, flags=0x61)
    for value in (0, 200, 201, 202):
        bench.out(0x3C8 if value == 0 else 0x3C9, value)
    assert bench.screen.picture().pixel(0, 0) == (200, 201, 202)


def test_before_any_mode_it_is_black() -> None:
    assert VgaBench().screen.picture() == Picture(640, 400, bytes(3 * 640 * 400))


# ---- PNG, changes ----


def test_a_png_says_what_the_picture_is() -> None:
    picture = Picture(3, 2, bytes(range(18)))
    data, at, chunks = picture.png(), 8, {}
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(data):
        (length,), kind = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        chunks[kind] = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + chunks[kind])
        at += 12 + length
    assert chunks[b"IHDR"] == struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0)
    assert zlib.decompress(chunks[b"IDAT"]) == b"\0" + bytes(range(9)) + b"\0" + bytes(range(9, 18))
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]


def test_looking_again_finds_what_has_changed() -> None:
    bench = text()
    watcher = Watcher(bench.screen)
    first = watcher.look()
    assert watcher.look() is first
    bench.write(0xB8000 + 8000, 0x41)  # not shown
    assert watcher.look() is first
    bench.say(1, 0, "X")
    second = watcher.look()
    assert differences(first, second) == [Rectangle(0, 16, 64, 16)]
    bench.say(24, 79, "X")
    bench.say(24, 0, "\u2588" * 15)
    third = watcher.look()
    assert differences(first, third) == [
        Rectangle(0, 16, 64, 16), Rectangle(0, 384, 192, 16), Rectangle(704, 384, 16, 16),
    ]  # fmt: skip
    bench.vbe_mode(640, 480, 32)
    assert differences(third, watcher.look()) == [Rectangle(0, 0, 640, 480)]


def test_parts_of_a_picture() -> None:
    picture = Picture(4, 3, bytes(range(36)))
    assert picture.cut(1, 1, 2, 2) == bytes((*range(15, 21), *range(27, 33)))
    assert picture.cut(0, 1, 4, 2) == bytes(range(12, 36))
    for x, y in ((-1, 0), (4, 0), (0, -1), (0, 3)):
        with pytest.raises(IndexError):
            picture.pixel(x, y)
