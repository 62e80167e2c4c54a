"""Debian's way to its root file system: an initramfs loads the disk's driver and hands over to /init on the disk."""

from pathlib import Path

from tests.real import initramfs, packages
from tests.real.disks import make_ext4
from tests.real.modules import load, modules

MIB = 32


def ramdisk(path: Path, device: str, *drivers: str, package: str, arch: str = "amd64") -> Path:
    """An initramfs that loads `drivers` and ext4, and hands over to /init on `device`; the file `path`."""
    found = modules(*drivers, "crc32c_generic", "ext4", package=package)
    commands = f"""{load(found)}
    mount -t ext4 {device} /root
    umount /sys /proc /dev
    exec switch_root /root /init
    """
    return initramfs.write(path, packages.busybox(arch), commands, found)


def root(path: Path, *drivers: str, package: str, commands: str = initramfs.SHELL, arch: str = "amd64") -> Path:
    """A root file system whose /init loads more drivers, runs `commands`, and powers off; the file `path`."""
    found = modules(*drivers, package=package)
    tell = "echo root is $(mount | grep -o '^/dev/[a-z]* on / type ext4')\n"
    program = initramfs.init(f"{load(found)}{tell}{commands}\nmount -o remount,ro /")
    files = {"bin/busybox": packages.busybox(arch).read_bytes(), "init": program, **found}
    return make_ext4(path, MIB, files, sorted(initramfs.FOLDERS))
