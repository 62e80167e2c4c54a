"""A PS/2 keyboard with scan code sets 1, 2 and 3.

What a user does enters by accept() as lines of text that hv.devices.keys makes: keys that are pressed or released, or
text that is typed. Strokes follow each other STROKE_NS apart, a fast typist's pace that firmware's small buffers
follow; up to MOST_PENDING of them wait, further ones are dropped. While the keyboard is disabled, keys do nothing.

Keys do not repeat by themselves: guest time may run much faster than the user's. A key that is pressed again without a
release in between (as VNC clients send it) repeats.

Source: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-key)".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hv.devices import keys
from hv.devices.device import Machine
from hv.devices.ps2 import SELF_TEST_PASSED, Ps2Device, Ps2State

ID = (0xAB, 0x83)
ECHO = 0xEE
STROKE_NS = 5_000_000
MOST_PENDING = 4096
USUAL_SET = 2
USUAL_RATE = 0x2B
"""Typematic: 10.9 characters a second after half a second."""
USUAL_BREAKS = sum(1 << code for code in (0x11, 0x12, 0x14, 0x19, 0x59))
"""Codes of set 3 that announce a release unless told otherwise: ctrl, both shifts, caps lock, alt."""
ALL = (1 << 256) - 1
INSTEAD = {("print", "alt"): "sysrq", ("print", "rightalt"): "sysrq",
           ("pause", "ctrl"): "break", ("pause", "rightctrl"): "break"}  # fmt: skip
"""(key, key that is held): which row of the table counts."""


@dataclass
class KeyboardState(Ps2State):
    """`held`: keys that are down, a bit each by number; `substituted`: those of them that were pressed as another row.
    `breaks`: codes of set 3 that send a release, a bit each. `leds`: bit 0 scroll lock, 1 num lock, 2 caps lock."""

    enabled: bool = True
    code_set: int = USUAL_SET
    leds: int = 0
    rate: int = USUAL_RATE
    breaks: int = USUAL_BREAKS
    held: int = 0
    substituted: int = 0


class Ps2Keyboard(Ps2Device):
    """The keyboard."""

    State: type[Any] = KeyboardState
    FIRST_COMMAND = 0xED
    ANSWERS: Mapping[int, int] = {ECHO: ECHO}

    def __init__(self, machine: Machine, name: str = "keyboard") -> None:
        super().__init__(machine, name)

    # ---- strokes ----

    def accept(self, data: bytes) -> None:
        """Lines of hv.devices.keys."""
        strokes: list[tuple[int, ...]] = []
        for line in data.decode("utf-8", "replace").split("\n"):
            strokes += keys.strokes(line)
        state = self.state
        state.pending += tuple(strokes[: MOST_PENDING - len(state.pending)])
        self._go_on()
        self.said()

    def interval_ns(self) -> int:
        """From stroke to stroke."""
        return STROKE_NS

    def _row(self, number: int, released: bool) -> int:
        """The row of the table that counts for a key."""
        state, names, table = self.state, keys.numbers(), keys.table()
        for (name, with_held), instead in INSTEAD.items():
            if table[number].name != name:
                continue
            if state.substituted >> number & 1 if released else state.held >> names[with_held] & 1:
                return names[instead]
        return number

    def packet(self, *event: int) -> bytes:
        """A stroke's scan codes."""
        number, released = event
        codes = keys.scan_codes(self._row(number, bool(released)), self.state.code_set, bool(released))
        if not self.state.enabled:
            return b""
        silent = released and self.state.code_set == 3 and codes and not self.state.breaks >> codes[-1] & 1
        return b"" if silent else codes

    def happened(self, *event: int) -> None:
        """A key is down, or no longer."""
        number, released = event
        state, bit = self.state, 1 << number
        substituted = not released and self._row(number, False) != number
        state.substituted = state.substituted | bit if substituted else state.substituted & ~bit
        state.held = state.held & ~bit if released else state.held | bit

    # ---- commands ----

    def defaults(self) -> None:
        """0xf6: as it was after power-on."""
        state = self.state
        state.code_set, state.rate, state.breaks = USUAL_SET, USUAL_RATE, USUAL_BREAKS
        state.leds, state.enabled = 0, True
        self.silence()

    def self_test(self) -> None:
        """0xff: reset, which always succeeds."""
        self.defaults()
        self.reply(SELF_TEST_PASSED)

    def identify(self) -> None:
        """0xf2."""
        self.reply(*ID)

    def enable(self) -> None:
        """0xf4: scan keys."""
        self.silence()
        self.state.enabled = True

    def disable(self) -> None:
        """0xf5: as it was after power-on, and do not scan."""
        self.defaults()
        self.state.enabled = False

    def all_announce(self) -> None:
        """0xf8, 0xfa: all keys of set 3 announce their release."""
        self.state.breaks = ALL

    def none_announces(self) -> None:
        """0xf7, 0xf9: none does."""
        self.state.breaks = 0

    def set_leds(self, value: int) -> None:
        """0xed."""
        self.state.leds = value & 7

    def choose_set(self, value: int) -> None:
        """0xf0: a scan code set, or 0 to be told which one it is."""
        if value == 0:
            self.reply(self.state.code_set)
        elif value in (1, 2, 3):
            self.state.code_set = value

    def set_rate(self, value: int) -> None:
        """0xf3: kept."""
        self.state.rate = value & 0x7F

    def one_announces(self, code: int) -> None:
        """0xfc: a key of set 3 announces its release; more of them may follow."""
        self.state.breaks |= 1 << code
        self.state.argument_of = 0xFC

    def one_does_not(self, code: int) -> None:
        """0xfb, 0xfd: it does not."""
        self.state.breaks &= ~(1 << code)
        self.state.argument_of = 0xFD


Ps2Keyboard.COMMANDS = {
    ECHO: lambda keyboard: None,
    0xF2: Ps2Keyboard.identify,
    0xF4: Ps2Keyboard.enable,
    0xF5: Ps2Keyboard.disable,
    0xF6: Ps2Keyboard.defaults,
    0xF7: Ps2Keyboard.none_announces,
    0xF8: Ps2Keyboard.all_announce,
    0xF9: Ps2Keyboard.none_announces,
    0xFA: Ps2Keyboard.all_announce,
    0xFF: Ps2Keyboard.self_test,
}
Ps2Keyboard.ARGUMENTS = {
    0xED: Ps2Keyboard.set_leds,
    0xF0: Ps2Keyboard.choose_set,
    0xF3: Ps2Keyboard.set_rate,
    0xFB: Ps2Keyboard.one_does_not,
    0xFC: Ps2Keyboard.one_announces,
    0xFD: Ps2Keyboard.one_does_not,
}
