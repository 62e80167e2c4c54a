"""Option ROMs for booting from the network: found on the host, never shipped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

INSTALLED = (
    "/usr/lib/ipxe/qemu", "/usr/share/qemu", "/usr/share/qemu-kvm", "/usr/share/ipxe/qemu", "/usr/share/ipxe",
)  # fmt: skip
"""Where distributions put iPXE's images for QEMU (Debian: package ipxe-qemu)."""
KINDS = ("pxe", "efi")
"""What their names begin with: for a BIOS alone, which is the smaller one; for BIOS and UEFI."""


def find_rom(model: str, folders: Iterable[Path] = ()) -> bytes | None:
    """The option ROM for a card ("e1000", "rtl8139"). folders: looked into before those of INSTALLED. None: there is
    none."""
    for folder in (*folders, *map(Path, INSTALLED)):
        for kind in KINDS:
            try:
                return (folder / f"{kind}-{model}.rom").read_bytes()
            except OSError:
                continue
    return None
