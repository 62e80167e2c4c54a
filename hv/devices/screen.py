"""What is on the screen of a VGA: as a picture, and as text.

    screen = Screen(vga)
    screen.text()          # lines of characters, in a text mode
    screen.picture()       # hv.devices.picture.Picture, in any mode
    screen.png()

Sizes are what a monitor shows, as in QEMU: mode 0x13 is 640x400, its pixels doubled both ways. Nothing blinks: the
cursor and blinking characters are shown. Looking changes nothing that a guest could notice.
"""

from __future__ import annotations

from hv.devices.picture import Picture, from_palette
from hv.devices.screen_graphics import vbe_picture, vga_picture
from hv.devices.screen_seen import Seen
from hv.devices.screen_text import text_lines, text_picture
from hv.devices.vga import Vga
from hv.devices.vga_registers import (
    AR_INDEX_SCREEN_ON,
    GR6_GRAPHICS,
    GR_MISC,
    SR1_8_DOTS,
    SR1_HALF_CLOCK,
    SR1_SCREEN_OFF,
    SR_CLOCKING,
)  # fmt: skip

_NOTHING_SET = (640, 400)
"""Size of the black picture before anybody has set a mode."""
VGA_MEMORY = 1 << 18


class Screen:
    """The screen of one VGA."""

    def __init__(self, vga: Vga) -> None:
        self.vga = vga

    def seen(self) -> Seen:
        """What decides the picture, at this moment: as long as it is equal, so is the picture."""
        vga, state, mode = self.vga, self.vga.state, self.vga.mode
        first, length = (0, VGA_MEMORY) if mode is None else (mode.start, mode.stride * mode.height)
        lit = bool(state.attribute_index & AR_INDEX_SCREEN_ON)
        if mode is None:
            lit = lit and not state.sequencer[SR_CLOCKING] & SR1_SCREEN_OFF
        return Seen(
            lit, state.sequencer, state.crtc, state.graphics, state.attribute, state.palette, vga.dac_bits,
            state.pel_mask, mode, bytes(vga.memory.bytes[first : first + length]) if lit else b"",
        )  # fmt: skip

    def text(self) -> list[str]:
        """Lines of characters (code page 437), blanks at their ends and empty lines below cut off. In a graphics mode,
        or with the screen off: none."""
        seen = self.seen()
        return text_lines(seen) if seen.lit and is_text(seen) else []

    def picture(self) -> Picture:
        """What is shown; black while the screen is off."""
        return draw(self.seen())

    def png(self) -> bytes:
        """The picture as a PNG file."""
        return self.picture().png()


def is_text(seen: Seen) -> bool:
    """Whether this is a text mode."""
    return seen.mode is None and not seen.graphics[GR_MISC] & GR6_GRAPHICS


def draw(seen: Seen) -> Picture:
    """The picture."""
    if not seen.lit:
        width, height = _size(seen)
        return Picture(width, height, bytes(3 * width * height))
    if seen.mode is not None:
        return vbe_picture(seen, seen.mode)
    width, height, pixels = text_picture(seen) if is_text(seen) else vga_picture(seen)
    return from_palette(width, height, pixels, seen.colors)


def _size(seen: Seen) -> tuple[int, int]:
    if seen.mode is not None:
        return seen.mode.width, seen.mode.height
    if not any(seen.crtc):
        return _NOTHING_SET
    clocking = seen.sequencer[SR_CLOCKING]
    dots = 9 if is_text(seen) and not clocking & SR1_8_DOTS else 8
    return seen.timing.columns * dots << bool(clocking & SR1_HALF_CLOCK), seen.timing.lines
