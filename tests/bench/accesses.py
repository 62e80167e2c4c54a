"""What one access to a device costs, by port and by memory: devices that Python answers, and controllers in C."""

from __future__ import annotations

from functools import partial
from shutil import which

from tests.bench.bare import seconds_of_qemu
from tests.bench.guests import nanoseconds_each
from tests.bench.measure import Row, measure

# Loop of guests/bench/accesses.S, in the order of accesses.c; the row's name; iterations (few, many); the goal.
ACCESSES = [
    ("port", "port_access", 10_000, 210_000, "<= 20"),
    ("port_controller", "port_access_c", 100_000, 2_100_000, "<= 1"),
    ("mmio", "mmio_access", 10_000, 210_000, "<= 20"),
    ("mmio_controller", "mmio_access_c", 100_000, 2_100_000, "<= 1"),
]
QEMU_FEW, QEMU_MANY = 100_000, 5_100_000


def rows() -> list[Row]:
    """In nanoseconds an access, the loop's two other instructions included."""
    theirs = which("qemu-system-x86_64")
    return [
        measure(
            name,
            "ns",
            partial(nanoseconds_each, "accesses", f"loop={at}", few, many, "hvm64"),
            "qemu-system-x86_64 -accel tcg",
            partial(_qemu, loop) if theirs else None,
            rounds=3,
            goal=goal,
        )
        for at, (loop, name, few, many, goal) in enumerate(ACCESSES)
    ]


def _qemu(loop: str) -> float:
    short = seconds_of_qemu("accesses", loop, QEMU_FEW)
    return (seconds_of_qemu("accesses", loop, QEMU_MANY) - short) / (QEMU_MANY - QEMU_FEW) * 1e9
