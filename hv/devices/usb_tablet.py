"""A USB tablet: a pointer that says where on the screen it is, with five buttons and a wheel.

What a user does enters by accept() as lines of hv.devices.pointer. Moves that have not been reported are one, as long
as the same buttons are held; MOST_PENDING events wait, further ones are dropped.

Source: Device Class Definition for Human Interface Devices 1.11, chapter 6.2.2 and appendix E; HID Usage Tables 1.12.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from hv.devices import pointer
from hv.devices.device import Machine
from hv.devices.usb_descriptors import UsbIdentity
from hv.devices.usb_hid import NO_PROTOCOL, HidDevice, HidState, hid_interface

NAME = "usb-tablet"
MOST_PENDING = 256
NOTCHES = 127
"""Of one report, at most."""
REPORT = bytes.fromhex(
    "0501 0902 a101 0901 a100"                       # generic desktop, mouse: application, pointer: physical
    "0509 1901 2905 1500 2501 9505 7501 8102"        # buttons 1 to 5, a bit each
    "9501 7503 8101"                                 # three bits of nothing
    "0501 0930 0931 1500 26ff7f 3500 46ff7f 7510 9502 8102"  # X and Y, absolute, 0 to 32767
    "0938 1581 257f 3500 4500 7508 9501 8106"        # wheel, relative
    "c0 c0"
)
_PACKET = struct.Struct("<BHHb")


@dataclass
class TabletState(HidState):
    """What was reported last: the place and the buttons; `notches` belong to one report. `held`: the buttons that the
    user holds, `to_x` and `to_y` where the pointer is, when all that is pending has been reported."""

    x: int = 0
    y: int = 0
    buttons: int = 0
    notches: int = 0
    held: int = 0
    to_x: int = 0
    to_y: int = 0


class UsbTablet(HidDevice):
    """The tablet. A pending event is (x, y, buttons, notches)."""

    State: type[Any] = TabletState
    IDENTITY = UsbIdentity(0x0627, 0x0001, "USB Tablet", "XLTABLET")
    REPORT_DESCRIPTOR = REPORT
    INTERFACE = hid_interface(NO_PROTOCOL, REPORT, _PACKET.size, boot=False)

    def __init__(self, machine: Machine, name: str = NAME) -> None:
        super().__init__(machine, name)

    def accept(self, data: bytes) -> None:
        """Lines of hv.devices.pointer. A tablet is not moved by counts; what happens while no driver has configured it
        it does not notice."""
        for what, x, y in pointer.events(data):
            state = self.state
            if what == "at":
                state.to_x, state.to_y = x, y
            elif what in pointer.BUTTON_EVENTS:
                state.held = pointer.buttons_after(state.held, what, x)
            if what != "move" and state.configuration:
                self._event(max(-NOTCHES, min(NOTCHES, x)) if what == "wheel" else 0)
        self.ready()

    def _event(self, notches: int) -> None:
        state = self.state
        event = (state.to_x, state.to_y, state.held, notches)
        before: tuple[tuple[int, ...], ...] = state.pending
        if before and before[-1][2] == state.held and not notches and not before[-1][3]:
            state.pending = (*before[:-1], event)
        elif len(before) < MOST_PENDING:
            state.pending = (*before, event)

    def happened(self, *event: int) -> None:
        """The pointer is there now."""
        state = self.state
        state.x, state.y, state.buttons, state.notches = event

    def report(self) -> bytes:
        """Buttons, place, and the wheel's notches, once."""
        state = self.state
        notches, state.notches = state.notches, 0
        return _PACKET.pack(state.buttons, state.x, state.y, notches)
