"""The keyboard controller (8042), ports 0x60 and 0x64, interrupts 1 and 12.

It hands on one byte at a time, from itself, from the keyboard, from the mouse (the auxiliary device), in this order,
and translates what the keyboard says from scan code set 2 to set 1 if told so. Its output port resets the machine
and opens address line 20 (system_control.py).

Source: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboard and auxiliary device controller"; Intel
8042 and UPI-41 firmware as described there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hv.devices.bus import Region
from hv.devices.device import Device, Machine
from hv.devices.ps2_keyboard import Ps2Keyboard
from hv.devices.ps2_mouse import Ps2Mouse
from hv.devices.system_control import SystemControl

DATA_PORT, COMMAND_PORT, KEYBOARD_IRQ, MOUSE_IRQ = 0x60, 0x64, 1, 12
# Status register
FULL, TESTED, LAST_WAS_COMMAND, NOT_LOCKED, FROM_MOUSE = 0x01, 0x04, 0x08, 0x10, 0x20
# Command byte, the first of the controller's memory
KEYBOARD_INTERRUPT, MOUSE_INTERRUPT, SYSTEM, KEYBOARD_OFF, MOUSE_OFF, TRANSLATE = 0x01, 0x02, 0x04, 0x10, 0x20, 0x40
# Output port
NOT_RESET, A20, KEYBOARD_WAITS, MOUSE_WAITS, ALWAYS = 0x01, 0x02, 0x10, 0x20, 0xC0
INPUT_PORT = 0x80
"""The keyboard is not locked."""
MEMORY = 32
PASSED, NO_PASSWORD = 0x55, 0xF1
SELF, KEYBOARD, MOUSE = 0, 1, 2
"""Where a byte comes from."""
RELEASE = 0xF0
TO_SET_1 = bytes.fromhex(
    "ff43413f3d3b3c58 64444240 3e0f2959 65382a70 1d10025a 66712c1f 1e11035b"
    "672e2d201205045c  68392f21 1413065d 69313023 2215075e 6a723224 1608095f"
    "6b332517180b0a60 6c343526 27190c61 6d732874 1a0d626e 3a361c1b 752b6376"
    "55567778797a0e7b 7c4f7d4b 477e7f6f 5253504c 4d480145 574e514a 37494654"
)
"""Scan codes of set 2 up to 0x7f, as set 1 has them. Two more: 0x83 is 0x41, and 0x84 is 0x54."""
HIGHER = {0x83: 0x41, 0x84: 0x54}


@dataclass
class I8042State:
    """`memory`: its RAM, of which the first byte is the command byte. `data`: the output buffer, and `source` where
    that byte is from; `full`: the guest has not read it. `replies`: its own answers that are still to come.
    `argument_of`: the command that waits for a byte at the data port, or 0. `releasing`: a release prefix was
    translated away."""

    memory: bytes = bytes([KEYBOARD_INTERRUPT | MOUSE_INTERRUPT]) + bytes(MEMORY - 1)
    data: int = 0
    source: int = SELF
    full: bool = False
    replies: tuple[tuple[int, int], ...] = ()
    argument_of: int = 0
    last_was_command: bool = True
    releasing: bool = False
    keyboard_line: bool = False
    mouse_line: bool = False


class I8042(Device):
    """The controller, between `keyboard` and `mouse` and the guest. Line 20 is opened by `control`."""

    State = I8042State
    state: I8042State

    def __init__(
        self, machine: Machine, keyboard: Ps2Keyboard, mouse: Ps2Mouse, control: SystemControl, name: str = "i8042"
    ) -> None:
        super().__init__(machine, name)
        self.keyboard, self.mouse, self._control = keyboard, mouse, control
        keyboard.said = mouse.said = self._fill
        machine.ports.map(Region(name, 1, self._read_data, self._write_data), DATA_PORT)
        machine.ports.map(Region(f"{name} command", 1, self._read_status, self._write_command), COMMAND_PORT)

    def reset(self) -> None:
        """Power on, or the reset line."""
        super().reset()
        self.machine.set_irq(KEYBOARD_IRQ, False)
        self.machine.set_irq(MOUSE_IRQ, False)

    # ---- the output buffer ----

    @property
    def _command_byte(self) -> int:
        return self.state.memory[0]

    def _set_command_byte(self, value: int) -> None:
        self.state.memory = bytes([value]) + self.state.memory[1:]

    def _fill(self) -> None:
        """Put the next byte into the output buffer, if it is free and somebody has one."""
        state = self.state
        while not state.full:
            if state.replies:
                (state.source, byte), state.replies = state.replies[0], state.replies[1:]
                self._offer(byte)
            elif self.keyboard.has_byte and not self._command_byte & KEYBOARD_OFF:
                state.source = KEYBOARD
                self._translate(self.keyboard.take())
            elif self.mouse.has_byte and not self._command_byte & MOUSE_OFF:
                state.source = MOUSE
                self._offer(self.mouse.take())
            else:
                break
        self._interrupt()

    def _offer(self, byte: int) -> None:
        self.state.data, self.state.full = byte, True

    def _translate(self, byte: int) -> None:
        """A byte of the keyboard; a release prefix becomes bit 7 of the code that follows."""
        state = self.state
        if not self._command_byte & TRANSLATE:
            self._offer(byte)
        elif byte == RELEASE:
            state.releasing = True
        else:
            code = TO_SET_1[byte] if byte < len(TO_SET_1) else HIGHER.get(byte, byte)
            self._offer(code | 0x80 if state.releasing else code)
            state.releasing = False

    def _interrupt(self) -> None:
        state = self.state
        from_mouse = state.full and state.source == MOUSE
        keyboard = state.full and not from_mouse and bool(self._command_byte & KEYBOARD_INTERRUPT)
        mouse = from_mouse and bool(self._command_byte & MOUSE_INTERRUPT)
        if keyboard != state.keyboard_line:
            state.keyboard_line = keyboard
            self.machine.set_irq(KEYBOARD_IRQ, keyboard)
        if mouse != state.mouse_line:
            state.mouse_line = mouse
            self.machine.set_irq(MOUSE_IRQ, mouse)

    def reply(self, byte: int, source: int = SELF) -> None:
        """An answer of the controller itself, or one that it pretends to have got from a device."""
        self.state.replies = (*self.state.replies[-MEMORY:], (source, byte))
        self._fill()

    # ---- ports ----

    def _read_data(self, offset: int, size: int) -> int:
        value = self.state.data
        if self.state.full:
            self.state.full = False
            self._interrupt()
            self._fill()
        return value

    def _read_status(self, offset: int, size: int) -> int:
        state = self.state
        value = NOT_LOCKED | (self._command_byte & SYSTEM and TESTED)
        value |= LAST_WAS_COMMAND if state.last_was_command else 0
        value |= FULL if state.full else 0
        return value | (FROM_MOUSE if state.full and state.source == MOUSE else 0)

    def _write_data(self, offset: int, size: int, value: int) -> None:
        state = self.state
        command, state.argument_of = state.argument_of, 0
        state.last_was_command = False
        if not command:
            self._set_command_byte(self._command_byte & ~KEYBOARD_OFF)
            self.keyboard.command(value)
        elif command in WRITE_MEMORY:
            at = command - WRITE_MEMORY.start
            state.memory = state.memory[:at] + bytes([value]) + state.memory[at + 1 :]
        else:
            ARGUMENTS[command](self, value)
        self._fill()

    def _write_command(self, offset: int, size: int, value: int) -> None:
        state = self.state
        state.last_was_command, state.argument_of = True, 0
        if value in READ_MEMORY:
            self.reply(state.memory[value - READ_MEMORY.start])
        elif value in WRITE_MEMORY or value in ARGUMENTS:
            state.argument_of = value
        elif value in COMMANDS:
            COMMANDS[value](self)
        elif value in PULSE and not value & NOT_RESET:
            self.machine.reboot()
        self._fill()

    # ---- commands ----

    def switch(self, bit: int, off: bool) -> None:
        """A device's clock line, by its bit of the command byte."""
        self._set_command_byte(self._command_byte | bit if off else self._command_byte & ~bit)

    def self_test(self) -> None:
        """0xaa: always passed."""
        self._set_command_byte(self._command_byte | SYSTEM)
        self.reply(PASSED)

    def output_port(self) -> int:
        """0xd0."""
        state = self.state
        value = ALWAYS | NOT_RESET | (A20 if self._control.state.a20 else 0)
        if state.full:
            value |= MOUSE_WAITS if state.source == MOUSE else KEYBOARD_WAITS
        return value

    def set_output_port(self, value: int) -> None:
        """0xd1."""
        self._control.set_a20(bool(value & A20))
        if not value & NOT_RESET:
            self.machine.reboot()

    def to_mouse(self, value: int) -> None:
        """0xd4."""
        self.switch(MOUSE_OFF, False)
        self.mouse.command(value)

    def set_a20(self, enabled: bool) -> None:
        """0xdd, 0xdf: commands of later controllers."""
        self._control.set_a20(enabled)


