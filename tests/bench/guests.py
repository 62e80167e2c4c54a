"""Guests for measuring: built once, run in this process."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from hv.hypervisor import DEFAULT_PAGING, Stop
from hv.testing.build import ENVIRONMENTS, build_guest, find_guest
from hv.toolstack.launch import GuestConfig, launch

MEMORY_MIB = 32


@cache
def guest(name: str, env: str = "pv64") -> Path:
    """The ELF file of a guest of guests/bench or guests/tests."""
    return build_guest(find_guest(name), env)


def seconds_of_guest(
    name: str, cmdline: str, env: str = "pv64", paging: str = DEFAULT_PAGING, vcpus: int = 1
) -> float:
    """Processor seconds of the run of a guest, from its first instruction to its shutdown. It must power off."""
    kind = ENVIRONMENTS[env].kind
    config = GuestConfig(memory_mib=MEMORY_MIB, cmdline=cmdline, kind=kind, paging=paging, vcpus=vcpus)
    image = guest(name, env)
    one = launch(None, config._replace(firmware=image)) if config.kind == "hvm" else launch(image, config)
    start = time.process_time()
    result = one.hv.run()
    seconds = time.process_time() - start
    if result.stop is not Stop.SHUTDOWN or one.domain.c.shutdown_code != 0:
        raise RuntimeError(f"{name} {cmdline!r}: {result}, shutdown code {one.domain.c.shutdown_code}")
    return seconds


def nanoseconds_each(
    name: str, cmdline: str, few: int, many: int, env: str = "pv64", paging: str = DEFAULT_PAGING, vcpus: int = 1
) -> float:
    """Nanoseconds an iteration: two runs of different length, so that start-up cancels out."""
    short = seconds_of_guest(name, f"{cmdline} n={few}", env, paging, vcpus)
    return (seconds_of_guest(name, f"{cmdline} n={many}", env, paging, vcpus) - short) / (many - few) * 1e9
