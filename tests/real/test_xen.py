"""Xen as Debian builds it, unmodified, as a Multiboot kernel of the PC; and over it Debian's kernel as domain 0."""

import pytest

from tests.real import packages
from tests.real.conversation import converse, finished
from tests.real.initramfs import PROMPT
from tests.real.screens import pc

pytestmark = pytest.mark.real

SCRIPT = (
    (PROMPT, "cd /sys/hypervisor; cat version/major properties/capabilities\n"),
    ("\nxen-3.0-x86_64", "exit\n"),
)


def test_it_runs_a_domain_0() -> None:
    """It takes its memory from the firmware's map, and kernel and ramdisk of domain 0 as modules."""
    image = packages.package("xen-hypervisor-4.17-amd64") / "boot" / "xen-4.17-amd64.gz"
    modules = f"{packages.kernel('linux-image-amd64')} console=hvc0 quiet,{packages.ramdisk()}"
    guest = pc(image, memory_mib=384, ramdisk=modules, cmdline="console=com1 com1=115200 noreboot")
    outcome = converse(guest, SCRIPT, 15_000_000_000)
    assert finished(outcome)
    assert "Bootloader: xenlab" in outcome.text and "Dom0 kernel: 64-bit, PAE" in outcome.text
    assert "Entering ACPI S5 state" in outcome.text
