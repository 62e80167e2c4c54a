"""The VGA's registers as a driver programs them."""

from __future__ import annotations

import random

import pytest

from hv.devices import vga_vbe as vbe
from hv.devices.vga import MEMORY_BYTES, Vga
from hv.devices.vga_registers import ATTRIBUTE_MASKS, GRAPHICS_MASKS, SEQUENCER_MASKS
from tests.devices.machine import TestMachine
from tests.devices.vga.bench import VgaBench
from tests.devices.vga.modes import MODE_13H, TEXT_80X25, TEXT_MONO

FRAME_BUFFER, REGISTERS, ROM = 0xF0000000, 0xFEBF0000, 0xFEBE0000


@pytest.fixture
def bench() -> VgaBench:
    return VgaBench()


def enable(vga: Vga) -> None:
    vga.config_write(0x10, 4, FRAME_BUFFER)
    vga.config_write(0x18, 4, REGISTERS)
    vga.config_write(0x04, 2, 3)


def test_it_is_qemus_standard_vga(bench: VgaBench) -> None:
    vga = bench.vga
    assert vga.config_read(0, 4) == 0x11111234
    assert vga.config_read(8, 4) >> 8 == 0x030000
    vga.config_write(0x10, 4, 0xFFFFFFFF)
    vga.config_write(0x18, 4, 0xFFFFFFFF)
    assert vga.config_read(0x10, 4) == (-MEMORY_BYTES & 0xFFFFFFFF) | 8
    assert vga.config_read(0x18, 4) == 0xFFFFF000
    enable(vga)
    assert bench.machine.mapped["vga", 0] == FRAME_BUFFER
    vga.config_write(0x04, 2, 0)
    assert bench.machine.mapped["vga", 0] is None


@pytest.mark.parametrize(
    ("index_port", "masks"), [(0x3C4, SEQUENCER_MASKS), (0x3CE, GRAPHICS_MASKS)], ids=["sequencer", "graphics"]
)
def test_indexed_registers_keep_their_bits(bench: VgaBench, index_port: int, masks: tuple[int, ...]) -> None:
    for index, mask in enumerate(masks):
        for value in (0xFF, 0x00, 0xA5):
            bench.out(index_port, index)
            bench.out(index_port + 1, value)
            assert bench.inp(index_port + 1) == value & mask
            assert bench.inp(index_port) == index
    bench.out(index_port, len(masks) | 0xF0)
    bench.out(index_port + 1, 0xFF)
    assert bench.inp(index_port + 1) == 0


def test_the_attribute_port_takes_index_and_data_in_turn(bench: VgaBench) -> None:
    bench.out(0x3C2, 1)
    for index, mask in enumerate(ATTRIBUTE_MASKS):
        bench.inp(0x3DA)
        bench.out(0x3C0, index)
        bench.out(0x3C0, 0xFF)
        assert bench.inp(0x3C1) == mask
        assert bench.inp(0x3C0) == index
    bench.inp(0x3DA)
    bench.out(0x3C0, 0x3F)  # an index that does not exist
    bench.out(0x3C0, 0xFF)
    assert bench.inp(0x3C1) == 0


def test_the_crtc_is_where_the_miscellaneous_register_says(bench: VgaBench) -> None:
    bench.out(0x3C2, 1)
    bench.out(0x3D4, 0x4F0C, 2)
    assert bench.inp(0x3D5) == 0x4F
    assert bench.inp(0x3B4, 2) == 0xFFFF
    assert bench.inp(0x3BA) == 0xFF
    bench.out(0x3C2, 0)
    assert bench.inp(0x3CC) == 0
    assert (bench.inp(0x3B4), bench.inp(0x3B5)) == (0x0C, 0x4F)
    bench.out(0x3D5, 0)
    assert bench.inp(0x3B5) == 0x4F
    assert bench.inp(0x3D5) == 0xFF


def test_the_first_crtc_registers_can_be_protected(bench: VgaBench) -> None:
    bench.set_mode(TEXT_80X25)  # CR11 is 0x8e at the end
    for index in range(8):
        bench.crtc(index, 0xEF if index == 7 else 0)
    assert bench.vga.state.crtc[:8] == TEXT_80X25.crtc[:7] + bytes((0x0F,))
    bench.crtc(0x11, 0x0E)
    bench.crtc(1, 0x27)
    assert bench.vga.state.crtc[1] == 0x27


