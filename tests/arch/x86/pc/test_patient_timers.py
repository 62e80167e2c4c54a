"""A timer that idle time does not end for: it goes off in time while a processor runs, and else with what ends that."""

from pathlib import Path

import pytest

from hv.arch.x86.builder.hvm import build_hvm, start
from hv.devices.device import Device
from hv.devices.platform import Platform
from hv.hypervisor import Hypervisor, Stop
from tests.devices.flat32 import compiled

PROGRAM = r"""
__asm__(".globl _start\n_start: movl $1000, %ecx\n1: loop 1b\n sti\n2: hlt\n jmp 2b\n");
"""


class Nothing:
    pass


class Waiter(Device):
    """Notes when it is called."""

    State = Nothing

    def timer(self) -> None:
        CALLED.append((self.name, self.machine.now_ns))


CALLED: list[tuple[str, int]] = []


@pytest.fixture
def pc(tmp_path: Path) -> tuple[Hypervisor, Platform]:
    CALLED.clear()
    hv = Hypervisor(memory_mib=8)
    domain = hv.create_domain("pc", memory_mib=8, kind="hvm")
    built = build_hvm(domain, compiled(tmp_path, PROGRAM))
    platform = Platform(domain)
    for name in ("patient", "other"):
        platform.add(Waiter(platform, name))
    platform.reset()
    start(domain, built)
    return hv, platform


def test_while_a_processor_runs_it_is_as_any_other(pc: tuple[Hypervisor, Platform]) -> None:
    hv, platform = pc
    platform.set_timer(platform.devices["patient"], 500, patient=True)
    hv.run(max_insns=900)
    assert CALLED == [("patient", 500)]


def test_idle_time_goes_past_it(pc: tuple[Hypervisor, Platform]) -> None:
    hv, platform = pc
    platform.set_timer(platform.devices["patient"], 1_000_000, patient=True)
    platform.set_timer(platform.devices["other"], 5_000_000)
    assert hv.run().stop == Stop.IDLE
    assert CALLED == [("patient", 5_000_000), ("other", 5_000_000)]


def test_alone_it_wakes_nobody(pc: tuple[Hypervisor, Platform]) -> None:
    hv, platform = pc
    platform.set_timer(platform.devices["patient"], 1_000_000, patient=True)
    assert hv.run().stop == Stop.IDLE and CALLED == []
    platform.set_timer(platform.devices["patient"], 1_000_000)
    hv.run()
    assert CALLED == [("patient", 1_000_000)]
