"""Guests for measuring: built once, run in this process."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from hv.hypervisor import Stop
from hv.testing.build import build_guest, find_guest
from hv.toolstack.launch import GuestConfig, launch

MEMORY_MIB = 32


@cache
def guest(name: str) -> Path:
    """The ELF file of a guest of guests/bench or guests/tests."""
    return build_guest(find_guest(name))


def seconds_of_guest(name: str, cmdline: str) -> float:
    """Seconds that the run of a guest takes, from its first instruction to its shutdown. It must power off."""
    one = launch(guest(name), GuestConfig(memory_mib=MEMORY_MIB, cmdline=cmdline))
    start = time.perf_counter()
    result = one.hv.run()
    seconds = time.perf_counter() - start
    if result.stop is not Stop.SHUTDOWN or one.domain.c.shutdown_code != 0:
        raise RuntimeError(f"{name} {cmdline!r}: {result}, shutdown code {one.domain.c.shutdown_code}")
    return seconds


def nanoseconds_each(name: str, cmdline: str, few: int, many: int) -> float:
    """Nanoseconds an iteration: two runs of different length, so that start-up cancels out."""
    short = seconds_of_guest(name, f"{cmdline} n={few}")
    return (seconds_of_guest(name, f"{cmdline} n={many}") - short) / (many - few) * 1e9
