"""The USB of a PC: controllers, and what is plugged in there. A PC without does not import it.

Devices come in the order of PcMachine.usb, disks behind them; each controller has PORTS of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.devices.uhci import PORTS, Uhci
from hv.devices.usb_keyboard import UsbKeyboard
from hv.devices.usb_storage import UsbStorage
from hv.devices.usb_tablet import UsbTablet
from hv.disk.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from hv.devices.device import Machine
    from hv.devices.pc import PcMachine
    from hv.devices.platform import Platform
    from hv.devices.usb import UsbDevice

USB_FUNCTIONS = (2, 4, 5, 6, 7)
"""Functions of slot 1 that are USB controllers, as many as are needed; PIIX3 has the first."""
MOST_USB = PORTS * len(USB_FUNCTIONS)
USB_DEVICES: dict[str, Callable[[Machine], UsbDevice]] = {"tablet": UsbTablet, "keyboard": UsbKeyboard}
"""What can be plugged in beside disks."""


def add_usb(platform: Platform, machine: PcMachine) -> None:
    """Controllers for what is to be plugged in; without anything there is none. ValueError: more than MOST_USB."""
    devices: list[UsbDevice] = [USB_DEVICES[name](platform) for name in machine.usb]
    for number, disk in enumerate(disk for disk in machine.disks if disk.usb):
        assert disk.image is not None
        devices.append(UsbStorage(platform, Disk(disk.image, disk.read_only), number))
    if len(devices) > MOST_USB:
        raise ValueError(f"{len(devices)} USB devices; there is room for {MOST_USB}")
    for device in devices:
        platform.add(device)
    for number, first in enumerate(range(0, len(devices), PORTS)):
        name = f"uhci{number or ''}"
        platform.add_pci(Uhci(platform, devices[first : first + PORTS], name, function=USB_FUNCTIONS[number]))


def usb_disk_places(machine: PcMachine) -> list[tuple[int, int]]:
    """Of each disk the port, counted from 0, and the function of the PCI device that its controller is."""
    first = len(machine.usb)
    places = range(first, first + sum(disk.usb for disk in machine.disks))
    return [(place % PORTS, USB_FUNCTIONS[place // PORTS]) for place in places]
