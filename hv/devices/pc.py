"""What a PC has, as data: one description, of which its devices are put together.

    machine = PcMachine(vcpus=1, memory=256 << 20, disks=(PcDisk(open_image("disk.img")),))

It is immutable, so that a fork, or a domain out of a snapshot, gets the same machine (Domain.machine).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hv.disk.image import Image
    from hv.net.options import NicOptions

MOST_DRIVES = 4
"""On its IDE controller."""


class PcDisk(NamedTuple):
    """A drive on the IDE controller, in order of channel and place there, or a disk on the USB. image: None for a
    CD-ROM drive without a disc."""

    image: Image | None
    read_only: bool = False
    cdrom: bool = False
    usb: bool = False


class PcMachine(NamedTuple):
    """A PC. memory: in bytes. usb: what is plugged in beside disks, keys of hv.devices.pc_usb.USB_DEVICES. boot: the
    order, of c (disk), d (CD-ROM) and n (network). items: more files and items for the firmware (`kernel` says that
    they boot one). vga: it has a screen. serial_console: the first serial port leads to the console,
    else to whoever takes its `sink`. nic_roms: expansion ROMs of the network cards, in the same order; those that are
    missing or empty are none. xen_platform: it has the Xen platform device, by which guests unplug disks and cards."""

    vcpus: int
    memory: int
    disks: tuple[PcDisk, ...] = ()
    nics: tuple[NicOptions, ...] = ()
    usb: tuple[str, ...] = ()
    boot: str = "cdn"
    video_bios: bytes = b""
    items: tuple[tuple[str, bytes], ...] = ()
    kernel: bool = False
    vga: bool = True
    serial_console: bool = True
    nic_roms: tuple[bytes, ...] = ()
    xen_platform: bool = True

    @property
    def has_usb(self) -> bool:
        """Whether anything is on its USB."""
        return bool(self.usb) or any(disk.usb for disk in self.disks)


def ide_disks(machine: PcMachine) -> list[PcDisk]:
    """The drives on the IDE controller, by number."""
    return [disk for disk in machine.disks if not disk.usb]
