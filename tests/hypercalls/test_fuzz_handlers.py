"""Every Python handler against made-up arguments: it answers with a number or a rule, and the books stay clean.

The fuzzing guest (guests/tests/fuzz.c) does the same from inside; here a failure names the call at once.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from hv import abi
from hv.disposition import Disposition
from hv.hypercall import load_handlers
from tests.hypercalls.lab import ARGUMENT, Lab

CALLS = 6000
EDGES = [0, 1, 2, 3, 7, 9, 31, 32, 63, 64, 255, 256, 4095, 4096, 0x7FF0, 0x7FF1, 0xFFFF, 1 << 31, (1 << 32) - 1,
         1 << 47, 0xFFFF800000000000, 0xFFFF880000000000, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]  # fmt: skip
PAGE = 4096


class Fuzzer:
    """Calls that are nearly right: real sub-operations, pointers to memory that is there, domains that exist."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self.lab, self.rng = lab, random.Random(seed)
        self.frames = [lab.d1.frame() for _ in range(16)]
        self.entries = [one for entries in load_handlers("x86_64").known().values() for one in entries]
        self.pages = [self.page() for _ in range(64)]

    def number(self) -> int:
        kind = self.rng.randrange(6)
        if kind == 0:
            return self.rng.choice(EDGES)
        if kind == 1:
            return self.rng.getrandbits(self.rng.randrange(1, 65))
        if kind == 2:
            return self.rng.choice(self.frames)
        if kind == 3:
            return ARGUMENT + 8 * self.rng.randrange(3 * PAGE // 8)
        return self.rng.choice([0, 0, 1, 1, 2, abi.DOMID_SELF])

    def page(self) -> bytes:
        """Mostly small numbers of every size, as structures have them."""
        data = bytearray()
        while len(data) < PAGE:
            size = self.rng.choice([2, 4, 4, 8, 8])
            data += (self.number() & (1 << 8 * size) - 1).to_bytes(size, "little")
        return bytes(data[:PAGE])

    def memory(self) -> dict[int, bytearray]:
        """Three pages at ARGUMENT."""
        return {(ARGUMENT >> 12) + i: bytearray(self.rng.choice(self.pages)) for i in range(3)}

    def call(self) -> tuple[str, list[int], Any]:
        entry = self.rng.choice(self.entries)
        args = [self.number() for _ in range(6)]
        if entry.subs and self.rng.random() < 0.95:
            args[0] = self.rng.choice(sorted(entry.subs))
        if self.rng.random() < 0.9:
            args[entry.pointer] = ARGUMENT + 4 * self.rng.randrange(500)
        made = list(args)
        vcpu = self.rng.choice(self.lab.d1.vcpus)
        return entry.name, made, self.lab.call(vcpu, entry.name, args, self.memory())


@pytest.mark.parametrize("seed", [1, 2])
def test_handlers_answer_whatever_comes(seed: int) -> None:
    lab = Lab(frames=4096)
    fuzzer = Fuzzer(lab, seed)
    rules: Counter[str] = Counter()
    for n in range(CALLS):
        name, args, result = fuzzer.call()
        assert isinstance(result, int | str | Disposition), (n, name, args)
        if isinstance(result, str):
            rules[result] += 1
        lab.d1.c.shut_down = lab.d1.c.dying = 0
        if n % 500 == 0:
            assert lab.audit() == "", (n, name, [hex(a) for a in args])
    assert lab.audit() == ""
    assert len(rules) > 60, "the calls must be good enough to meet many different rules"
