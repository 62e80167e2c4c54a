"""The smallest guest: from the start of the process to the verdict, and inside a process that is there already."""

from __future__ import annotations

import subprocess
import time
from functools import cache
from pathlib import Path
from shutil import which

from hv.toolstack.launch import GuestConfig, launch
from tests.bench.guests import MEMORY_MIB, guest
from tests.bench.measure import BUILD, Row, measure
from tests.bench.processes import HV, run

BOOTSECTOR_S = Path(__file__).resolve().parent / "bootsector.S"
QEMU_LEFT = 1
SUCCESS = b"Test result: SUCCESS"


def rows() -> list[Row]:
    """In milliseconds, against QEMU running a boot sector that prints one line."""
    theirs = _qemu if which("qemu-system-x86_64") else None
    name = "qemu-system-x86_64, a boot sector"
    _cold()
    return [
        measure("hello_cold", "ms", _cold, name, theirs, rounds=9, goal="<= 1.2"),
        measure("hello_inprocess", "ms", _in_process, name, theirs, rounds=9, goal="<= 1/12"),
    ]


def _cold() -> float:
    usage = run([*HV, "run", str(guest("hello")), "--memory", str(MEMORY_MIB)])
    if usage.code != 0 or SUCCESS not in usage.output:
        raise RuntimeError(f"hello: exit {usage.code}: {usage.output!r}")
    return usage.wall * 1e3


def _in_process() -> float:
    start = time.perf_counter()
    hello = launch(guest("hello"), GuestConfig(memory_mib=MEMORY_MIB))
    hello.hv.run()
    hello.destroy()
    seconds = time.perf_counter() - start
    if SUCCESS.decode() not in hello.console.text():
        raise RuntimeError(f"hello: {hello.console.text()!r}")
    return seconds * 1e3


@cache
def disk() -> Path:
    """A disk whose boot sector prints one line."""
    BUILD.mkdir(parents=True, exist_ok=True)
    obj, elf, image = BUILD / "bootsector.o", BUILD / "bootsector.elf", BUILD / "bootsector.img"
    subprocess.run(["gcc", "-c", str(BOOTSECTOR_S), "-o", str(obj)], check=True)
    subprocess.run(["ld", "-N", "--no-warn-rwx-segments", "-Ttext=0x7c00", str(obj), "-o", str(elf)], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", str(elf), str(image)], check=True)
    return image


def _qemu() -> float:
    usage = run(
        [
            "qemu-system-x86_64",
            "-accel",
            "tcg",
            "-display",
            "none",
            "-serial",
            "stdio",
            "-nodefaults",
            "-no-reboot",
            "-drive",
            f"file={disk()},format=raw,if=ide",
            "-device",
            "isa-debug-exit,iobase=0xf4",
        ]
    )
    if usage.code != QEMU_LEFT or b"Hello" not in usage.output:
        raise RuntimeError(f"QEMU: exit {usage.code}: {usage.output!r}")
    return usage.wall * 1e3
