"""GRUB as Debian builds it for PCs, from the MBR of an IDE disk: its menu, keys, and Debian's kernel from that disk."""

from pathlib import Path

import pytest

from hv.native import lib
from hv.toolstack.devices import DiskOptions
from hv.toolstack.launch import Guest
from tests.real import packages
from tests.real.grub_disk import grub_disk
from tests.real.person import MOST, Person
from tests.real.screens import pc, picture, powers_off, press, wait

pytestmark = pytest.mark.real

MENU = b"""\
set timeout=-1
menuentry 'The entry that is not wanted' { halt }
menuentry 'Debian from the disk' {
    linux /vmlinuz console=tty0 quiet chosen=second
    initrd /initrd.gz
}
"""
STARTS = 500_000_000
"""Instructions at most until the menu is there."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {
        "grub.cfg": MENU,
        "vmlinuz": packages.kernel("linux-image-amd64").read_bytes(),
        "initrd.gz": packages.ramdisk().read_bytes(),
    }
    return grub_disk(tmp_path_factory.mktemp("grub"), 32, files)


def chosen(disk: Path, block_limit: int = 0) -> tuple[Guest, str]:
    """The guest with its second entry chosen, the keys still on their way; the menu's screen."""
    guest = pc(memory_mib=256, boot="c", disks=(DiskOptions(str(disk)),))
    lib.machine_set_block_limit(guest.hv.machine, block_limit)
    menu = wait(guest, "Debian from the disk", STARTS)
    press(guest, "down", "enter")
    return guest, menu


def test_its_menu_boots_a_kernel_from_the_disk(disk: Path) -> None:
    guest, menu = chosen(disk)
    assert "GNU GRUB" in menu and "The entry that is not wanted" in menu
    assert len(picture(guest, "grub")) > 1000
    again, _ = chosen(disk, block_limit=7)
    assert (again.hv.instructions, again.hv.state_hash) == (guest.hv.instructions, guest.hv.state_hash)
    person = Person(guest)
    person.prompt()
    assert "BOOT_IMAGE=/vmlinuz console=tty0 quiet chosen=second" in person.command("cat /proc/cmdline")
    person.exit()
    powers_off(guest, MOST)