def test_colors_are_written_and_read_in_threes(bench: VgaBench) -> None:
    bench.out(0x3C8, 0xFF)
    for value in (1, 2, 0xFF, 4, 5):  # of the last colour two thirds
        bench.out(0x3C9, value)
    assert bench.inp(0x3C7) == 0
    bench.out(0x3C7, 0xFF)
    assert bench.inp(0x3C7) == 3
    assert [bench.inp(0x3C9) for _ in range(4)] == [1, 2, 63, 0]
    bench.out(0x3C9, 6)  # completes number 0
    bench.out(0x3C7, 0)
    assert [bench.inp(0x3C9) for _ in range(3)] == [4, 5, 6]
    assert bench.inp(0x3C8) == 1
    bench.out(0x3C6, 0x0F)
    assert bench.inp(0x3C6) == 0x0F


def test_retrace_comes_sixty_or_seventy_times_a_second(bench: VgaBench) -> None:
    bench.set_mode(TEXT_80X25)
    starts, last = 0, 0
    for _ in range(20000):  # a second
        bench.machine.advance(50_000)
        now = bench.inp(0x3DA) & 8
        starts += now > last
        last = now
    assert starts == 70


def test_feature_control(bench: VgaBench) -> None:
    bench.out(0x3C2, 1)
    bench.out(0x3DA, 0xFF)
    assert bench.inp(0x3CA) == 0x10
    assert bench.inp(0x3C2) == 0x10


# ---- VBE ----


def test_vbe_registers(bench: VgaBench) -> None:
    bench.out(0x1CE, vbe.ID, 2)
    assert bench.inp(0x1CF, 2) == bench.inp(0x1D0, 2) == 0xB0C5
    bench.vbe(vbe.ID, 0xB0C2)
    assert bench.inp(0x1D0, 2) == 0xB0C2
    bench.vbe(vbe.ID, 0x1234)
    assert bench.inp(0x1D0, 2) == 0xB0C2
    bench.out(0x1CE, vbe.MEMORY_64K, 2)
    assert bench.inp(0x1CF, 2) == MEMORY_BYTES >> 16
    bench.vbe(vbe.ENABLE, vbe.GET_CAPS)
    for index, most in ((vbe.XRES, 16000), (vbe.YRES, 12000), (vbe.BPP, 32)):
        bench.out(0x1CE, index, 2)
        assert bench.inp(0x1CF, 2) == most
    bench.out(0x1CE, 0xFFFF, 2)
    assert bench.inp(0x1CF, 2) == 0
    assert bench.inp(0x1CF, 1) == 0xFF


def read_vbe(bench: VgaBench) -> list[int]:
    found = []
    for index in range(vbe.COUNT):
        bench.out(0x1CE, index, 2)
        found.append(bench.inp(0x1CF, 2))
    return found


