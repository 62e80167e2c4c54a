"""The SBSA UART: of Arm's PL011 what software may count on without setting it up, as Xen's guests have it.

What the guest sends leaves at once, so the transmitter always has room; it goes to `sink`, or to the machine's console.
What accept() brings waits in a backlog and fills the receive FIFO as far as the guest empties it: nothing is overrun
from outside. Beyond BACKLOG bytes the rest of an input is dropped. As with Xen the receive timeout needs no time: it is
there as soon as there is a byte.

An interrupt's raw status is set when its cause comes, and cleared by the guest (UARTICR) or when the cause is gone.
Registers that set up line and modem are not there: they read as zero.

Source: Arm Server Base System Architecture, appendix B (generic UART); PL011 technical reference manual, chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hv.abi import constant
from hv.devices.device import Device, Machine
from hv.devices.registers import Register, mixed_region

BASE, SIZE = constant("GUEST_PL011_BASE", "arm"), constant("GUEST_PL011_SIZE", "arm")
SPI = constant("GUEST_VPL011_SPI", "arm")
BACKLOG = 1 << 16
DEPTH, TRIGGER = 32, 16
"""Of the receive FIFO; and from how many bytes on it asks for attention."""
# Flags
RECEIVER_EMPTY, RECEIVER_FULL, TRANSMITTER_EMPTY = 1 << 4, 1 << 6, 1 << 7
# Interrupts
RECEIVE, TRANSMIT, RECEIVE_TIMEOUT = 1 << 4, 1 << 5, 1 << 6
INTERRUPTS = 0x7FF


@dataclass
class Pl011State:
    """`fifo`: what is received; `backlog`: what waits outside. `raw`: the interrupts' raw status; `mask`: those that
    the guest lets through."""

    fifo: bytes = b""
    backlog: bytes = b""
    raw: int = TRANSMIT
    mask: int = 0


class Pl011(Device):
    """A serial port in memory, on a shared peripheral interrupt. `sink` is given what the guest sends, byte by byte;
    None: the machine's console is."""

    State = Pl011State
    state: Pl011State

    def __init__(
        self,
        machine: Machine,
        name: str = "pl011",
        base: int = BASE,
        intid: int = SPI,
        sink: Callable[[bytes], None] | None = None,
    ) -> None:
        super().__init__(machine, name)
        self._intid = intid
        self.sink = sink or machine.print
        machine.memory.map(mixed_region(self, name, SIZE, TABLE), base)

    def reset(self) -> None:
        """The reset line. What waits outside goes on waiting."""
        backlog = self.state.backlog
        super().reset()
        self.state.backlog = backlog
        self._receive()

    def accept(self, data: bytes) -> None:
        """Bytes arrive."""
        self.state.backlog += data[: BACKLOG - len(self.state.backlog)]
        self._receive()

    def _receive(self) -> None:
        """Take from outside what there is room for."""
        state = self.state
        room = DEPTH - len(state.fifo)
        if room > 0 and state.backlog:
            state.fifo, state.backlog = state.fifo + state.backlog[:room], state.backlog[room:]
            state.raw |= RECEIVE_TIMEOUT | (RECEIVE if len(state.fifo) >= TRIGGER else 0)
        self._drive()

    def _drive(self) -> None:
        self.machine.set_irq(self._intid, self.state.raw & self.state.mask != 0)

    # ---- registers ----

    def read_data(self) -> int:
        """UARTDR: the oldest byte; 0 if there is none."""
        state = self.state
        value = state.fifo[0] if state.fifo else 0
        state.fifo = state.fifo[1:]
        if not state.fifo:
            state.raw &= ~RECEIVE_TIMEOUT
        if len(state.fifo) < TRIGGER:
            state.raw &= ~RECEIVE
        self._receive()
        return value

    def write_data(self, value: int) -> None:
        """UARTDR: it is sent, and there is room again."""
        self.sink(bytes([value & 0xFF]))
        self.state.raw |= TRANSMIT
        self._drive()

    def read_flags(self) -> int:
        """UARTFR."""
        received = len(self.state.fifo)
        return TRANSMITTER_EMPTY | (0 if received else RECEIVER_EMPTY) | (RECEIVER_FULL if received == DEPTH else 0)

    def read_masked(self) -> int:
        """UARTMIS: what the interrupt line is made of."""
        return self.state.raw & self.state.mask

    def read_clear(self) -> int:
        """UARTICR can only be written."""
        return 0

    def interrupts_changed(self, value: int) -> None:
        """UARTIMSC or UARTICR was written."""
        self._drive()


TABLE = {
    # Its upper half has the errors of what is received, of which there are none; so it may be met by bytes.
    0x000: (1, Register("data", read=Pl011.read_data, write=Pl011.write_data)),
    0x018: (4, Register("flags", read=Pl011.read_flags)),
    0x038: (4, Register("interrupt mask", "mask", writable=INTERRUPTS, write=Pl011.interrupts_changed)),
    0x03C: (4, Register("raw interrupt status", "raw")),
    0x040: (4, Register("masked interrupt status", read=Pl011.read_masked)),
    0x044: (4, Register("interrupt clear", "raw", 0, INTERRUPTS, Pl011.read_clear, Pl011.interrupts_changed)),
}
"""Offset: (width, register). What is left out, the receive status (no errors) among it, reads as zero."""
