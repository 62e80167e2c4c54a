"""What C answers of vcpu_op and set_timer_op is what the Python handlers answer: a differential test."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

from hv import abi
from hv.disposition import Disposition
from hv.native import ffi, lib
from tests.hypercalls.lab import ARGUMENT, Lab

LEAVE = -(1 << 63) + 3  # HV_LEAVE of pv.h: 0, and back to the run loop
TO_PYTHON = -(1 << 63)


class Mapped(Lab):
    """`d1` has page tables; its linear page at ARGUMENT is `page`."""

    def __init__(self) -> None:
        super().__init__()
        self.page, *levels = (self.d1.frame() for _ in range(5))
        chain = [self.page, *levels]
        for lower, upper in pairwise(chain):
            index = 8 * (ARGUMENT >> 12) if lower == self.page else 0
            self.write((upper << 12) + index, ((lower << 12) | 0x67).to_bytes(8, "little"))
        assert lib.hv_set_base_pointer(self.native, self.d1.vcpus[0].c, levels[-1], False) == 0

    def c_call(self, name: str, args: list[int]) -> int:
        full = ffi.new("uint64_t[6]", [a & (1 << 64) - 1 for a in [*args, *[0] * (6 - len(args))]])
        number = abi.HYPERCALL_NUMBERS[name]
        return int(lib.hv_hypercall(self.native, self.d1.vcpus[0].c, number, full))


def python_result(lab: Lab, name: str, args: list[int], page: bytes) -> int:
    memory = {ARGUMENT >> 12: bytearray(page)}
    result = lab.call(lab.d1.vcpus[0], name, list(args), memory)
    assert not isinstance(result, Disposition)
    return -abi.ERRNOS[result.split()[0]] if isinstance(result, str) else result


def test_the_same_answers() -> None:
    rng = random.Random(1)
    one, two = Mapped(), Lab()
    times = [0, 1, 999, 1000, 1001, *((1 << 50) + near for near in (-1, 0, 999, 1000))]
    times += [(1 << 63) - 1, 1 << 63, (1 << 64) - 1]
    answered = 0
    for lab in (one, two):
        lab.advance(1000)
    for _ in range(3000):
        when, flags = rng.choice(times), rng.choice([0, 1, 2, 3, rng.getrandbits(32)])
        layout = abi.layout("vcpu_set_singleshot_timer")
        page = layout.pack({"timeout_abs_ns": when, "flags": flags}).ljust(4096, b"\0")
        one.write(one.page << 12, page)
        call: tuple[str, list[int]] = rng.choice([
            ("set_timer_op", [when]),
            ("vcpu_op", [rng.choice([3, 8, 3 | 1 << 40, 8, 8]), rng.choice([0, 0, 0, 1, 2, 1 << 32, 1 << 31]),
                         rng.choice([ARGUMENT, ARGUMENT, ARGUMENT + 4090, 0x9000_0000])]),
        ])  # fmt: skip
        online = rng.randrange(2)
        one.d1.vcpus[1].c.online = two.d1.vcpus[1].c.online = online
        got = one.c_call(*call)
        assert got != TO_PYTHON
        answered += got in (0, LEAVE)
        assert (0 if got == LEAVE else got) == python_result(two, *call, page), call
        left: Any = [lab.d1.vcpus[0].c.singleshot_deadline for lab in (one, two)]
        assert left[0] == left[1], call
    assert answered > 1000


def test_the_rest_goes_to_python() -> None:
    lab = Mapped()
    others = set(abi.SUBOPS["vcpu_op"]) - {abi.VCPUOP_is_up, abi.VCPUOP_set_singleshot_timer}
    assert all(lab.c_call("vcpu_op", [sub, 0, 0]) == TO_PYTHON for sub in (*others, 99))
    assert lab.c_call("vcpu_op", [99, 5, 0]) == -abi.ERRNOS["ENOENT"]
