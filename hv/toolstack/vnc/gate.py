"""Where a VNC client's doings enter a domain: at its keyboard and its mouse, by the input gate. A USB keyboard or
tablet comes before them as soon as the guest has a driver for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.devices import keys, pointer, usb_keyboard, usb_tablet
from hv.devices.usb_hid import HidDevice
from hv.toolstack.vnc.inputs import LEFT, MIDDLE, RIGHT, Pointer

if TYPE_CHECKING:
    from hv.domain import Domain

KEYBOARD, MOUSE = "keyboard", "mouse"
"""Services of a PC."""
BUTTONS = ((LEFT, "left"), (MIDDLE, "middle"), (RIGHT, "right"))


class GateInputs:
    """Inputs (hv.toolstack.vnc.inputs) of one domain, recorded as the keyboard's and the mouse's own."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self._buttons = 0

    def key(self, name: str, down: bool) -> None:
        """A key goes down or up."""
        service = usb_keyboard.NAME if self._in_use(usb_keyboard.NAME) else KEYBOARD
        self._enter(service, keys.press(name) if down else keys.release(name))

    def pointer(self, event: Pointer) -> None:
        """The pointer has moved, or buttons or the wheel."""
        tablet = self._in_use(usb_tablet.NAME)
        if tablet:
            lines = [pointer.at(event.x, event.y, event.width, event.height).decode().strip()]
        else:
            lines = [f"move {event.dx} {event.dy}"] if event.dx or event.dy else []
        changed, self._buttons = self._buttons ^ event.buttons, event.buttons
        lines += [f"{'press' if event.buttons & bit else 'release'} {name}" for bit, name in BUTTONS if changed & bit]
        if event.wheel:
            lines.append(f"wheel {event.wheel}")
        if lines:
            self._enter(usb_tablet.NAME if tablet else MOUSE, "".join(f"{line}\n" for line in lines).encode())

    def _in_use(self, name: str) -> bool:
        service = self.domain.services.get(name)
        return isinstance(service, HidDevice) and service.in_use

    def _enter(self, service: str, data: bytes) -> None:
        if service in self.domain.services:
            self.domain.hv.inputs.enter(self.domain, service, data)
