"""A loop of guests/bench/*.S on a machine without an operating system: QEMU's."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests.bench.measure import BUILD, ROOT
from tests.bench.processes import run

HERE = Path(__file__).resolve().parent
QEMU_LEFT = 1


@cache
def assembled(name: str) -> Path:
    """The object file of guests/bench/NAME.S; its folder is there then."""
    BUILD.mkdir(parents=True, exist_ok=True)
    output = BUILD / f"{name}.o"
    subprocess.run(["gcc", "-c", str(ROOT / "guests" / "bench" / f"{name}.S"), "-o", str(output)], check=True)
    return output


@cache
def _kernel(name: str, loop: str, n: int) -> Path:
    stem, code = BUILD / f"multiboot-{loop}-{n}", assembled(name)
    subprocess.run(
        ["gcc", "-c", f"-DLOOP=loop_{loop}", f"-DITERATIONS={n}", str(HERE / "multiboot.S"), "-o", f"{stem}.o"],
        check=True,
    )
    subprocess.run(
        [
            "ld",
            "-N",
            "--no-warn-rwx-segments",
            "-Ttext=0x101000",
            "--section-start=.multiboot=0x100000",
            f"{stem}.o",
            str(code),
            "-o",
            f"{stem}.64",
        ],
        check=True,
    )
    subprocess.run(["objcopy", "-O", "elf32-i386", f"{stem}.64", f"{stem}.elf"], check=True)
    return Path(f"{stem}.elf")


def seconds_of_qemu(name: str, loop: str, n: int) -> float:
    """Processor seconds that QEMU takes for n iterations of `loop` in guests/bench/NAME.S, from start to end."""
    command = [
        "qemu-system-x86_64",
        "-accel",
        "tcg",
        "-kernel",
        str(_kernel(name, loop, n)),
        "-display",
        "none",
        "-device",
        "isa-debug-exit,iobase=0xf4",
        "-no-reboot",
    ]
    usage = run(command, timeout=120)
    if usage.code != QEMU_LEFT:
        raise RuntimeError(f"QEMU left with {usage.code}")
    return usage.cpu
