"""Unmodified guests on whole processors: Debian's kernel by PVH, and over SeaBIOS as on a PC; a boot sector."""

import struct
from pathlib import Path

import pytest

from hv.hypervisor import DEFAULT_PAGING, Stop
from hv.toolstack.devices import DiskOptions
from hv.toolstack.launch import GuestConfig, launch
from hv.toolstack.screenshot import screen_of
from tests.real import packages
from tests.real.conversation import LINUX, Outcome, converse, finished
from tests.real.initramfs import PROMPT
from tests.real.screens import pc

pytestmark = pytest.mark.real

MOST = 12_000_000_000
# Prints a text by INT 10h, function 0Eh.
TELL = bytes.fromhex("31c0 8ed8 fc be0000 ac 08c0 7409 b40e bb0700 cd10 ebf2")
HALT = bytes.fromhex("faf4")
ORIGIN = 0x7C00


def boot_sector(text: bytes, then: bytes = HALT) -> bytes:
    """One that prints the text and goes on with the machine code `then`."""
    code = bytearray(TELL + then)
    code[5:8] = b"\xbe" + struct.pack("<H", ORIGIN + len(code))
    return (bytes(code) + text + b"\0").ljust(510, b"\0") + b"\x55\xaa"


def pvh(vcpus: int, paging: str = DEFAULT_PAGING) -> Outcome:
    config = GuestConfig(
        memory_mib=256, vcpus=vcpus, kind="pvh", cmdline="console=hvc0 quiet", ramdisk=packages.ramdisk(), paging=paging
    )
    return converse(launch(packages.kernel(), config), LINUX, MOST)


@pytest.mark.parametrize("vcpus", [1, 4])
def test_pvh_to_a_shell_and_power_off(vcpus: int) -> None:
    done = pvh(vcpus)
    assert finished(done) and f"\ncpus {vcpus}" in done.text


def test_pvh_is_deterministic_and_the_same_without_shadow_tables() -> None:
    assert pvh(4, "shadow") == pvh(4, "walk")


def test_a_boot_sector_on_an_ide_disk(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(boot_sector(b"read by the firmware").ljust(1 << 20, b"\0"))
    guests = [pc(memory_mib=64, disks=(DiskOptions(str(image)),)) for _ in range(2)]
    assert [guest.hv.run(max_insns=100_000_000).stop for guest in guests] == [Stop.SHUTDOWN] * 2
    assert any("read by the firmware" in line for line in screen_of(guests[0].domain).text())
    assert guests[0].hv.state_hash == guests[1].hv.state_hash
    assert guests[0].hv.audit() == ""


def test_a_kernel_over_the_bios_to_a_shell_and_power_off() -> None:
    guest = pc(packages.kernel(), memory_mib=256, cmdline="console=ttyS0 quiet", ramdisk=packages.ramdisk())
    script = ((PROMPT, "echo typed $((6*7)); poweroff -f\n"), ("\ntyped 42", ""))
    done = converse(guest, script, MOST)
    assert done.stop == "shutdown" and done.shutdown_code == 0
