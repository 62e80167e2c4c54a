"""A PS/2 mouse with three buttons, a wheel when the guest asks for it (IntelliMouse), and five buttons (Explorer).

What a user does enters by accept() as lines of hv.devices.pointer.

Movements that are not reported yet are added up, at most MOST_PENDING events wait, and reports leave at the sample
rate. While reporting is off, a mouse that is not in remote mode does not notice what happens but for its buttons.

Source: IBM Personal System/2 Hardware Interface Technical Reference, "Mouse"; Microsoft IntelliMouse's and Explorer's
detection by three sample rates, as Linux's drivers/input/mouse/psmouse-base.c has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hv.devices import pointer
from hv.devices.device import Machine
from hv.devices.ps2 import SELF_TEST_PASSED, Ps2Device, Ps2State
from hv.devices.ticks import NS_PER_SECOND

MOST_PENDING = 256
STEP, NOTCHES = 255, 7
"""Counts and notches of one report, at most."""
PLAIN, WHEEL, FIVE_BUTTONS = 0, 3, 4
KNOCKS = {(200, 100, 80): WHEEL, (200, 200, 80): FIVE_BUTTONS}
"""Sample rates that are set one after the other: what the mouse is then."""
USUAL_RATE, USUAL_RESOLUTION, SLOWEST = 100, 2, 10
WRAP_END, SELF_TEST = 0xEC, 0xFF
ALWAYS, X_SIGN, Y_SIGN = 0x08, 0x10, 0x20
REMOTE_BIT, ENABLED_BIT, SCALING_BIT = 0x40, 0x20, 0x10
SCALED = (0, 1, 1, 3, 6)
"""2:1 scaling of small movements; larger ones are doubled."""


@dataclass
class MouseState(Ps2State):
    """`buttons` are held now (pending events hold those of their time). `kind`: PLAIN, WHEEL or FIVE_BUTTONS. `rates`:
    the sample rates set last. `wrap`: every byte is echoed."""

    buttons: int = 0
    kind: int = PLAIN
    rate: int = USUAL_RATE
    rates: tuple[int, ...] = ()
    resolution: int = USUAL_RESOLUTION
    scaling: bool = False
    remote: bool = False
    wrap: bool = False


class Ps2Mouse(Ps2Device):
    """The mouse. A pending event is (x, y, notches towards the user, buttons), y counting up."""

    State: type[Any] = MouseState

    def __init__(self, machine: Machine, name: str = "mouse") -> None:
        super().__init__(machine, name)

    # ---- events ----

    def accept(self, data: bytes) -> None:
        """Lines of hv.devices.pointer; a mouse does not know where it is (`at`)."""
        for what, x, y in pointer.events(data):
            if what in pointer.BUTTON_EVENTS:
                self.state.buttons = pointer.buttons_after(self.state.buttons, what, x)
                self._event(0, 0, 0)
            elif what == "move":
                self._move(x, -y)
            elif what == "wheel":
                self._event(0, 0, max(-NOTCHES, min(NOTCHES, -x)))
        self._go_on()
        self.said()

    def _move(self, x: int, y: int) -> None:
        while x or y:
            step_x, step_y = max(-STEP, min(STEP, x)), max(-STEP, min(STEP, y))
            self._event(step_x, step_y, 0)
            x, y = x - step_x, y - step_y

    def _event(self, x: int, y: int, notches: int) -> None:
        """Add an event to the last one that is pending, or queue it."""
        state = self.state
        if not (state.enabled or state.remote):
            return
        before: tuple[tuple[int, ...], ...] = state.pending
        last = before[-1] if before else (0, 0, 0, -1)
        added = (last[0] + x, last[1] + y, last[2] + notches, state.buttons)
        if last[3] == state.buttons and max(map(abs, added[:2])) <= STEP and abs(added[2]) <= NOTCHES:
            state.pending = (*before[:-1], added)
        elif len(before) < MOST_PENDING:
            state.pending = (*before, (x, y, notches, state.buttons))

    def _go_on(self) -> None:
        if not self.state.remote:  # a remote mouse is asked for each report
            super()._go_on()

    def interval_ns(self) -> int:
        """From report to report."""
        return NS_PER_SECOND // max(int(self.state.rate), SLOWEST)

    def packet(self, *event: int) -> bytes:
        """A report."""
        if not self.state.enabled:
            return b""
        x, y, notches, buttons = event
        if self.state.scaling:
            x, y = _scaled(x), _scaled(y)
        return self._report(x, y, notches, buttons)

    def _report(self, x: int, y: int, notches: int, buttons: int) -> bytes:
        first = ALWAYS | buttons & 7 | (X_SIGN if x < 0 else 0) | (Y_SIGN if y < 0 else 0)
        last = {WHEEL: [notches & 0xFF], FIVE_BUTTONS: [notches & 0x0F | (buttons & 0x18) << 1]}
        return bytes([first, x & 0xFF, y & 0xFF, *last.get(self.state.kind, [])])

    # ---- commands ----

    def command(self, byte: int) -> None:
        """A byte from the host; in wrap mode most come back."""
        if self.state.wrap and byte not in (WRAP_END, SELF_TEST):
            self.reply(byte)
            self.said()
        else:
            super().command(byte)

    def defaults(self) -> None:
        """0xf6: as it was after power-on; it stays a mouse with a wheel."""
        state = self.state
        state.rate, state.resolution, state.scaling = USUAL_RATE, USUAL_RESOLUTION, False
        state.remote = state.wrap = state.enabled = False
        self.silence()

    def self_test(self) -> None:
        """0xff: reset, which always succeeds."""
        self.defaults()
        self.state.kind, self.state.rates = PLAIN, ()
        self.reply(SELF_TEST_PASSED, PLAIN)

    def scale(self) -> None:
        """0xe7: 2:1."""
        self.state.scaling = True

    def do_not_scale(self) -> None:
        """0xe6: 1:1."""
        self.state.scaling = False

    def tell_status(self) -> None:
        """0xe9."""
        state = self.state
        flags = (REMOTE_BIT if state.remote else 0) | (ENABLED_BIT if state.enabled else 0)
        flags |= (SCALING_BIT if state.scaling else 0) | (state.buttons & 1) << 2
        self.reply(flags | (state.buttons & 4) >> 1 | (state.buttons & 2) >> 1, state.resolution, state.rate)

    def stream(self) -> None:
        """0xea: report by itself."""
        self.state.remote = False
        self.silence()

    def be_asked(self) -> None:
        """0xf0: remote mode."""
        self.state.remote = True
        self.silence()

    def tell_data(self) -> None:
        """0xeb: a report, of what is pending."""
        state = self.state
        event = state.pending[0] if state.pending else (0, 0, 0, state.buttons)
        state.pending = state.pending[1:]
        self.reply(*self._report(*event))

    def echo(self) -> None:
        """0xee: wrap mode."""
        self.state.wrap = True

    def echo_no_more(self) -> None:
        """0xec."""
        self.state.wrap = False

    def identify(self) -> None:
        """0xf2."""
        self.reply(self.state.kind)

    def enable(self) -> None:
        """0xf4: report."""
        self.silence()
        self.state.enabled = True

    def disable(self) -> None:
        """0xf5: do not."""
        self.state.enabled = False
        self.silence()

    def set_resolution(self, value: int) -> None:
        """0xe8: kept."""
        self.state.resolution = value & 3

    def set_rate(self, value: int) -> None:
        """0xf3: reports a second; three of them in a row may turn it into another mouse."""
        state = self.state
        state.rate, state.rates = value, (*state.rates, value)[-3:]
        state.kind = KNOCKS.get(state.rates, state.kind)


def _scaled(count: int) -> int:
    size = abs(count)
    return (SCALED[size] if size < len(SCALED) else min(2 * size, STEP)) * (1 if count > 0 else -1)


Ps2Mouse.COMMANDS = {
    0xE6: Ps2Mouse.do_not_scale,
    0xE7: Ps2Mouse.scale,
    0xE9: Ps2Mouse.tell_status,
    0xEA: Ps2Mouse.stream,
    0xEB: Ps2Mouse.tell_data,
    0xEC: Ps2Mouse.echo_no_more,
    0xEE: Ps2Mouse.echo,
    0xF0: Ps2Mouse.be_asked,
    0xF2: Ps2Mouse.identify,
    0xF4: Ps2Mouse.enable,
    0xF5: Ps2Mouse.disable,
    0xF6: Ps2Mouse.defaults,
    0xFF: Ps2Mouse.self_test,
}
Ps2Mouse.ARGUMENTS = {0xE8: Ps2Mouse.set_resolution, 0xF3: Ps2Mouse.set_rate}
