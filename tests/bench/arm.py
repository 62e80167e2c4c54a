"""ARM guests against QEMU, which emulates a Cortex-A57 too: loops, exceptions, interrupts, Debian's kernel to a shell.

QEMU's figures are processor seconds of the whole process, as ours; each of its two virtual processors has a thread.
"""

from __future__ import annotations

import subprocess
from functools import cache, partial
from pathlib import Path
from shutil import which

from hv.testing.build import zig
from tests.bench.guests import nanoseconds_each, seconds_of_guest
from tests.bench.linux import boot_seconds
from tests.bench.measure import BUILD, ROOT, Row, measure
from tests.bench.processes import HV, run

HERE = Path(__file__).resolve().parent
MEMORY_MIB = 256
EMULATOR = "qemu-system-aarch64"
QEMU = f"{EMULATOR} -accel tcg -cpu cortex-a57"
BOARD = (*QEMU.split(), "-machine", "virt,gic-version=2", "-display", "none", "-no-reboot")
# Instructions an iteration (guests/bench/loops_arm64.S); of the branch loop on average, its conditions being coins.
INSNS = {"register": 12.0, "memory": 12.0, "list": 4.0, "branch": 7.5}
FEW, MANY = 1_000_000, 21_000_000
# name, loop of guests/bench/exceptions_arm64.S, iterations (few, many), goal
EXCEPTIONS = [
    ("hvc_psci_version", "psci", 100_000, 2_100_000, ""),
    ("svc_eret", "svc", 100_000, 1_100_000, "<= 1.0"),
    ("ipi_arm64", "ipi", 2_000, 22_000, "<= 1.0"),
]
LOOPS = {"psci": 0, "svc": 1, "ipi": 2}  # as guests/bench/exceptions.c numbers them


def rows() -> list[Row]:
    """Loops in million guest instructions a second, exceptions in nanoseconds, the boot in user + system seconds."""
    found = [
        measure(
            f"loop_{loop}_arm64", "Minsn/s", partial(_loop, loop, number), QEMU, _theirs(partial(_qemu_loop, loop)),
            goal=">= 0.8",
        )
        for number, loop in enumerate(INSNS)
    ]  # fmt: skip
    found.append(measure("hvc_null_c", "ns", _hypercall, goal="<= 80 ns"))
    for name, loop, few, many, goal in EXCEPTIONS:
        ours = partial(_exception, f"loop={LOOPS[loop]}", few, many)
        found.append(measure(name, "ns", ours, QEMU, _theirs(partial(_qemu_each, loop, few, many)), goal=goal))
    found.append(_boot())
    return found


def _theirs(measured: partial[float]) -> partial[float] | None:
    return measured if which(EMULATOR) else None


def _rate(loop: str, seconds: float) -> float:
    return INSNS[loop] * (MANY - FEW) / seconds / 1e6


def _loop(loop: str, number: int) -> float:
    many, few = (seconds_of_guest("compute", f"loop={number} n={n}", "arm64") for n in (MANY, FEW))
    return _rate(loop, many - few)


def _qemu_loop(loop: str) -> float:
    return _rate(loop, _seconds_of_qemu(loop, MANY) - _seconds_of_qemu(loop, FEW))


def _hypercall() -> float:
    return nanoseconds_each("hypercalls", "sub=0", 100_000, 2_100_000, "arm64")


def _exception(cmdline: str, few: int, many: int) -> float:
    return nanoseconds_each("exceptions", cmdline, few, many, "arm64", vcpus=2)


def _qemu_each(loop: str, few: int, many: int) -> float:
    return (_seconds_of_qemu(loop, many) - _seconds_of_qemu(loop, few)) / (many - few) * 1e9


@cache
def _program(loop: str, n: int) -> Path:
    """virt.S with this loop, n times."""
    BUILD.mkdir(parents=True, exist_ok=True)
    output = BUILD / f"virt-{loop}-{n}.elf"
    sources = [str(ROOT / "guests" / "bench" / f"{name}_arm64.S") for name in ("loops", "exceptions")]
    command = [zig(), "cc", "-target", "aarch64-freestanding-none", "-nostdlib", "-static"]
    names = ["-Wl,--image-base=0x40080000", f"-DLOOP=loop_{loop}", f"-DITERATIONS={n}"]
    subprocess.run([*command, *names, str(HERE / "virt.S"), *sources, "-o", str(output)], check=True)
    return output


def _seconds_of_qemu(loop: str, n: int) -> float:
    usage = run([*BOARD, "-smp", "2", "-kernel", str(_program(loop, n))], timeout=120)
    if usage.code:
        raise RuntimeError(f"QEMU left with {usage.code}: {usage.output[-400:]!r}")
    return usage.cpu


def _boot() -> Row:
    from tests.real.packages import kernel, ramdisk

    package = "linux-image-arm64:arm64"
    image, initramfs = str(kernel(package)), str(ramdisk("echo shell reached", "bench", "arm64"))
    ours = [*HV, "run", image, "--memory", str(MEMORY_MIB), "--ramdisk", initramfs, "--cmdline", "console=hvc0 quiet"]
    theirs = [
        *BOARD, "-m", str(MEMORY_MIB), "-serial", "stdio", "-net", "none", "-kernel", image, "-initrd", initramfs,
        "-append", "console=ttyAMA0 quiet panic=-1",
    ]  # fmt: skip
    seconds = partial(boot_seconds, ours)
    return measure("linux_arm64_boot", "s", seconds, QEMU, _theirs(partial(boot_seconds, theirs)), goal="<= 1.05")
