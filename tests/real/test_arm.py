"""Debian's kernels for ARM with a busybox shell on the Xen console, unmodified."""

import pytest

from hv.arch import kinds
from hv.toolstack.launch import GuestConfig, launch
from tests.real import initramfs, packages
from tests.real.conversation import converse, finished, linux

pytestmark = [pytest.mark.real, pytest.mark.skipif("arm64" not in kinds(), reason="built without the ARM engine")]


@pytest.mark.parametrize(("package", "vcpus", "machine"), [
    ("linux-image-arm64:arm64", 1, ()), ("linux-image-arm64:arm64", 4, (("gic_version", "v3"),)),
    ("linux-image-cloud-arm64:arm64", 1, (("gic_version", "v3"),)), ("linux-image-cloud-arm64:arm64", 4, ()),
    ("linux-image-rt-arm64:arm64", 4, ()),
    ("linux-image-armmp-lpae:armhf", 1, ()), ("linux-image-armmp-lpae:armhf", 4, (("gic_version", "v3"),)),
    ("linux-image-armmp:armhf", 2, ()),  # tables of short descriptors
])  # fmt: skip
def test_shell_commands_poweroff(package: str, vcpus: int, machine: tuple[tuple[str, str], ...]) -> None:
    done = linux(vcpus, package, machine=machine)
    assert finished(done) and f"\ncpus {vcpus}" in done.text


def test_32_bit_programs_of_a_64_bit_kernel() -> None:
    """User code in AArch32 state: system calls, faults that the kernel fills pages for, signals."""
    commands = (
        "/narrow/busybox uname -m; /narrow/busybox sh -c 'echo $((6*7)) | /narrow/busybox sed s/4/x/; exit 3'; "
        "echo code $?; /narrow/busybox sh -c 'kill -SEGV $$'; echo code $?"
    )
    path = initramfs.write(
        packages.TARGET / "initramfs-narrow-arm64.gz", packages.busybox("arm64"), commands,
        {"/narrow/busybox": packages.busybox("armhf").read_bytes()},
    )  # fmt: skip
    guest = launch(packages.kernel("linux-image-arm64:arm64"),
                   GuestConfig(memory_mib=256, cmdline="console=hvc0 quiet", ramdisk=path))
    done = converse(guest, [], 5_000_000_000)
    assert finished(done)
    assert done.text.split()[:5] == ["READY", "aarch64", "x2", "code", "3"] and "code 139" in done.text
