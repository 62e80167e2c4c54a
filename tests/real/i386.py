"""Debian's kernels for processors of 32 bits on the PC, over SeaBIOS, with a shell in their initramfs.

Run as a program it prints the instruction count and the state hash at the moment when the console says that all
processors are up, for comparing processes:

    python -m tests.real.i386 BLOCK_LIMIT
"""

import json
import sys

from hv.native import lib
from hv.toolstack.launch import Guest
from tests.real import packages
from tests.real.initramfs import write
from tests.real.screens import pc
from tools.fetch_debian import TARGET

VCPUS = 4
ALL_UP = f"Brought up 1 node, {VCPUS} CPUs"
FIRST = 12_000_000_000
"""Instructions until the prompt comes."""


def boot(package: str, cmdline: str, vcpus: int = 1) -> Guest:
    """The PC, about to be switched on. Linux is told not to test its ciphers, which takes it longer than all else."""
    ramdisk = write(TARGET / "initramfs-i386.gz", packages.busybox("i386"))
    line = f"{cmdline} cryptomgr.notests"
    return pc(packages.kernel(package), memory_mib=256, vcpus=vcpus, cmdline=line, ramdisk=ramdisk)


def several_processors() -> Guest:
    """The PAE kernel with a frame buffer of 800x600, its console on the serial port too."""
    return boot("linux-image-686-pae:i386", "vga=0x315 console=tty0 console=ttyS0", VCPUS)


def all_up(guest: Guest) -> list[int | str]:
    """Run until all processors are up: the instructions until then, and the state."""
    guest.hv.run(max_insns=FIRST, poll=lambda: ALL_UP in guest.console.text())
    assert ALL_UP in guest.console.text(), guest.console.text()[-2000:]
    return [guest.hv.instructions, guest.hv.state_hash]


if __name__ == "__main__":
    machine = several_processors()
    lib.machine_set_block_limit(machine.hv.machine, int(sys.argv[1]))
    print(json.dumps(all_up(machine)))
