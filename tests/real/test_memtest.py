"""Memtest86+ as Debian builds it: from its own CD image (El Torito), and put in the firmware's hands as a kernel."""

from pathlib import Path

import pytest

from hv.native import lib
from hv.toolstack.devices import DiskOptions
from hv.toolstack.launch import Guest
from tests.real import packages
from tests.real.screens import pc, picture, press, text, wait

pytestmark = pytest.mark.real

STARTS, TESTS = 500_000_000, 2_000_000_000
"""Instructions at most until it waits for a key, and from one of its tests to another."""


def started(guest: Guest) -> str:
    """Past the question whether to start; the screen before."""
    first = wait(guest, "<Enter> to start testing", STARTS)
    press(guest, "enter")
    return first


@pytest.fixture(scope="module")
def disc() -> Path:
    return packages.package("memtest86+") / "usr" / "lib" / "memtest86+" / "memtest86+x64.iso"


def from_disc(disc: Path, block_limit: int = 0) -> tuple[Guest, list[str]]:
    """The CD's guest in the middle of test 4, and its screens on the way."""
    guest = pc(memory_mib=8, boot="d", on_reboot="restart", disks=(DiskOptions(str(disc), cdrom=True),))
    lib.machine_set_block_limit(guest.hv.machine, block_limit)
    screens = [wait(guest, "Loading Memtest86+", STARTS)]
    screens.append(started(guest))
    screens.append(wait(guest, "Test #4", TESTS))
    return guest, screens


def test_its_disc_boots_and_its_tests_find_no_error(disc: Path) -> None:
    guest, (loading, first, later) = from_disc(disc)
    assert "Booting from DVD/CD" in loading
    assert "Memtest86+ v" in first and "Memory  :    8MB" in first and "xenlab virtual Processor" in first
    assert "Moving inversions" in later and "Errors: 0" in later and "Status: Testing" in later
    again, _ = from_disc(disc, block_limit=7)
    assert (again.hv.instructions, again.hv.state_hash) == (guest.hv.instructions, guest.hv.state_hash)
    later = wait(guest, "Test #6", TESTS)
    assert "Errors: 0" in later and "Time:  0:00:00" in later
    assert len(picture(guest, "memtest86+")) > 1000
    press(guest, "esc")           # leaves by a reset, and the firmware boots the disc again
    assert "Booting from DVD/CD" in wait(guest, "Loading Memtest86+", STARTS) and guest.domain.restarts == 1
    assert "Memory  :    8MB" in wait(guest, "<Enter> to start testing", STARTS)


def test_the_32_bit_one_as_a_kernel() -> None:
    guest = pc(packages.package("memtest86+") / "boot" / "memtest86+ia32.bin", memory_mib=8)
    started(guest)
    assert "Errors: 0" in wait(guest, "Test #3", TESTS) and ".x32" in text(guest)
