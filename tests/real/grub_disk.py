"""A disk image with GRUB installed, made without root: boot.img in its first sector, a core image in the gap behind it,
and a partition with an ext4 file system.

Source: GRUB's manual, "BIOS installation"; UEFI Specification 2.10, 5.2.1, for the partition table.
"""

import shutil
import struct
import subprocess
from pathlib import Path

from tests.real import packages
from tests.real.disks import make_ext4

SECTOR = 512
CODE_END = 440
"""Of boot.img's sector; the disk's signature and the partition table follow."""
FIRST_SECTOR = 2048
"""Of the partition; the core image lies in the gap before it."""
LINUX = 0x83
MODULES = ("biosdisk", "part_msdos", "ext2", "normal", "linux", "echo", "halt", "reboot")


def grub_image(folder: Path) -> bytes:
    """A core image that finds its menu in the first partition of the first disk. grub-mkimage is the host's; the one in
    the package needs libraries that a bare machine may not have."""
    modules = packages.package("grub-pc-bin") / "usr" / "lib" / "grub" / "i386-pc"
    tool = shutil.which("grub-mkimage") or packages.package("grub-common") / "usr" / "bin" / "grub-mkimage"
    command = [tool, "-d", modules, "-O", "i386-pc", "-o", folder / "core.img", "-p", "(hd0,msdos1)/", *MODULES]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return (folder / "core.img").read_bytes()


def grub_disk(folder: Path, mib: int, files: dict[str, bytes]) -> Path:
    """A disk whose partition of `mib` MiB holds `files`, among them grub.cfg."""
    boot = (packages.package("grub-pc-bin") / "usr" / "lib" / "grub" / "i386-pc" / "boot.img").read_bytes()
    core = grub_image(folder)
    assert len(core) <= (FIRST_SECTOR - 1) * SECTOR
    partition = struct.pack("<B3xB3xII", 0x80, LINUX, FIRST_SECTOR, (mib << 20) // SECTOR)
    head = boot[:CODE_END].ljust(446, b"\0") + partition.ljust(64, b"\0") + b"\x55\xaa"
    disk = folder / "disk.img"
    with disk.open("wb") as out:
        out.write((head + core).ljust(FIRST_SECTOR * SECTOR, b"\0"))
        out.write(make_ext4(folder / "partition.img", mib, files).read_bytes())
    return disk
