"""What a recording says of a guest's devices: its disks with the files that they are of, its network cards, and the
firmware files of a PC by a digest of them all.
"""

from __future__ import annotations

import errno
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from hv.arch import kinds
from hv.debug.fields import FieldError, flag, items, text
from hv.toolstack.devices import BUSES, FORMATS, DiskOptions
from hv.toolstack.launch import MOST_NICS

if TYPE_CHECKING:
    from hv.debug.saved_disks import ImageFile
    from hv.devices.pc import PcMachine
    from hv.disk.image import Image
    from hv.net.options import NicOptions
    from hv.toolstack.launch import GuestConfig

MOST_DISKS = 64
MOST_CHOICES = 16
"""Of the machine: far more than any has."""


class DiskFacts(NamedTuple):
    """A disk as it was asked for, and the files of its image."""

    options: DiskOptions
    files: list[ImageFile]


def disk_facts(disks: tuple[DiskOptions, ...]) -> list[DiskFacts]:
    """The disks that a guest has. OSError: an image cannot be read."""
    if not disks:
        return []
    from hv.debug.saved_disks import files_of
    from hv.disk.image import ImageError
    from hv.disk.opening import open_cd, open_image

    found = []
    for options in disks:
        try:
            image: Image = open_cd(options.path) if options.cdrom else open_image(options.path, options.format)
        except ImageError as error:
            raise OSError(errno.EIO, str(error), options.path) from None
        try:
            found.append(DiskFacts(options, files_of(image)))
        finally:
            image.close()
    return found


def firmware_digest(machine: PcMachine | None) -> str:
    """SHA-256 of a PC's video BIOS, expansion ROMs and files for the firmware; empty: it is no PC."""
    if machine is None:
        return ""
    digest = hashlib.sha256()
    names = [("video", machine.video_bios), *machine.items, *(("rom", rom) for rom in machine.nic_roms)]
    for name, data in names:
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def config_plain(config: GuestConfig, disks: list[DiskFacts]) -> dict[str, Any]:
    """What there is of the devices in a configuration, for a recording."""
    nics: list[Any] = []
    if config.nics:
        from hv.debug.saved_machine import nic_plain

        nics = [nic_plain(nic) for nic in config.nics]
    return {
        "kind": config.kind,
        "boot": config.boot,
        "usb": list(config.usb),
        "vga": config.vga,
        "serial_console": config.serial_console,
        "xen_platform": config.xen_platform,
        "triple_fault": config.triple_fault,
        "forced_emulation": config.forced_emulation,
        "machine": [list(choice) for choice in config.machine],
        "disks": [
            [facts.options.format, facts.options.bus, facts.options.read_only, facts.options.cdrom,
             [list(file) for file in facts.files]]
            for facts in disks
        ],
        "nics": nics,
    }  # fmt: skip


def kind_from(data: Any, *, kernel: bool) -> str:
    """A kind of domain. FieldError: there is none such, or it needs a kernel and has none."""
    if data not in ("auto", *kinds()) or (not kernel and data in ("pv", "pvh")):
        raise FieldError("there is no such kind of domain")
    return str(data)


def machine_from(data: Any) -> tuple[tuple[str, str], ...]:
    """What a recording says of the machine's choices. FieldError."""
    found = [items(choice, "a choice of the machine's", 2, 2) for choice in items(data, "the machine", MOST_CHOICES)]
    return tuple((text(name, "a choice", 64), text(value, "a choice", 64)) for name, value in found)


def devices_from(disks: Any, nics: Any) -> tuple[list[DiskFacts], tuple[NicOptions, ...]]:
    """The disks and the network cards of a recording. FieldError."""
    found = [_disk_from(entry) for entry in items(disks, "disks", MOST_DISKS)]
    if not items(nics, "network cards", MOST_NICS):
        return found, ()
    from hv.debug.saved_machine import nic_from
    from hv.net.options import MODELS

    return found, tuple(nic_from(entry, ("", *MODELS)) for entry in nics)


def usb_names(data: Any) -> tuple[str, ...]:
    """What a recording says of the USB. FieldError."""
    if not items(data, "USB devices", MOST_DISKS):
        return ()
    from hv.debug.saved_machine import usb_from

    return usb_from(data)


def _disk_from(data: Any) -> DiskFacts:
    from hv.debug.saved_disks import image_file_from
    from hv.disk.opening import MAX_CHAIN

    format, bus, read_only, cdrom, files = items(data, "a disk", 5, 5)
    if format not in (None, *FORMATS) or bus not in ("", *BUSES):
        raise FieldError("there is no such format, or no such bus of disks")
    found = [image_file_from(entry) for entry in items(files, "a disk", MAX_CHAIN, 1)]
    path = text(found[0].path, "a disk", 4096)
    return DiskFacts(DiskOptions(path, format, bus, flag(read_only, "a disk"), flag(cdrom, "a disk")), found)
