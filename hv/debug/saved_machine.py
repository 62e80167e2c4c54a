"""What a PC was made of, as plain data and back: PcMachine. Its firmware files are there by content, its disks' images
by name and digest (saved_disks); its networks' way out, sockets of the host's, is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hv.debug.fields import FieldError, flag, hexbytes, items, number, record, text
from hv.debug.shapes import one_of
from hv.devices.fw_cfg import LONGEST_NAME
from hv.devices.pc import MOST_DRIVES, PcDisk, PcMachine
from hv.devices.pc_usb import MOST_USB, USB_DEVICES
from hv.devices.pci import ROM_LARGEST
from hv.net.attach import CARDS
from hv.net.nat import NatConfig
from hv.net.options import NicOptions
from hv.toolstack.launch import MOST_NICS

if TYPE_CHECKING:
    from collections.abc import Callable

    from hv.debug.container import Blobs
    from hv.debug.saved_disks import Images
    from hv.disk.image import Image

MOST_ITEMS = 24
LARGEST_VIDEO_BIOS = 1 << 16


def machine_plain(machine: PcMachine, images: Images, blobs: Blobs) -> dict[str, Any]:
    """A machine; OSError: an image cannot be read."""
    return {
        "vcpus": machine.vcpus,
        "memory": machine.memory,
        "disks": [
            [
                None if disk.image is None else images.add(disk.image, cdrom=disk.cdrom),
                disk.read_only, disk.cdrom, disk.usb,
            ]
            for disk in machine.disks
        ],
        "nics": [nic_plain(nic) for nic in machine.nics],
        "usb": list(machine.usb),
        "boot": machine.boot,
        "kernel": machine.kernel,
        "vga": machine.vga,
        "serial_console": machine.serial_console,
        "video_bios": blobs.add(machine.video_bios),
        "items": [[name, blobs.add(data)] for name, data in machine.items],
        "nic_roms": [blobs.add(rom) for rom in machine.nic_roms],
        "xen_platform": machine.xen_platform,
    }  # fmt: skip


def nic_plain(nic: NicOptions) -> list[Any]:
    """A network card's options, without what is to be done outside of the machine."""
    told = nic.nat
    return [
        nic.switch, nic.model, None if nic.mac is None else nic.mac.hex(), told.outside, told.files, told.bootfile,
    ]  # fmt: skip


def nic_from(data: Any, models: tuple[str, ...]) -> NicOptions:
    """The reverse: a card whose NAT has no way out. FieldError."""
    switch, model, mac, outside, files, bootfile = items(data, "a network card", 6, 6)
    if model not in models:
        raise FieldError("there is no such network card")
    address = None if mac is None else hexbytes(mac, "address of a network card", exactly=6)
    told = NatConfig(
        flag(outside, "a network card"), flag(files, "a network card"), text(bootfile, "a network card", 4096)
    )
    return NicOptions(text(switch, "a switch", 255), model, address, bootfile=told.bootfile, told=told)


def machine_from(data: Any, images: list[Image], read: Callable[[int], bytes], left: int) -> tuple[PcMachine, int]:
    """A machine, and how many of `left` bytes of blobs are not its own; `read` gives them. FieldError."""
    vcpus, memory, disks, nics, usb, boot, kernel, vga, serial, video, others, roms, xen = record(
        data, "a machine", "vcpus", "memory", "disks", "nics", "usb", "boot", "kernel", "vga", "serial_console",
        "video_bios", "items", "nic_roms", "xen_platform",
    )  # fmt: skip
    blobs = _Reader(read, left)
    number(memory, "memory of a machine", 1 << 44, 1 << 20)
    if text(boot, "boot order", 16).strip("cdn"):
        raise FieldError("there is no such boot order")
    made = PcMachine(
        number(vcpus, "processors of a machine", 64, 1), memory,
        _disks_from(disks, images),
        tuple(nic_from(entry, ("", *CARDS)) for entry in items(nics, "cards of a machine", MOST_NICS)),
        usb_from(usb), boot, blobs.take(video, LARGEST_VIDEO_BIOS),
        tuple(_item_from(entry, blobs) for entry in items(others, "items of the firmware", MOST_ITEMS)),
        flag(kernel, "a machine"), flag(vga, "a machine"), flag(serial, "a machine"),
        tuple(blobs.take(length, ROM_LARGEST) for length in items(roms, "expansion ROMs", MOST_NICS)),
        flag(xen, "a machine"),
    )  # fmt: skip
    if len(made.usb) + sum(disk.usb for disk in made.disks) > MOST_USB:
        raise FieldError("a machine has more on its USB than there is room for")
    return made, blobs.left


def usb_from(data: Any) -> tuple[str, ...]:
    """What is on a USB beside disks. FieldError."""
    names = tuple(one_of(*USB_DEVICES)(entry, "a USB device") for entry in items(data, "USB devices", len(USB_DEVICES)))
    if len(set(names)) < len(names):
        raise FieldError("a USB device is there twice")
    return names


class _Reader:
    def __init__(self, read: Callable[[int], bytes], left: int) -> None:
        self._read = read
        self.left = left

    def take(self, length: Any, limit: int) -> bytes:
        data = self._read(number(length, "length of a firmware file", min(limit, self.left)))
        self.left -= len(data)
        return data


def _disks_from(data: Any, images: list[Image]) -> tuple[PcDisk, ...]:
    disks = tuple(_disk_from(entry, images) for entry in items(data, "disks of a machine", MOST_DRIVES + MOST_USB))
    if sum(not disk.usb for disk in disks) > MOST_DRIVES:
        raise FieldError("a machine has more drives than there is room for")
    return disks


def _disk_from(data: Any, images: list[Image]) -> PcDisk:
    image, read_only, cdrom, usb = items(data, "a disk", 4, 4)
    found = None if image is None else images[number(image, "image of a disk", len(images) - 1)]
    disk = PcDisk(found, flag(read_only, "a disk"), flag(cdrom, "a disk"), flag(usb, "a disk"))
    if (found is None and not disk.cdrom) or (disk.cdrom and disk.usb):
        raise FieldError("there is no such disk")
    return disk


def _item_from(data: Any, blobs: _Reader) -> tuple[str, bytes]:
    name, length = items(data, "an item of the firmware", 2, 2)
    if not text(name, "an item of the firmware", LONGEST_NAME).isascii():
        raise FieldError("an item of the firmware has no name")
    return name, blobs.take(length, 1 << 40)
