"""Where a VNC client's doings enter a domain: at its keyboard and its mouse, by the input gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.devices import keys
from hv.toolstack.vnc.inputs import LEFT, MIDDLE, RIGHT, Pointer

if TYPE_CHECKING:
    from hv.domain import Domain

KEYBOARD, MOUSE = "keyboard", "mouse"
"""Services of a PC (hv.builder.pc)."""
BUTTONS = ((LEFT, "left"), (MIDDLE, "middle"), (RIGHT, "right"))


class GateInputs:
    """Inputs (hv.toolstack.vnc.inputs) of one domain, recorded as the keyboard's and the mouse's own."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self._buttons = 0

    def key(self, name: str, down: bool) -> None:
        """A key goes down or up."""
        self._enter(KEYBOARD, keys.press(name) if down else keys.release(name))

    def pointer(self, event: Pointer) -> None:
        """The pointer has moved, or buttons or the wheel."""
        lines = [f"move {event.dx} {event.dy}"] if event.dx or event.dy else []
        changed, self._buttons = self._buttons ^ event.buttons, event.buttons
        lines += [f"{'press' if event.buttons & bit else 'release'} {name}" for bit, name in BUTTONS if changed & bit]
        if event.wheel:
            lines.append(f"wheel {event.wheel}")
        if lines:
            self._enter(MOUSE, "".join(f"{line}\n" for line in lines).encode())

    def _enter(self, service: str, data: bytes) -> None:
        if service in self.domain.services:
            self.domain.hv.inputs.enter(self.domain, service, data)
