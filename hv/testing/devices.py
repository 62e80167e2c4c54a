"""The devices that a guest test's header comment asks for: those of a PC, or PV ones."""

from __future__ import annotations

from pathlib import Path

from hv.devices.atapi_replies import SECTOR as CD_BLOCK
from hv.devices.pc import PcDisk
from hv.disk.image import SECTOR
from hv.net.options import NicOptions
from hv.testing.disks import NumberedImage
from hv.testing.metadata import Metadata
from hv.toolstack.backends import attach_disk, attach_nic
from hv.toolstack.launch import Guest, GuestConfig, launch

USB_DISK_SECTORS = 64


def launch_tested(
    kernel: Path | None,
    config: GuestConfig,
    about: Metadata | None,
    *,
    loaded: bool = False,
    beside: Guest | None = None,
) -> Guest:
    """A guest with its devices; `loaded`: by a PC's firmware; `beside`: as launch() has it. ValueError: it asks for
    what its kind of domain has not; BuilderError, as launch()."""
    if about is None:
        return launch(kernel, config, beside=beside)
    if config.kind == "hvm":
        usb = tuple(name for name in about.usb if name != "disk")
        nics = (NicOptions(model=about.nic),) if about.nic else ()
        config = config._replace(drives=tuple(_drives(about)), nics=nics, usb=usb)
        return launch(*((kernel, config) if loaded else (None, config._replace(firmware=kernel))), beside=beside)
    if about.cdrom_blocks or about.usb:
        raise ValueError("only a PC has a CD-ROM drive or USB: leave @cdrom and @usb out, or this environment")
    guest = launch(kernel, config, beside=beside)
    if about.disk_sectors:
        attach_disk(guest.domain, NumberedImage(about.disk_sectors))
    if about.nic:
        attach_nic(guest.domain, NicOptions())
    return guest


def _drives(about: Metadata) -> list[PcDisk]:
    """Of a PC, in their order: a disk, a CD-ROM drive, a disk on the USB."""
    drives = []
    if about.disk_sectors:
        drives.append(PcDisk(NumberedImage(about.disk_sectors)))
    if about.cdrom_blocks:
        image = NumberedImage(about.cdrom_blocks * CD_BLOCK // SECTOR)
        drives.append(PcDisk(image, read_only=True, cdrom=True))
    if "disk" in about.usb:
        drives.append(PcDisk(NumberedImage(USB_DISK_SECTORS), usb=True))
    return drives