def test_a_mode_is_made_to_fit(bench: VgaBench) -> None:
    bench.vbe_mode(1027, 768, 32)
    assert read_vbe(bench)[1:] == [1024, 768, 32, 0x41, 0, 1024, 4096, 0, 0]
    bench.vbe(vbe.VIRTUAL_WIDTH, 2048)
    bench.vbe(vbe.X_OFFSET, 2000)
    bench.vbe(vbe.Y_OFFSET, 5000)
    assert read_vbe(bench)[6:] == [2048, 2048, 1024, 2048 - 768]
    assert bench.vga.mode == vbe.VbeMode(1024, 768, 32, 8192, (2048 - 768) * 8192 + 4096)
    bench.vbe(vbe.ENABLE, 0)
    assert bench.vga.mode is None
    bench.vbe_mode(0, 0, 7)
    assert read_vbe(bench)[1:4] == [8, 1, 8]
    bench.vbe_mode(0xFFFF, 0xFFFF, 32)
    assert read_vbe(bench)[1:4] == [16000, MEMORY_BYTES // 64000, 32]


def test_enabling_clears_what_the_mode_shows(bench: VgaBench) -> None:
    bench.frame_buffer(0, b"\x55" * 8192)
    bench.vbe_mode(64, 16, 32, flags=0xC1)
    assert bench.vga.memory.bytes[0] == 0x55
    bench.vbe_mode(64, 16, 32)
    assert bytes(bench.vga.memory.bytes[:4097]) == bytes(4096) + b"\x55"
    assert bench.machine.touched == {0}


def test_the_window_shows_a_bank(bench: VgaBench) -> None:
    bench.vbe_mode(1024, 768, 32)
    bench.vbe(vbe.BANK, 5)
    bench.write(0xA1234, 0xDDCCBBAA, 4)
    assert bytes(bench.vga.memory.bytes[0x51234:0x51238]) == b"\xaa\xbb\xcc\xdd"
    bench.vbe(vbe.BANK, 0xFFFF)
    bench.write(0xAFFFF, 7)
    assert bench.vga.memory.bytes[MEMORY_BYTES - 1] == 7
    assert bench.read(0xB0000, 2) == 0xFFFF


def test_registers_in_memory_are_the_same(bench: VgaBench) -> None:
    enable(bench.vga)
    memory = bench.machine.memory
    memory.write(REGISTERS + 0x402, 1, 0x67)
    memory.write(REGISTERS + 0x414, 2, 0x4F0C)
    assert bench.inp(0x3D5) == 0x4F
    assert memory.read(REGISTERS + 0x415, 1) == 0x4F
    assert memory.read(REGISTERS + 0x500, 2) == 0xB0C5
    assert memory.read(REGISTERS + 0x514, 4) == 0xFFFF0100
    for index, value in ((1, 640), (2, 480), (3, 32), (4, 0x41)):
        memory.write(REGISTERS + 0x500 + 2 * index, 2, value)
    assert bench.vga.mode == vbe.VbeMode(640, 480, 32, 2560, 0)
    assert memory.read(REGISTERS + 0x600, 8) == 0x1E1E1E1E_00000008
    memory.write(REGISTERS + 0x604, 4, 0xBEBEBEBE)
    assert memory.read(REGISTERS + 0x604, 4) == 0x1E1E1E1E
    assert memory.read(REGISTERS, 4) == 0xFFFFFFFF  # no EDID


def test_the_rom() -> None:
    machine = TestMachine()
    vga = Vga(machine, rom=b"\x55\xaa" + bytes(range(256)) * 20)
    vga.config_write(0x30, 4, 0xFFFFFFFF)
    assert vga.config_read(0x30, 4) == 0xFFFFE001
    vga.config_write(0x30, 4, ROM | 1)
    assert machine.memory.read(ROM, 4) == 0xFFFFFFFF
    vga.config_write(0x04, 2, 2)
    assert machine.memory.read(ROM, 4) == 0x0100AA55
    machine.memory.write(ROM, 4, 0)
    assert machine.memory.read(ROM + 1, 8) == 0x06050403020100AA
    assert machine.memory.read(ROM + 0x1FFF, 1) == 0xFF
    vga.config_write(0x30, 4, ROM)
    assert machine.memory.read(ROM, 4) == 0xFFFFFFFF
    with pytest.raises(ValueError, match="65,536"):
        Vga(TestMachine(), rom=bytes(65537))


# ---- state ----


def test_reset_forgets_registers_and_keeps_memory(bench: VgaBench) -> None:
    bench.set_mode(MODE_13H)
    bench.write(0xA0005, 0x42)
    bench.vga.reset()
    assert bench.vga.save()[1:] == VgaBench().vga.save()[1:]
    assert bench.vga.memory.bytes[5] == 0x42
    assert bench.read(0xA0005) == 0xFF


def test_loading_makes_the_window_again(bench: VgaBench) -> None:
    bench.set_mode(MODE_13H)
    saved = bench.vga.save()
    other = VgaBench()
    other.set_mode(TEXT_MONO)
    other.vga.load(saved)
    assert other.vga.save() == saved
    other.write(0xA0005, 0x42)
    assert other.vga.memory.bytes[5] == 0x42
    assert other.machine.vga_window().native.line_ns == bench.machine.vga_window().native.line_ns


@pytest.mark.parametrize("seed", range(4))
def test_random_accesses_never_fail_and_can_be_saved_anywhere(seed: int) -> None:
    rng, bench, twin = random.Random(seed), VgaBench(), VgaBench()
    enable(bench.vga)
    enable(twin.vga)
    for step in range(5000):
        bus, address = rng.choice((
            ("ports", 0x3B0 + rng.randrange(0x30)), ("ports", 0x1CD + rng.randrange(5)),
            ("memory", REGISTERS + rng.randrange(0x700)), ("memory", REGISTERS + 0x500 + rng.randrange(0x18)),
        ))  # fmt: skip
        size, value = rng.choice((1, 2, 4)), rng.getrandbits(32)
        if rng.random() < 0.3:
            value = rng.randrange(12)
        reads = rng.random() < 0.3
        answers = []
        for one in (bench, twin):
            target = getattr(one.machine, bus)
            answers.append(target.read(address, size) if reads else target.write(address, size, value))
        assert answers[0] == answers[1]
        bench.machine.advance(1000)
        twin.machine.advance(1000)
        if step % 500 == 250:
            seen = bench.screen.picture()
            assert len(seen.rgb) == 3 * seen.width * seen.height
            bench.screen.text()
        if step % 100 == 50:  # a snapshot is the device's values and the window
            saved, window = bench.vga.save(), bytes(window_bytes(bench))
            assert window == bytes(window_bytes(twin))
            twin = VgaBench()
            twin.machine.now = bench.machine.now
            window_bytes(twin)[:] = window
            twin.vga.load(saved)
            assert twin.vga.canonical() == bench.vga.canonical()
            assert bytes(window_bytes(twin)) == window


def window_bytes(bench: VgaBench) -> memoryview:
    from hv.native import ffi, view

    return view(bench.machine.vga_window().native, ffi.sizeof("struct vga_window"))
