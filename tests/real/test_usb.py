"""USB under unmodified software: SeaBIOS boots from a disk there, and types by a keyboard there."""

from pathlib import Path

import pytest

from hv.devices import keys
from hv.hypervisor import Stop
from hv.toolstack.devices import DiskOptions
from tests.real.screens import pc, text, wait
from tests.real.test_whole import HALT, boot_sector

pytestmark = pytest.mark.real

# Waits for a key by INT 16h, function 0, and prints its character.
ASK = bytes.fromhex("31c0 cd16 b40e bb0700 cd10".replace(" ", ""))


def test_seabios_boots_from_a_usb_disk_and_types_by_a_usb_keyboard(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(boot_sector(b"read from USB, typed ", ASK + HALT).ljust(1 << 20, b"\0"))
    guest = pc(memory_mib=32, disks=(DiskOptions(str(image), bus="usb"),), usb=("keyboard",))
    wait(guest, "read from USB, typed", 400_000_000)
    guest.hv.inputs.enter(guest.domain, "usb-keyboard", keys.chord("shift+q"))
    assert guest.hv.run(max_insns=500_000_000).stop == Stop.SHUTDOWN
    assert "read from USB, typed Q" in text(guest)
