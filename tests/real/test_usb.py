"""USB under unmodified software: SeaBIOS boots from a disk there; Debian's kernel finds tablet, keyboard and disk."""

import hashlib
import random
from pathlib import Path

import pytest

from hv.devices import keys
from hv.devices.uhci_schedule import Frame
from hv.hypervisor import Stop
from hv.toolstack.devices import DiskOptions
from hv.toolstack.launch import Guest
from tests.real import initramfs, packages
from tests.real.modules import load, modules
from tests.real.screens import pc, text, wait
from tests.real.test_whole import HALT, boot_sector

pytestmark = pytest.mark.real

CONTENTS = random.Random(23).randbytes(1 << 20)
# Waits for a key by INT 16h, function 0, and prints its character.
ASK = bytes.fromhex("31c0 cd16 b40e bb0700 cd10")
KERNEL = "linux-image-amd64"
SHOW = """
until [ -b /dev/sda ] && [ -c /dev/input/event2 ]; do usleep 50000; done
grep -E 'Product:|N: Name=' /proc/bus/input/devices
dd if=/dev/sda bs=64k count=2 2>/dev/null | md5sum
echo written to the disk | dd of=/dev/sda bs=512 seek=9 conv=sync,fsync 2>/dev/null
blockdev --flushbufs /dev/sda
dd if=/dev/sda bs=512 skip=9 count=1 2>/dev/null | head -c 19
for n in 1 2; do dd if=/dev/input/event$n bs=24 count=6 2>/dev/null | hexdump -e '24/1 "%02x" "\\n"' >/tmp/$n & done
usleep 100000; echo; echo READ IT
read line
usleep 5000000
cut -c 33-48 /tmp/1 /tmp/2
echo AT LAST
"""


def test_seabios_boots_from_a_usb_disk_and_types_by_a_usb_keyboard(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(boot_sector(b"read from USB, typed ", ASK + HALT).ljust(1 << 20, b"\0"))
    guest = pc(memory_mib=32, disks=(DiskOptions(str(image), bus="usb"),), usb=("keyboard",))
    wait(guest, "read from USB, typed", 400_000_000)
    guest.hv.inputs.enter(guest.domain, "usb-keyboard", keys.chord("shift+q"))
    assert guest.hv.run(max_insns=500_000_000).stop == Stop.SHUTDOWN
    assert "read from USB, typed Q" in text(guest)


def linux(folder: Path) -> Guest:
    image = folder / "disk.img"
    image.write_bytes(CONTENTS)
    found = modules("uhci-hcd", "usbhid", "hid-generic", "usb-storage", "sd_mod", "evdev", package=KERNEL)
    ramdisk = initramfs.write(folder / "usb.gz", packages.busybox(), load(found) + SHOW, found)
    return pc(
        packages.kernel(KERNEL), memory_mib=256, cmdline="console=ttyS0 quiet", ramdisk=ramdisk,
        disks=(DiskOptions(str(image), bus="usb"),), usb=("tablet", "keyboard"),
    )  # fmt: skip


def test_debian_finds_tablet_keyboard_and_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = linux(tmp_path)
    inputs = guest.hv.inputs
    result = guest.hv.run(max_insns=12_000_000_000, poll=lambda: "READ IT" in guest.console.text())
    assert "READ IT" in guest.console.text(), (result, guest.console.text()[-2000:])
    inputs.enter(guest.domain, "usb-tablet", b"at 300 400\npress left\n")
    inputs.enter(guest.domain, "usb-keyboard", keys.press("q"))
    guest.console.feed(b"\n")
    frames = 0
    run = Frame.run

    def counted(self: Frame, number: int) -> None:
        nonlocal frames
        frames += 1
        run(self, number)

    monkeypatch.setattr(Frame, "run", counted)
    start = guest.hv.now_ns
    assert guest.hv.run(max_insns=15_000_000_000).stop == Stop.SHUTDOWN
    said = guest.console.text()
    assert "xenlab USB Tablet" in said and "xenlab USB Keyboard" in said
    assert hashlib.md5(CONTENTS[: 1 << 17]).hexdigest() in said and "written to the disk" in said
    # type, code and value of events: ABS_X 300, ABS_Y 400; BTN_LEFT; KEY_Q.
    for event in ("030000002c010000", "0300010090010000", "0100100101000000", "0100100001000000"):
        assert event in said
    assert frames < (guest.hv.now_ns - start) // 2_000_000  # idle milliseconds have none