READ_MEMORY, WRITE_MEMORY, PULSE = range(0x20, 0x40), range(0x60, 0x80), range(0xF0, 0x100)
COMMANDS: dict[int, Callable[[I8042], None]] = {
    0xA4: lambda it: it.reply(NO_PASSWORD),
    0xA7: lambda it: it.switch(MOUSE_OFF, True),
    0xA8: lambda it: it.switch(MOUSE_OFF, False),
    0xA9: lambda it: it.reply(0),
    0xAA: I8042.self_test,
    0xAB: lambda it: it.reply(0),
    0xAD: lambda it: it.switch(KEYBOARD_OFF, True),
    0xAE: lambda it: it.switch(KEYBOARD_OFF, False),
    0xC0: lambda it: it.reply(INPUT_PORT),
    0xD0: lambda it: it.reply(it.output_port()),
    0xDD: lambda it: it.set_a20(False),
    0xDF: lambda it: it.set_a20(True),
    0xE0: lambda it: it.reply(0),
}
"""What needs no further byte. 0xa9 and 0xab test the lines to the devices: 0 is no fault."""
ARGUMENTS: dict[int, Callable[[I8042, int], None]] = {
    0xD1: I8042.set_output_port,
    0xD2: lambda it, value: it.reply(value, KEYBOARD),
    0xD3: lambda it, value: it.reply(value, MOUSE),
    0xD4: I8042.to_mouse,
}
