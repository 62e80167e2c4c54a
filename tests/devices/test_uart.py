"""The 16550A, as Linux, GRUB and simple kernels program it."""

import pytest

from hv.devices.uart import BACKLOG, COM1, Uart
from tests.devices.machine import TestMachine

PORT, IRQ = COM1
DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR = range(PORT, PORT + 8)
FCR = IIR
NOTHING, LINE, RDA, TIMEOUT, THRE, MODEM = 1, 6, 4, 0xC, 2, 0


@pytest.fixture
def machine() -> TestMachine:
    return TestMachine()


@pytest.fixture
def uart(machine: TestMachine) -> Uart:
    uart = Uart(machine, "serial0", PORT, IRQ)
    uart.reset()
    machine.edges.clear()
    return uart


def test_polled_output_goes_to_the_console(machine: TestMachine, uart: Uart) -> None:
    for byte in b"hello\n":
        assert machine.inp(LSR) & 0x60 == 0x60
        machine.out(DATA, byte)
    assert machine.printed == b"hello\n" and machine.edges == []


def test_output_goes_to_a_sink() -> None:
    machine, seen = TestMachine(), bytearray()
    Uart(machine, "serial1", 0x2F8, 3, seen.extend)
    machine.out(0x2F8 + 3, 0x03)
    machine.out(0x2F8, 0xC1)
    assert bytes(seen) == b"\xc1" and machine.printed == b""


def test_the_divisor_hides_behind_dlab(machine: TestMachine, uart: Uart) -> None:
    machine.out(LCR, 0x83)
    machine.out(DATA, 0x01)
    machine.out(IER, 0x02)
    assert (machine.inp(DATA), machine.inp(IER)) == (1, 2)
    machine.out(LCR, 0x03)
    assert machine.inp(IER) == 0 and machine.printed == b""
    assert uart.state.divisor == 0x201


def test_it_is_found_to_be_a_16550a(machine: TestMachine, uart: Uart) -> None:
    machine.out(FCR, 0x01)
    assert machine.inp(IIR) & 0xC0 == 0xC0
    machine.out(FCR, 0x00)
    assert machine.inp(IIR) & 0xC0 == 0
    machine.out(SCR, 0xA5)
    assert machine.inp(SCR) == 0xA5
    machine.out(IER, 0xFF)
    assert machine.inp(IER) == 0x0F


def test_input_without_fifos_comes_byte_by_byte(machine: TestMachine, uart: Uart) -> None:
    machine.out(IER, 1)
    uart.accept(b"ab")
    assert machine.lines[IRQ] and machine.inp(IIR) == RDA and machine.inp(LSR) & 3 == 1
    assert machine.inp(DATA) == ord("a")
    assert machine.inp(LSR) & 3 == 1 and machine.inp(DATA) == ord("b")
    assert machine.inp(LSR) & 3 == 0 and not machine.lines[IRQ] and machine.inp(IIR) == NOTHING


def test_the_trigger_level_and_the_timeout(machine: TestMachine, uart: Uart) -> None:
    machine.out(LCR, 0x83)
    machine.out(DATA, 1)  # 115,200 baud, 10 bits: 86.8 microseconds a character
    machine.out(IER, 0)
    machine.out(LCR, 0x03)
    machine.out(FCR, 0xC1)
    machine.out(IER, 1)
    uart.accept(b"0123456789abc")
    assert not machine.lines.get(IRQ)
    machine.advance(347_221)
    assert not machine.lines.get(IRQ)
    machine.advance(2)
    assert machine.lines[IRQ] and machine.inp(IIR) == 0xC0 | TIMEOUT
    uart.accept(b"d")
    assert machine.inp(IIR) == 0xC0 | RDA
    assert bytes(machine.inp(DATA) for _ in range(14)) == b"0123456789abcd"
    assert not machine.lines[IRQ] and machine.deadlines == {}


def test_nothing_is_overrun_from_outside(machine: TestMachine, uart: Uart) -> None:
    machine.out(FCR, 0x01)
    text = bytes(range(256)) * 40
    uart.accept(text)
    got = bytearray()
    while machine.inp(LSR) & 1:
        assert len(uart.state.fifo) <= 16
        got.append(machine.inp(DATA))
    assert got == text and not machine.inp(LSR) & 2


def test_the_backlog_is_bounded(machine: TestMachine, uart: Uart) -> None:
    for _ in range(5):
        uart.accept(bytes(BACKLOG))
    assert len(uart.state.backlog) + len(uart.state.fifo) <= BACKLOG + 16


def test_the_transmitter_interrupt(machine: TestMachine, uart: Uart) -> None:
    machine.out(IER, 2)
    assert machine.lines[IRQ] and machine.inp(IIR) == THRE
    assert not machine.lines[IRQ] and machine.inp(IIR) == NOTHING
    machine.out(DATA, 65)
    assert machine.lines[IRQ]
    machine.out(IER, 0)
    assert not machine.lines[IRQ]
    machine.out(IER, 2)
    assert machine.lines[IRQ]


def test_priorities(machine: TestMachine, uart: Uart) -> None:
    machine.out(MCR, 0x10)
    machine.out(IER, 0x0F)
    machine.out(DATA, 1)
    machine.out(DATA, 2)  # overwrites the first one
    assert machine.inp(IIR) == LINE and machine.inp(LSR) & 3 == 3
    assert machine.inp(IIR) == RDA and machine.inp(DATA) == 2
    assert machine.inp(IIR) == THRE
    assert machine.inp(IIR) == MODEM and machine.inp(MSR) & 0x0F
    assert machine.inp(IIR) == NOTHING and not machine.lines[IRQ]
    assert machine.printed == b""


def test_loopback_as_linux_probes_it(machine: TestMachine, uart: Uart) -> None:
    """8250_port.c, autoconfig(): RTS and OUT2 in loopback show as CTS and DCD."""
    machine.out(MCR, 0x1A)
    assert machine.inp(MSR) & 0xF0 == 0x90
    machine.out(MCR, 0x15)
    assert machine.inp(MSR) & 0xF0 == 0x60
    machine.out(MCR, 0x00)
    assert machine.inp(MSR) == 0xB0 | 0x0D  # RI has gone down: the trailing edge counts; DSR is as it was
    assert machine.inp(MSR) == 0xB0


def test_linux_measures_the_fifo(machine: TestMachine, uart: Uart) -> None:
    """8250_port.c, size_fifo(): 256 bytes in loopback, as many come back as there is room for."""
    uart.accept(b"from outside")
    machine.out(FCR, 0x07)
    machine.inp(DATA), [machine.inp(DATA) for _ in range(20)]
    machine.out(MCR, 0x10)
    for byte in range(256):
        machine.out(DATA, byte)
    got = []
    while machine.inp(LSR) & 1:
        got.append(machine.inp(DATA))
    assert got == list(range(16))


def test_a_reset_keeps_what_waits_outside(machine: TestMachine, uart: Uart) -> None:
    machine.out(FCR, 1)
    machine.out(IER, 1)
    uart.accept(bytes(100))
    uart.reset()
    assert not machine.lines[IRQ] and machine.inp(IER) == 0 and machine.deadlines == {}
    assert len(uart.state.backlog) == 84
