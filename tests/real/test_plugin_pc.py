"""The pytest plugin with a PC: SeaBIOS, a boot sector of our own on a disk, and what its screen shows."""

from pathlib import Path

import pytest

from hv.testing.plugin import Boot
from tests.real import packages

pytestmark = pytest.mark.real

TEXT = b"Hello from the disk"
# xor ax, ax; mov ds, ax; mov si, 7c15h; 1: lodsb; test al, al; jz 2; mov ah, 0eh; int 10h; jmp 1; 2: hlt; jmp 2
CODE = bytes.fromhex("31c0 8ed8 be157c ac 84c0 7406 b40e cd10 ebf5 f4 ebfd")


def test_a_boot_sector_is_seen(boot: Boot, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes((CODE + TEXT).ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    firmware = packages.package("seabios") / "usr" / "share" / "seabios" / "bios-256k.bin"
    dom = boot(type="hvm", disks=[f"{disk},ro"], firmware=firmware, memory=16).run(max_insns=60_000_000)
    assert dom.screen.text()[-1] == TEXT.decode()
    assert dom.screen.png().startswith(b"\x89PNG")
    assert dom.shutdown is None
