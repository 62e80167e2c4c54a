"""National PC16550D: a serial port with FIFOs. COM1 is 0x3f8 with interrupt 4, COM2 0x2f8 with interrupt 3.

What the guest sends leaves at once: the transmitter is always empty. It goes to `sink`, or to the machine's console.
What accept() brings waits in a backlog, as a sender does who minds flow control, and fills the receiver as far as the
guest empties it; so nothing is overrun from outside. Beyond BACKLOG bytes the rest of an input is dropped.

The line's speed matters to one thing, the interrupt for bytes that have waited for four character times without making
the trigger level. As with QEMU and Xen, characters have all their 8 bits, OUT2 does not gate the interrupt, and modem
inputs are as if somebody listened.

Source: National Semiconductor PC16550D data sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hv.devices.device import NEVER, Device, Machine
from hv.devices.registers import Register, register_region
from hv.devices.ticks import NS_PER_SECOND

COM1, COM2 = (0x3F8, 4), (0x2F8, 3)
"""(port, interrupt)"""
BACKLOG = 1 << 16
DEPTH = 16
CLOCK = 1_843_200
# Interrupt enable
ON_DATA, ON_EMPTY, ON_LINE, ON_MODEM = 0x01, 0x02, 0x04, 0x08
# Interrupt identification
NOTHING, LINE, DATA, TIMEOUT, EMPTY, MODEM, FIFOS = 0x01, 0x06, 0x04, 0x0C, 0x02, 0x00, 0xC0
# FIFO control
FIFO_ENABLE, CLEAR_RECEIVER = 0x01, 0x02
TRIGGERS = (1, 4, 8, 14)
# Line control, line status, modem control, modem status
DIVISOR_ACCESS, PARITY, LONG_STOP = 0x80, 0x08, 0x04
READY, OVERRUN, HOLDING_EMPTY, EMPTY_STATUS = 0x01, 0x02, 0x20, 0x40
LOOPBACK = 0x10
MODEM_UP = 0xB0
"""Clear to send, data set ready, carrier detect."""


@dataclass
class UartState:
    """The registers. `fifo`: what is received; `backlog`: what waits outside. `modem`: the modem inputs (upper half of
    the status register), `deltas` the lower. `empty_pending`: the transmitter's interrupt. `touched_ns`: when the
    receiver last got or gave a byte."""

    enable: int = 0
    fifo_control: int = 0
    line_control: int = 0
    modem_control: int = 0
    scratch: int = 0
    divisor: int = 12
    fifo: bytes = b""
    backlog: bytes = b""
    overrun: bool = False
    modem: int = MODEM_UP
    deltas: int = 0
    empty_pending: bool = False
    touched_ns: int = 0
    line: bool = False


class Uart(Device):
    """A serial port. `sink` is given what the guest sends, byte by byte; None: the machine's console is. It may be
    replaced at any time."""

    State = UartState
    state: UartState

    def __init__(
        self, machine: Machine, name: str, port: int, irq: int, sink: Callable[[bytes], None] | None = None
    ) -> None:
        super().__init__(machine, name)
        self._irq = irq
        self.sink = sink or machine.print
        machine.ports.map(register_region(self, name, 8, TABLE), port)

    def reset(self) -> None:
        """The reset line. What waits outside goes on waiting."""
        backlog = self.state.backlog
        super().reset()
        self.state.backlog = backlog
        self.machine.set_timer(self, NEVER)
        self.machine.set_irq(self._irq, False)

    def accept(self, data: bytes) -> None:
        """Bytes arrive."""
        self.state.backlog += data[: BACKLOG - len(self.state.backlog)]
        self._receive()
        self._update()

    # ---- receiver ----

    @property
    def _has_fifos(self) -> bool:
        return bool(self.state.fifo_control & FIFO_ENABLE)

    @property
    def _trigger(self) -> int:
        return TRIGGERS[self.state.fifo_control >> 6] if self._has_fifos else 1

    @property
    def _depth(self) -> int:
        return DEPTH if self._has_fifos else 1

    def _receive(self) -> None:
        """Take from outside what there is room for; nothing comes in while the line is looped back."""
        state = self.state
        room = self._depth - len(state.fifo)
        if room > 0 and state.backlog and not state.modem_control & LOOPBACK:
            state.fifo, state.backlog = state.fifo + state.backlog[:room], state.backlog[room:]
            state.touched_ns = self.machine.now_ns

    def _timeout_at(self) -> int:
        """When the bytes that are here have waited for four characters; NEVER: there is nothing to wait for."""
        state = self.state
        if not self._has_fifos or not 0 < len(state.fifo) < self._trigger:
            return NEVER
        control = state.line_control
        half_bits = 2 * (1 + 5 + (control & 3) + 1 + bool(control & PARITY)) + bool(control & LONG_STOP)
        return state.touched_ns + 4 * half_bits * 8 * max(state.divisor, 1) * NS_PER_SECOND // CLOCK

    # ---- interrupts ----

    def _cause(self) -> int:
        """The interrupt with the highest priority: what the identification register says."""
        state = self.state
        if state.enable & ON_LINE and state.overrun:
            return LINE
        if state.enable & ON_DATA and len(state.fifo) >= self._trigger:
            return DATA
        if state.enable & ON_DATA and NEVER != self._timeout_at() <= self.machine.now_ns:
            return TIMEOUT
        if state.enable & ON_EMPTY and state.empty_pending:
            return EMPTY
        if state.enable & ON_MODEM and state.deltas:
            return MODEM
        return NOTHING

    def _update(self) -> None:
        cause, waits = self._cause(), self._timeout_at()
        if (cause != NOTHING) != self.state.line:
            self.state.line = cause != NOTHING
            self.machine.set_irq(self._irq, self.state.line)
        may = self.state.enable & ON_DATA and waits > self.machine.now_ns
        self.machine.set_timer(self, waits if may else NEVER)

    def timer(self) -> None:
        """Bytes have waited long enough."""
        self._update()

    # ---- registers ----

    @property
    def _divisor_access(self) -> bool:
        return bool(self.state.line_control & DIVISOR_ACCESS)

    def read_data(self) -> int:
        """RBR, or the divisor's lower half."""
        state = self.state
        if self._divisor_access:
            return state.divisor & 0xFF
        value = state.fifo[0] if state.fifo else 0
        state.fifo, state.touched_ns = state.fifo[1:], self.machine.now_ns
        self._receive()
        self._update()
        return value

    def write_data(self, value: int) -> None:
        """THR, or the divisor's lower half."""
        state = self.state
        if self._divisor_access:
            state.divisor = state.divisor & 0xFF00 | value
        else:
            self._send(value)
            state.empty_pending = True
        self._update()

    def _send(self, value: int) -> None:
        state = self.state
        if not state.modem_control & LOOPBACK:
            self.sink(bytes([value]))
        elif len(state.fifo) < self._depth:
            state.fifo, state.touched_ns = state.fifo + bytes([value]), self.machine.now_ns
        else:  # without FIFOs the new byte overwrites the old one
            state.overrun = True
            state.fifo = state.fifo if self._has_fifos else bytes([value])

    def read_enable(self) -> int:
        """IER, or the divisor's upper half."""
        return self.state.divisor >> 8 if self._divisor_access else self.state.enable

    def write_enable(self, value: int) -> None:
        """IER, or the divisor's upper half."""
        state = self.state
        if self._divisor_access:
            state.divisor = state.divisor & 0xFF | value << 8
        else:
            state.empty_pending |= bool(value & ~state.enable & ON_EMPTY)
            state.enable = value & 0x0F
        self._update()

    def read_identification(self) -> int:
        """IIR: reading it answers the transmitter's interrupt."""
        cause = self._cause()
        if cause == EMPTY:
            self.state.empty_pending = False
            self._update()
        return cause | (FIFOS if self._has_fifos else 0)

    def write_fifo_control(self, value: int) -> None:
        """FCR. Switching the FIFOs on or off empties them; without them the other bits are not there."""
        state = self.state
        if value & CLEAR_RECEIVER or (value ^ state.fifo_control) & FIFO_ENABLE:
            state.fifo = b""
        state.fifo_control = value & 0xC9 if value & FIFO_ENABLE else 0
        self._receive()
        self._update()

    def read_line_status(self) -> int:
        """LSR: reading it forgets the overrun."""
        value = HOLDING_EMPTY | EMPTY_STATUS | (READY if self.state.fifo else 0)
        if self.state.overrun:
            self.state.overrun = False
            self._update()
            value |= OVERRUN
        return value

    def modem_control_changed(self, value: int) -> None:
        """MCR: in loopback the outputs are the modem inputs."""
        state = self.state
        inputs = MODEM_UP
        if value & LOOPBACK:  # RTS to CTS, DTR to DSR, OUT1 to RI, OUT2 to DCD
            inputs = (value & 2) << 3 | (value & 1) << 5 | (value & 4) << 4 | (value & 8) << 4
        changed = state.modem ^ inputs
        ring_ended = changed & state.modem & 0x40
        state.deltas |= changed >> 4 & 0x0B | ring_ended >> 4
        state.modem = inputs
        self._receive()
        self._update()

    def read_modem_status(self) -> int:
        """MSR: reading it forgets the changes."""
        value = self.state.modem | self.state.deltas
        self.state.deltas = 0
        self._update()
        return value

    def line_control_changed(self, value: int) -> None:
        """LCR: the length of a character may be another one."""
        self._update()


TABLE = {
    0: Register("data", read=Uart.read_data, write=Uart.write_data),
    1: Register("interrupt enable", read=Uart.read_enable, write=Uart.write_enable),
    2: Register("identification, FIFO control", read=Uart.read_identification, write=Uart.write_fifo_control),
    3: Register("line control", "line_control", writable=0xFF, write=Uart.line_control_changed),
    4: Register("modem control", "modem_control", writable=0x1F, write=Uart.modem_control_changed),
    5: Register("line status", read=Uart.read_line_status),
    6: Register("modem status", read=Uart.read_modem_status),
    7: Register("scratch", "scratch", writable=0xFF),
}
