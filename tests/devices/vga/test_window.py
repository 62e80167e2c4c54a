"""The legacy window in C, against a slow model and by examples."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hv.devices.vga_window import Beam, VgaWindow
from hv.native import ffi, lib
from tests.devices.vga.model import Model

SIZE = 2 << 20
GUARD = 64


class Window:
    """A window on memory between two guards."""

    def __init__(self, size: int = SIZE) -> None:
        self.native = ffi.new("struct vga_window *")
        self.all = ffi.new("uint8_t[]", size + 2 * GUARD)
        self.bytes = ffi.buffer(self.all + GUARD, size)
        self.touched: set[int] = set()
        self._touch = ffi.callback("void(void *, uint64_t)", lambda ctx, page: self.touched.add(page))
        self.memory = ffi.new("struct vga_memory *")
        self.memory.bytes, self.memory.size, self.memory.touch = self.all + GUARD, size, self._touch

    def take(self, model: Model) -> None:
        n = self.native
        n.enabled, n.vbe, n.bank = model.enabled, model.vbe, model.bank
        n.sequencer, n.graphics = model.sequencer, model.graphics

    def read(self, offset: int, size: int) -> int:
        return int(lib.vga_read(self.native, self.memory, offset % (1 << 64), size))

    def write(self, offset: int, size: int, value: int) -> None:
        lib.vga_write(self.native, self.memory, offset % (1 << 64), size, value)

    def guards(self) -> bytes:
        return bytes(ffi.buffer(self.all, GUARD)) + bytes(ffi.buffer(self.all + GUARD + len(self.bytes), GUARD))


def _offset(rng: random.Random) -> int:
    edge = rng.choice((0, 0x8000, 0xFFF8, 0x10000, 0x17FF8, 0x18000, 0x1FFF8))
    return rng.choice((edge + rng.randrange(-8, 16), rng.randrange(0x20000), rng.randrange(64)))


@pytest.mark.parametrize("seed", range(6))
def test_random_accesses_do_what_the_model_does(seed: int) -> None:
    rng, model, window = random.Random(seed), Model(SIZE), Window()
    for step in range(4000):
        if step % 8 == 0:
            model.randomize(rng)
            window.take(model)
        offset, size = _offset(rng), rng.choice((1, 2, 4, 8))
        if rng.random() < 0.4:
            expected = sum(model.read(offset + at) << 8 * at for at in range(size))
            assert window.read(offset, size) == expected, (step, hex(offset), size)
        else:
            value = rng.getrandbits(64)
            window.write(offset, size, value)
            for at in range(size):
                model.write(offset + at, value >> 8 * at & 0xFF)
        if model.vbe != lib.VGA_VBE_LINEAR:
            assert window.native.latch == int.from_bytes(bytes(model.latch), "little")
    assert window.bytes[:] == bytes(model.memory)
    assert window.guards() == bytes(2 * GUARD)
    for page in range(SIZE >> 12):
        if any(window.bytes[page << 12 : page + 1 << 12]):
            assert page in window.touched


@pytest.mark.parametrize("size", [0, 4096, 8192, 65536])
def test_small_memory_is_never_left(size: int) -> None:
    rng, model, window = random.Random(size), Model(size), Window(size)
    for _ in range(3000):
        model.randomize(rng)
        window.take(model)
        offset, width, value = _offset(rng), rng.choice((1, 2, 4, 8)), rng.getrandbits(64)
        window.write(offset, width, value)
        for at in range(width):
            model.write(offset + at, value >> 8 * at & 0xFF)
    assert window.bytes[:] == bytes(model.memory)
    assert window.guards() == bytes(2 * GUARD)
    assert all(page < size >> 12 for page in window.touched)


def test_a_page_is_announced_before_it_is_written() -> None:
    window = Window()
    window.native.enabled, window.native.vbe = 1, lib.VGA_VBE_LINEAR
    before: list[tuple[int, bytes]] = []
    touch = ffi.callback(
        "void(void *, uint64_t)", lambda ctx, page: before.append((page, bytes(window.bytes[0xFFC:0x1004])))
    )
    window.memory.touch = touch
    window.write(0xFFC, 8, 0x1122334455667788)
    assert before == [(0, bytes(8)), (1, bytes(8))]
    assert window.read(0xFFC, 8) == 0x1122334455667788


@pytest.mark.parametrize("size", [3, 0, 9, 1 << 20])
def test_odd_sizes_stay_inside(size: int) -> None:
    window = Window(4096)
    window.native.enabled, window.native.vbe = 1, lib.VGA_VBE_LINEAR
    window.write(4094, size, (1 << 64) - 1)
    assert window.guards() == bytes(2 * GUARD)
    assert bytes(window.bytes[4092:]) == (b"\0\0\xff\xff" if size == 3 else bytes(4))
    assert window.read(4094, size) == (0xFFFFFF if size == 3 else (1 << 64) - 1)


# ---- the beam ----


def _states(beam: Beam, times: list[int]) -> list[int]:
    window: Any = VgaWindow(ffi.new("struct vga_window *"))
    window.set_mode(True, False, 0, 0, beam)
    return [window.status(now) for now in times]


def test_the_status_follows_the_beam() -> None:
    beam = Beam(line_ns=100, lines=10, shown_ns=80, shown_lines=6, retrace_start=8, retrace_lines=1)
    frame = 100 * 10
    assert _states(beam, [0, 79, 80, 99, 100, 599, 600, 799, 800, 899, 900, 999]) == [
        0, 0, 1, 1, 0, 1, 1, 1, 9, 9, 1, 1,
    ]  # fmt: skip
    times = list(range(0, frame, 7))
    assert _states(beam, times) == _states(beam, [now + frame * (10**12) for now in times])


def test_no_beam_is_no_time() -> None:
    assert _states(Beam(), [0, 5, (1 << 64) - 1]) == [0, 0, 0]


def test_reading_the_status_turns_the_attribute_port() -> None:
    window = VgaWindow(ffi.new("struct vga_window *"))
    window.attribute_written()
    assert window.attribute_data()
    window.status(0)
    assert not window.attribute_data()
