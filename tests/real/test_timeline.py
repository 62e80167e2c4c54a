"""Debian's kernel under a debugger: time runs both ways, and every stop is where a straight run would be."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from hv.debug import stops
from hv.debug.symbols import load_symbols
from hv.debug.timeline import Position, Timeline, Why
from hv.toolstack.launch import Guest, GuestConfig, launch
from tests.real.packages import kernel, ramdisk

BUSY = "while :; do echo x; done > /dev/null"
WRITTEN = "jiffies_64"
FUNCTION = "do_sys_openat2"
FAR = 500_000_000


def linux(vcpus: int) -> Guest:
    config = GuestConfig(
        memory_mib=128, vcpus=vcpus, ramdisk=str(ramdisk(BUSY, "busy")), cmdline="console=hvc0 quiet"
    )
    guest = launch(str(kernel()), config)
    guest.console.sink = lambda data: None
    return guest


def straight(vcpus: int, counts: list[int]) -> dict[int, str]:
    """State hashes at these counts, by another process that knows no snapshots."""
    program = (
        "import sys; from tests.real.test_timeline import linux; guest = linux(int(sys.argv[1]))\n"
        "for count in sys.argv[2:]: guest.hv.run(max_insns=int(count)); print(guest.hv.state_hash)"
    )
    wanted = sorted(set(counts))
    words = [sys.executable, "-c", program, str(vcpus), *map(str, wanted)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return dict(zip(wanted, done.stdout.split(), strict=True))


@pytest.mark.real
@pytest.mark.parametrize("vcpus", [1, 4])
def test_moves_through_a_boot(vcpus: int) -> None:
    guest = linux(vcpus)
    timeline = Timeline(guest.hv)
    rng = random.Random(vcpus)
    points = [stops.hypercall("any"), stops.hypercall("sched_op", "block"), stops.trap(14), stops.event(None)]
    seen: dict[int, str] = {}
    for _ in range(12):
        timeline.goto(rng.randrange(FAR))
        point = [rng.choice(points)]
        moved = timeline.run(point, limit=FAR) if rng.random() < 0.5 else timeline.run_back(point)
        assert moved.why in (Why.STOP_POINT, Why.BEGIN, Why.LIMIT)
        seen[moved.position.count] = guest.hv.state_hash
        timeline.step(-1)
        seen[timeline.position.count] = guest.hv.state_hash
    assert len(seen) > 8
    assert seen == straight(vcpus, list(seen))
    assert guest.hv.audit() == ""


@pytest.mark.real
def test_a_function_after_500_million_instructions_and_the_last_write_of_a_variable() -> None:
    guest = linux(1)
    symbols = load_symbols(str(kernel()))
    timeline = Timeline(guest.hv)
    timeline.goto(FAR)
    address = symbols.find(FUNCTION)
    variable = symbols.find(WRITTEN)
    assert address is not None and variable is not None
    here = timeline.run([stops.instruction(address)])
    assert here.why is Why.STOP_POINT
    assert here.position.count > FAR
    before = guest.hv.state_hash

    def value() -> int:
        return int.from_bytes(guest.domain.vcpus[0].read(variable, 8) or b"", "little")

    now = value()
    written = timeline.run_back([stops.access(variable, 8)])
    assert written.why is Why.STOP_POINT
    assert value() < now
    forwards = timeline.run([stops.access(variable, 8)])
    assert forwards.position == Position(written.position.count + 1)
    assert value() == now
    assert timeline.run([stops.instruction(address)]).position == here.position
    assert guest.hv.state_hash == before
