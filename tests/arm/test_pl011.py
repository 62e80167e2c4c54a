"""The SBSA UART, as Linux's driver, its early console and simple kernels program it (SBSA appendix B, PL011 manual)."""

from __future__ import annotations

import pytest

from hv.arch.arm.pl011 import BACKLOG, BASE, DEPTH, SPI, Pl011
from tests.devices.machine import TestMachine

DR, RSR, FR, LCR, CR, IMSC, RIS, MIS, ICR = 0x00, 0x04, 0x18, 0x2C, 0x30, 0x38, 0x3C, 0x40, 0x44
RXFE, TXFF, RXFF, TXFE = 0x10, 0x20, 0x40, 0x80
RX, TX, RT = 0x10, 0x20, 0x40


class Bench:
    """The device, and accesses to it by offset."""

    def __init__(self) -> None:
        self.machine = TestMachine()
        self.uart = Pl011(self.machine)
        self.uart.reset()

    def read(self, offset: int, size: int = 4) -> int:
        return self.machine.memory.read(BASE + offset, size)

    def write(self, offset: int, value: int, size: int = 4) -> None:
        self.machine.memory.write(BASE + offset, size, value)

    @property
    def line(self) -> bool:
        return self.machine.lines.get(SPI, False)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("size", [1, 2, 4])
def test_output(bench: Bench, size: int) -> None:
    """A character is the low byte of a write of any width; there is always room for one."""
    for byte in b"hello\n":
        assert bench.read(FR, 4) & (TXFF | TXFE) == TXFE
        bench.write(DR, byte, size)
    assert bench.machine.printed == b"hello\n"


@pytest.mark.parametrize("size", [1, 2, 4])
def test_input(bench: Bench, size: int) -> None:
    assert bench.read(FR) & RXFE
    bench.uart.accept(b"ab")
    assert not bench.read(FR) & RXFE
    assert bytes([bench.read(DR, size), bench.read(DR, size)]) == b"ab"
    assert bench.read(FR) & RXFE
    assert bench.read(DR, size) == 0
    assert bench.read(RSR) == 0


def test_bytes_beside_the_data_take_nothing(bench: Bench) -> None:
    bench.uart.accept(b"ab")
    assert bench.read(DR + 1, 1) == bench.read(DR + 2, 2) == 0
    bench.write(DR + 1, 0x41, 1)
    assert bench.read(DR) == ord("a")
    assert bench.machine.printed == b""


def test_a_write_of_data_takes_nothing(bench: Bench) -> None:
    bench.uart.accept(b"ab")
    bench.write(DR, 0x58, 1)
    assert bench.read(DR, 1) == ord("a")


def test_receive_interrupts(bench: Bench) -> None:
    """RTIS with the first byte, RXIS when the FIFO is half full; both go with their cause."""
    bench.write(IMSC, RX | RT)
    bench.uart.accept(b"x" * (DEPTH // 2 - 1))
    assert bench.read(RIS) & (RX | RT) == RT and bench.line
    bench.uart.accept(b"x")
    assert bench.read(MIS) == RX | RT
    bench.read(DR)
    assert bench.read(MIS) == RT
    for _ in range(DEPTH // 2 - 1):
        assert bench.line
        bench.read(DR)
    assert bench.read(MIS) == 0 and not bench.line


def test_transmit_interrupt(bench: Bench) -> None:
    """There is room from the start; the guest clears the interrupt, and the next character brings it again."""
    assert bench.read(RIS) == TX and not bench.line
    bench.write(IMSC, TX)
    assert bench.read(MIS) == TX and bench.line
    bench.write(ICR, TX)
    assert bench.read(RIS) == 0 and not bench.line
    bench.write(DR, 0x41)
    assert bench.line
    bench.write(IMSC, 0)
    assert bench.read(RIS) == TX and bench.read(MIS) == 0 and not bench.line


def test_clear_is_write_only_and_takes_no_more_than_it_says(bench: Bench) -> None:
    bench.uart.accept(b"x")
    bench.write(ICR, TX)
    assert bench.read(RIS) == RT
    assert bench.read(ICR) == 0
    bench.write(RIS, 0)
    bench.write(ICR + 1, 0xFF, 1)
    assert bench.read(RIS) == RT
    bench.write(ICR, RT, 1)
    assert bench.read(RIS) == 0
    assert bench.read(DR) == ord("x")


def test_mask_keeps_eleven_bits(bench: Bench) -> None:
    bench.write(IMSC, 0xFFFFFFFF)
    assert bench.read(IMSC) == 0x7FF
    bench.write(IMSC, 0, 1)
    assert bench.read(IMSC) == 0x700


def test_what_is_not_there_reads_as_zero(bench: Bench) -> None:
    """The SBSA has no line control, no control register and no identification."""
    for offset in (LCR, CR, 0x20, 0x24, 0x28, 0x34, 0x48, 0xFE0, 0xFFC):
        bench.write(offset, 0xFFFFFFFF)
        assert bench.read(offset) == 0


def test_fifo_full_and_backlog(bench: Bench) -> None:
    """What does not fit waits outside, up to a limit; nothing is lost before it."""
    bench.uart.accept(bytes(range(256)) * 300)
    assert bench.read(FR) & RXFF
    got = bytes(bench.read(DR) for _ in range(BACKLOG + 1))
    assert got == (bytes(range(256)) * 257)[:BACKLOG] + b"\0"
    assert bench.read(FR) & (RXFF | RXFE) == RXFE


def test_saved_in_the_middle(bench: Bench) -> None:
    bench.uart.accept(b"q" * 40)
    bench.read(DR)
    bench.write(IMSC, RX)
    other = Bench()
    other.uart.load(bench.uart.save())
    assert other.read(MIS) == RX
    assert bytes(other.read(DR) for _ in range(40)) == b"q" * 39 + b"\0"


def test_reset(bench: Bench) -> None:
    """The FIFO is emptied; what waits outside comes afterwards."""
    bench.uart.accept(b"q" * DEPTH + b"rest")
    bench.write(IMSC, RT)
    bench.uart.reset()
    assert bench.read(IMSC) == 0 and not bench.line
    assert bytes(bench.read(DR) for _ in range(4)) == b"rest"
