"""What keyboard and mouse have in common: commands with their arguments, answers, and the bytes on their way out.

A device hears bytes (`command()`), each of which it answers, and says bytes (`take()`), answers first. It never waits:
the controller asks when it has room, and is told by `said()` that there is something to ask for.

Source: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboard and auxiliary device controller".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hv.devices.device import NEVER, Device, Machine

ACK, RESEND, SELF_TEST_PASSED = 0xFA, 0xFE, 0xAA
REPEAT = 0xFE
"""The command RESEND, of the same number as the answer."""
BUFFER = 16
"""Bytes that wait in a device."""
MOST_REPLIES = 64


@dataclass
class Ps2State:
    """`replies` and `output` wait to be taken; `last` was; `argument_of` is the command that waits for another byte, or
    0. `enabled`: it reports what happens to it. `pending`: events that
    have not happened yet, of a form that each kind of device has, the next one first; it may at `free_ns`."""

    replies: bytes = b""
    output: bytes = b""
    last: bytes = b""
    argument_of: int = 0
    enabled: bool = False
    pending: tuple[tuple[int, ...], ...] = ()
    free_ns: int = 0


class Ps2Device(Device):
    """A device on one port of the keyboard controller. Subclasses give COMMANDS: what a command does, by number; and
    ARGUMENTS: what takes the byte that follows it. Both are called after the acknowledgement is queued."""

    State: type[Any] = Ps2State
    COMMANDS: Mapping[int, Callable[[Any], None]] = {}
    ARGUMENTS: Mapping[int, Callable[[Any, int], None]] = {}
    ANSWERS: Mapping[int, int] = {}
    """Commands that are not answered by ACK."""
    FIRST_COMMAND = 0x100
    """Bytes from here on are commands, even where an argument is due."""

    state: Any

    def __init__(self, machine: Machine, name: str) -> None:
        super().__init__(machine, name)
        self.said: Callable[[], None] = lambda: None

    def reset(self) -> None:
        """Power on: silence; the self-test is asked for by command."""
        super().reset()
        self.machine.set_timer(self, NEVER)

    # ---- the controller's side ----

    @property
    def has_byte(self) -> bool:
        """take() has something to give."""
        return bool(self.state.replies or self.state.output)

    def take(self) -> int:
        """The next byte; has_byte must be true. What waits outside may follow into the room that this makes."""
        state = self.state
        if state.replies:
            byte, state.replies = state.replies[0], state.replies[1:]
        else:
            byte, state.output = state.output[0], state.output[1:]
        if byte != RESEND:
            state.last = bytes([byte])
        self._go_on()
        return int(byte)

    def command(self, byte: int) -> None:
        """A byte from the host."""
        state = self.state
        waiting, state.argument_of = state.argument_of, 0
        if waiting and byte < self.FIRST_COMMAND:
            self.reply(ACK)
            self.ARGUMENTS[waiting](self, byte)
        elif byte == REPEAT:
            self.reply(*state.last)
        elif byte in self.COMMANDS or byte in self.ARGUMENTS:
            self.reply(self.ANSWERS.get(byte, ACK))
            state.argument_of = byte if byte in self.ARGUMENTS else 0
            self.COMMANDS.get(byte, lambda device: None)(self)
        else:
            self.reply(RESEND)
        self.said()

    # ---- the device's side ----

    def reply(self, *answer: int) -> None:
        """Answer; a host that never listens loses the end."""
        self.state.replies = (self.state.replies + bytes(answer))[:MOST_REPLIES]

    def silence(self) -> None:
        """Forget what has not been taken, and what is still to happen."""
        self.state.output, self.state.pending = b"", ()
        self.machine.set_timer(self, NEVER)

    def timer(self) -> None:
        """The next event may come."""
        self._go_on()
        self.said()

    def _go_on(self) -> None:
        """Turn what is pending into output, as time and room allow."""
        state = self.state
        while state.pending:
            if self.machine.now_ns < state.free_ns:
                self.machine.set_timer(self, state.free_ns)
                return
            first = self.packet(*state.pending[0])
            if len(state.output) + len(first) > BUFFER:
                return
            happened, state.pending = state.pending[0], state.pending[1:]
            self.happened(*happened)
            if first:
                state.output += first
                state.free_ns = self.machine.now_ns + self.interval_ns()
        self.machine.set_timer(self, NEVER)

    def packet(self, *event: int) -> bytes:
        """The bytes of an event that is about to happen; none if it is not reported."""
        raise NotImplementedError

    def happened(self, *event: int) -> None:
        """An event has happened: what follows for the device itself."""

    def interval_ns(self) -> int:
        """Time from one event to the next."""
        raise NotImplementedError
