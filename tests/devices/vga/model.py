"""A slow, plain model of the VGA's way to its memory: one bit of one plane after the other."""

from __future__ import annotations

import random


class Model:
    """`memory` as the frame buffer shows it. Registers are what a test puts there."""

    def __init__(self, size: int) -> None:
        self.memory = bytearray(size)
        self.sequencer, self.graphics = [0] * 5, [0] * 9
        self.latch = [0, 0, 0, 0]
        self.vbe, self.bank, self.enabled = 0, 0, True

    def randomize(self, rng: random.Random) -> None:
        """Other registers, often the ones that make a usual mode."""
        self.sequencer = [rng.randrange(256) for _ in range(5)]
        self.graphics = [rng.randrange(256) for _ in range(9)]
        self.sequencer[4] = rng.choice((2, 6, 14, 6, rng.randrange(256)))
        self.graphics[3] = rng.choice((0, 0, rng.randrange(32)))
        self.graphics[8] = rng.choice((0xFF, 0xFF, rng.randrange(256)))
        self.vbe = rng.choice((0, 0, 0, 0, 1, 2))
        self.bank = rng.randrange(40) << 16 if self.vbe else 0
        self.enabled = rng.random() > 0.02

    def _offset(self, address: int) -> int | None:
        """Of an address from 0xa0000 on, what the memory map makes of it."""
        select = 1 if self.vbe else self.graphics[6] >> 2 & 3
        if not self.enabled or address < 0:
            return None
        if select == 0:
            return address if address < 0x20000 else None
        if select == 1:
            return address + self.bank if address < 0x10000 else None
        start = 0x10000 if select == 2 else 0x18000
        return address - start if start <= address < start + 0x8000 else None

    def _byte_of(self, cell: int, plane: int) -> int | None:
        at = cell * 4 + plane
        return at if cell * 4 + 3 < len(self.memory) else None

    def read(self, address: int) -> int:
        """A byte."""
        offset = self._offset(address)
        if offset is None:
            return 0xFF
        if self.vbe == 2:
            return self.memory[offset] if offset < len(self.memory) else 0xFF
        plane = self.graphics[4] & 3
        if self.sequencer[4] & 8:
            cell, plane = offset // 4, offset % 4
        elif self.graphics[5] & 16:
            cell, plane = offset // 2, (plane & 2) + offset % 2
        else:
            cell = offset
        if self._byte_of(cell, 3) is None:
            return 0xFF
        self.latch = [self.memory[cell * 4 + number] for number in range(4)]
        if not self.graphics[5] & 8:
            return self.latch[plane]
        result = 0
        for bit in range(8):
            alike = True
            for number in range(4):
                if self.graphics[7] >> number & 1:
                    alike = alike and (self.latch[number] >> bit & 1) == (self.graphics[2] >> number & 1)
            result |= alike << bit
        return result

    def write(self, address: int, value: int) -> None:
        """A byte."""
        offset = self._offset(address)
        if offset is None:
            return
        if self.vbe == 2:
            if offset < len(self.memory):
                self.memory[offset] = value
            return
        if self.sequencer[4] & 8:
            cell, reach = offset // 4, [offset % 4]
        elif not self.sequencer[4] & 4:
            cell, reach = offset // 2, [offset % 2, offset % 2 + 2]
        else:
            cell, reach = offset, [0, 1, 2, 3]
        if self._byte_of(cell, 3) is None:
            return
        for plane in reach:
            if self.sequencer[2] >> plane & 1:
                self.memory[cell * 4 + plane] = self._result(plane, value)

    def _result(self, plane: int, value: int) -> int:
        mode, turn = self.graphics[5] & 3, self.graphics[3] & 7
        turned = [value >> (bit + turn) % 8 & 1 for bit in range(8)]
        result = 0
        for bit in range(8):
            held = self.latch[plane] >> bit & 1
            set_bit = self.graphics[0] >> plane & 1
            allowed = bool(self.graphics[8] >> bit & 1)
            if mode == 1:
                result |= held << bit
                continue
            if mode == 0:
                new = set_bit if self.graphics[1] >> plane & 1 else turned[bit]
            elif mode == 2:
                new = value >> plane & 1
            else:
                new, allowed = set_bit, allowed and bool(turned[bit])
            new = [new, new & held, new | held, new ^ held][self.graphics[3] >> 3 & 3]
            result |= (new if allowed else held) << bit
        return result
