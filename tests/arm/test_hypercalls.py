"""Hypercalls that an ARM guest may make, with whatever arguments: an errno, never an exception of ours."""

from __future__ import annotations

import random
import struct

import pytest

from hv import abi, hypercall
from hv.native import ffi, lib
from hv.testing.build import build_guest, find_guest
from hv.toolstack.launch import Guest, launch

PAGE = 4096
SOME = (0, 1, 2, 3, 8, 0x38000, 0x40000, 0x50000, 1 << 32, abi.DOMID_SELF, abi.DOMID_SELF)
"""Words that mean something to many: small numbers, frames, the caller itself."""
TRIES = 40
ENDING = (abi.SCHEDOP_shutdown, abi.SCHEDOP_shutdown_code, abi.SCHEDOP_watchdog)


def record(number: int, arguments: list[int]) -> object:
    """As the vcpu had left with a hypercall that C does not answer."""
    out = ffi.new("struct cpu_exit *")
    out.reason, out.nr = lib.EXIT_HYPERCALL, number
    for at, value in enumerate(arguments):
        out.args[at] = value
    return out


@pytest.mark.parametrize("environment", ["arm64", "arm32"])
def test_any_arguments(environment: str) -> None:
    dice = random.Random(environment)
    for name, number in abi.HYPERCALL_NUMBERS.items():
        guest = launch(build_guest(find_guest("evtchn_loopback"), environment))
        guest.hv.run(max_insns=11_200)
        for sub in (*abi.SUBOPS.get(name, ()), 77):
            if not (name.startswith("sched_op") and sub in ENDING):
                try_out(guest, number, sub, dice)
        assert guest.hv.audit() == ""


def try_out(guest: Guest, number: int, sub: int, dice: random.Random) -> None:
    vcpu = guest.domain.vcpus[0]
    page = vcpu.registers["sp"] - 4 * PAGE & -PAGE
    own = (*SOME, page, page + 256, page // PAGE)
    for _ in range(TRIES):
        words = [dice.choice((*own, dice.getrandbits(32), dice.getrandbits(64))) for _ in range(24)]
        vcpu.write(page, struct.pack("<24Q", *words))  # unless it has given that page away
        arguments = [sub, *(dice.choice((page, page + 64, *own)) for _ in range(3)), 0, 0]
        hypercall.serve(guest.hv, vcpu, record(number, arguments))
