"""Option ROMs for booting from the network: found on the host or among fetched packages, never shipped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

INSTALLED = (
    "/usr/lib/ipxe/qemu", "/usr/share/qemu", "/usr/share/qemu-kvm", "/usr/share/ipxe/qemu", "/usr/share/ipxe",
)  # fmt: skip
"""Where distributions put iPXE's images for QEMU (Debian: package ipxe-qemu)."""
FETCHED = "ipxe-qemu/usr/lib/ipxe/qemu"
"""The same below a folder of fetched packages (tools/fetch_debian.py)."""


def find_rom(model: str, fetched: Iterable[Path] = ()) -> bytes | None:
    """The option ROM for a card ("e1000", "rtl8139"): the one for a BIOS alone rather than the larger one for BIOS and
    UEFI. fetched: folders of fetched packages, looked into first. None: there is none."""
    folders = [*(folder / FETCHED for folder in fetched), *map(Path, INSTALLED)]
    for folder in folders:
        for kind in ("pxe", "efi"):
            try:
                return (folder / f"{kind}-{model}.rom").read_bytes()
            except OSError:
                continue
    return None
