"""The unmodified guests of the real tests: where their files lie. A failed download is a failure."""

from functools import cache
from pathlib import Path

from tests.real import initramfs
from tools.fetch_debian import TARGET, fetch


@cache
def package(name: str) -> Path:
    """Folder with the files of Debian package `name` (NAME or NAME:ARCHITECTURE). Raises FetchError."""
    return fetch([name])[name]


def kernel(name: str = "linux-image-amd64") -> Path:
    """The kernel image of a linux-image package."""
    (image,) = sorted((package(name) / "boot").glob("vmlinuz-*"))
    return image


def grub() -> Path:
    """GRUB as a 64-bit PV kernel."""
    return package("grub-xen-host") / "usr" / "lib" / "grub-xen" / "grub-x86_64-xen.bin"


def busybox(arch: str = "amd64") -> Path:
    """The static busybox binary."""
    return package("busybox-static" if arch == "amd64" else f"busybox-static:{arch}") / "bin" / "busybox"


def ramdisk(commands: str = initramfs.SHELL, name: str = "shell", arch: str = "amd64") -> Path:
    """An initramfs that runs `commands` and powers off; `name` tells several apart."""
    plain = name if arch == "amd64" else f"{name}-{arch}"
    return initramfs.write(TARGET / f"initramfs-{plain}.gz", busybox(arch), commands)
