"""The modes of a VGA BIOS as it programs them: (miscellaneous output, SR1..4, CR0..18h, AR0..14h, GR0..8)."""

from __future__ import annotations

from typing import NamedTuple


class Mode(NamedTuple):
    misc: int
    sequencer: bytes
    crtc: bytes
    attribute: bytes
    graphics: bytes

    def change(self, **changes: dict[int, int]) -> Mode:
        """Other values of some registers: `crtc={9: 7}`."""
        values = self._asdict()
        for name, registers in changes.items():
            new = bytearray(values[name])
            for index, value in registers.items():
                new[index] = value
            values[name] = bytes(new)
        return Mode(**values)


def _mode(misc: int, sequencer: str, crtc: str, attribute: str, graphics: str) -> Mode:
    return Mode(misc, *(bytes.fromhex(text) for text in (sequencer, crtc, attribute, graphics)))


SIXTEEN = "00 01 02 03 04 05 14 07 38 39 3a 3b 3c 3d 3e 3f"
CGA = "00 13 15 17 02 04 06 07 10 11 12 13 14 15 16 17"
TEXT_80X25 = _mode(
    0x67, "03 00 03 00 02",
    "5f 4f 50 82 55 81 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 28 1f 96 b9 a3 ff",
    f"{SIXTEEN} 0c 00 0f 08 00", "00 00 00 00 00 10 0e 00 ff",
)  # fmt: skip
TEXT_80X50 = TEXT_80X25.change(crtc={0x09: 0x47, 0x0A: 6, 0x0B: 7}, attribute={})
TEXT_40X25 = _mode(
    0x67, "03 08 03 00 02",
    "2d 27 28 90 2b a0 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 14 1f 96 b9 a3 ff",
    f"{SIXTEEN} 0c 00 0f 08 00", "00 00 00 00 00 10 0e 00 ff",
)  # fmt: skip
TEXT_MONO = _mode(
    0x66, "03 00 03 00 02",
    "5f 4f 50 82 55 81 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 28 0d 96 b9 a3 ff",
    "00 08 08 08 08 08 08 08 10 18 18 18 18 18 18 18 0e 00 0f 08 00", "00 00 00 00 00 10 0a 00 ff",
)  # fmt: skip
CGA_320X200 = _mode(
    0x63, "03 09 03 00 02",
    "2d 27 28 90 2b 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 a2 ff",
    f"{CGA} 01 00 03 00 00", "00 00 00 00 00 30 0f 0f ff",
)  # fmt: skip
CGA_640X200 = _mode(
    0x63, "03 01 01 00 06",
    "5f 4f 50 82 54 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 28 00 96 b9 c2 ff",
    "00 17 17 17 17 17 17 17 17 17 17 17 17 17 17 17 01 00 01 00 00", "00 00 00 00 00 00 0d 0f ff",
)  # fmt: skip
PLANAR_320X200 = _mode(
    0x63, "03 09 0f 00 06",
    "2d 27 28 90 2b 80 bf 1f 00 c0 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 e3 ff",
    f"{CGA} 01 00 0f 00 00", "00 00 00 00 00 00 05 0f ff",
)  # fmt: skip
PLANAR_640X480 = _mode(
    0xE3, "03 01 0f 00 06",
    "5f 4f 50 82 54 80 0b 3e 00 40 00 00 00 00 00 00 ea 8c df 28 00 e7 04 e3 ff",
    f"{SIXTEEN} 01 00 0f 00 00", "00 00 00 00 00 00 05 0f ff",
)  # fmt: skip
MODE_13H = _mode(
    0x63, "03 01 0f 00 0e",
    "5f 4f 50 82 54 80 bf 1f 00 41 00 00 00 00 00 00 9c 8e 8f 28 40 96 b9 a3 ff",
    "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 41 00 0f 00 00", "00 00 00 00 00 40 05 0f ff",
)  # fmt: skip
#: 320x240 in 256 colours, unchained: square pixels, four pages.
MODE_X = MODE_13H.change(
    sequencer={4: 0x06},
    crtc={0x06: 0x0D, 0x07: 0x3E, 0x10: 0xEA, 0x11: 0x8C, 0x12: 0xDF, 0x14: 0x00, 0x15: 0xE7, 0x16: 0x06, 0x17: 0xE3},
)._replace(misc=0xE3)
