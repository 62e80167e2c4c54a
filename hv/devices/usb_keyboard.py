"""A USB keyboard whose reports are those of the boot protocol: modifiers, and up to six keys.

What a user does enters by accept() as lines of hv.devices.keys; each report takes one stroke, so that a host that
looks every 8 ms sees all of them. Up to MOST_PENDING strokes wait, further ones are dropped. It does not repeat keys
by itself: hosts do.

Source: Device Class Definition for Human Interface Devices 1.11, appendices B.1 and C.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hv.devices import keys
from hv.devices.device import Machine
from hv.devices.usb import Request, Stall
from hv.devices.usb_descriptors import UsbIdentity
from hv.devices.usb_hid import KEYBOARD_PROTOCOL, OUTPUT, HidDevice, HidState, hid_interface

NAME = "usb-keyboard"
MOST_PENDING = 4096
KEYS, TOO_MANY = 6, 1
"""Keys of one report; what stands in their places when more are held."""
MODIFIERS = range(0xE0, 0xE8)
REPORT = bytes.fromhex(
    "0501 0906 a101"                              # generic desktop, keyboard: application
    "0507 19e0 29e7 1500 2501 7501 9508 8102"     # modifiers, a bit each
    "9501 7508 8101"                              # a byte of nothing
    "9505 7501 0508 1901 2905 9102 9501 7503 9101"  # to the keyboard: five lamps, three bits of nothing
    "9506 7508 1500 26ff00 0507 1900 2aff00 8100"  # six keys by number
    "c0"
)


@dataclass
class UsbKeyboardState(HidState):
    """`held`: usages of the keys that are down, in the order in which they were pressed. `leds`: bit 0 num lock, 1 caps
    lock, 2 scroll lock."""

    held: tuple[int, ...] = ()
    leds: int = 0


class UsbKeyboard(HidDevice):
    """The keyboard. A pending event is (key number of hv.devices.keys, released)."""

    State: type[Any] = UsbKeyboardState
    IDENTITY = UsbIdentity(0x0627, 0x0002, "USB Keyboard", "XLKEYBOARD")
    REPORT_DESCRIPTOR = REPORT
    INTERFACE = hid_interface(KEYBOARD_PROTOCOL, REPORT, 2 + KEYS, boot=True)

    def __init__(self, machine: Machine, name: str = NAME) -> None:
        super().__init__(machine, name)

    def accept(self, data: bytes) -> None:
        """Lines of hv.devices.keys. While no driver has configured the keyboard, keys do nothing."""
        state = self.state
        if not state.configuration:
            return
        strokes: list[tuple[int, ...]] = []
        for line in data.decode("utf-8", "replace").split("\n"):
            strokes += [stroke for stroke in keys.strokes(line) if keys.table()[stroke[0]].usage]
        state.pending += tuple(strokes[: MOST_PENDING - len(state.pending)])
        self.ready()

    def happened(self, *event: int) -> None:
        """A key is down, or no longer."""
        number, released = event
        usage, state = keys.table()[number].usage, self.state
        rest = tuple(key for key in state.held if key != usage)
        state.held = rest if released else (*rest, usage)

    def report(self) -> bytes:
        """Modifiers, nothing, six keys."""
        modifiers, held = 0, []
        for usage in self.state.held:
            if usage in MODIFIERS:
                modifiers |= 1 << usage - MODIFIERS.start
            else:
                held.append(usage)
        return bytes([modifiers, 0, *(held + [0] * (KEYS - len(held)) if len(held) <= KEYS else [TOO_MANY] * KEYS)])

    def set_report(self, request: Request, data: bytes) -> bytes:
        """SET_REPORT: the lamps."""
        if request.value >> 8 != OUTPUT or not data:
            raise Stall
        self.state.leds = data[0] & 0x1F
        return b""
