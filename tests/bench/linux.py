"""Debian's kernel to its shell and off again: processor seconds, so that skipped idle time flatters nobody."""

from __future__ import annotations

from shutil import which

from tests.bench.measure import Row, measure
from tests.bench.processes import HV, run

MEMORY_MIB = 256
MARK = b"shell reached"
COMMANDS = "echo shell reached"


def rows() -> list[Row]:
    """In user + system seconds, against QEMU TCG with the same kernel and initramfs on bare hardware."""
    from tests.real.packages import kernel, ramdisk

    image, initramfs = str(kernel()), str(ramdisk(COMMANDS, "bench"))

    def ours() -> float:
        return boot_seconds(
            [*HV, "run", image, "--memory", str(MEMORY_MIB), "--ramdisk", initramfs, "--cmdline", "console=hvc0 quiet"]
        )

    def qemu() -> float:
        return boot_seconds(
            [
                "qemu-system-x86_64",
                "-accel",
                "tcg",
                "-m",
                str(MEMORY_MIB),
                "-display",
                "none",
                "-serial",
                "stdio",
                "-no-reboot",
                "-net",
                "none",
                "-kernel",
                image,
                "-initrd",
                initramfs,
                "-append",
                "console=ttyS0 quiet panic=-1",
            ]
        )

    theirs = qemu if which("qemu-system-x86_64") else None
    return [measure("linux_pv_boot", "s", ours, "qemu-system-x86_64 -accel tcg", theirs, goal="<= 0.95")]


def boot_seconds(command: list[str]) -> float:
    """Processor seconds of a program that boots a kernel to a shell which says MARK, and off again."""
    usage = run(command)
    if MARK not in usage.output:
        raise RuntimeError(f"{command[0]}: exit {usage.code}, no shell: {usage.output[-400:]!r}")
    return usage.cpu
