"""The fuzzing guest for devices, in a PC that has one of each, from outside: no exception and no hang, nothing beside
its own frames changes, memory is bounded, and two runs are one, however code is cut into blocks."""

from __future__ import annotations

import gc
import os
import random
from pathlib import Path
from typing import NamedTuple

import pytest

from hv.devices.pc import PcDisk
from hv.hypervisor import Stop
from hv.native import lib
from hv.net.options import NicOptions
from hv.testing.build import build_guest, find_guest
from hv.testing.disks import NumberedImage
from hv.toolstack.launch import Guest, GuestConfig, launch
from tests.guests.victim import add_victim, contents

COUNT, SEEDS = (2_500_000, 4) if os.environ.get("XENLAB_LONG_FUZZ") else (12_000, 2)
"""Accesses a seed: ten millions in all in the long form."""
SHORT = 8_000
INSTRUCTIONS = 2_000
"""More than any access costs the guest, with all that it does besides."""
GROWTH = 256 << 20
"""Bytes that a run may make the process larger: the machine's own memory, the disks' blocks, what devices remember."""
STATE = 4 << 20
"""Bytes that the description of one device's state may have: disks are in it as digests."""
TAIL = 1 << 16


class Pc(NamedTuple):
    """`said`: the end of what is on its console, as it comes."""

    guest: Guest
    said: bytearray

def pc(seed: int, count: int) -> Pc:
    """Two disks, one of them read-only, a CD-ROM, a USB disk and a tablet, and cards of both kinds on a switch and
    before a NAT."""
    drives = (
        PcDisk(NumberedImage(2000)), PcDisk(NumberedImage(300), read_only=True),
        PcDisk(NumberedImage(1200), read_only=True, cdrom=True), PcDisk(NumberedImage(500), usb=True),
    )  # fmt: skip
    nics = NicOptions("lan", "e1000"), NicOptions("lan", "rtl8139"), NicOptions("", "e1000")
    said = bytearray()

    def sink(data: bytes) -> None:
        said.extend(data)
        del said[:-TAIL]

    guest = launch(None, GuestConfig(
        memory_mib=32, machine_mib=36, kind="hvm", firmware=build_guest(find_guest("fuzz_devices"), "hvm64"),
        drives=drives, nics=nics, usb=("tablet",), cmdline=f"seed={seed} count={count}",
    ), sink)  # fmt: skip
    return Pc(guest, said)


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_nothing_but_the_guest_changes(seed: int) -> None:
    guest, said = pc(seed, COUNT)
    victim, frames, before = add_victim(guest.hv)
    size = resident()
    result = guest.hv.run(max_insns=COUNT * INSTRUCTIONS)
    assert result.stop is Stop.SHUTDOWN, result
    assert guest.domain.shutdown_name == "poweroff"
    assert b"Test result: SUCCESS" in said, bytes(said)
    assert contents(victim, frames) == before and guest.hv.audit() == ""
    assert resident() - size < GROWTH
    for name, device in guest.domain.platform.devices.items():
        assert len(device.canonical()) < STATE, name


@pytest.mark.parametrize("limit", [1, 7])
def test_equal_runs(limit: int) -> None:
    """A second run gives the same with other blocks, cut anywhere, with code thrown away at times."""
    straight, other = pc(9, SHORT), pc(9, SHORT)
    one, two = straight.guest.hv, other.guest.hv
    one.run()
    lib.machine_set_block_limit(two.machine, limit)
    source = random.Random(limit)
    while two.run(max_insns=two.instructions + source.randrange(1, 20_000)).stop is Stop.INSNS:
        if source.random() < 0.2:
            lib.machine_flush_code(two.machine)
    assert (other.said, two.instructions, two.state_hash) == (straight.said, one.instructions, one.state_hash)
