"""The disks and network cards of a PC as PV devices: what a guest drives once it has unplugged the emulated ones.

As Xen's toolstack gives them to a guest, both are there from the beginning, and are one disk (hda), or one place in the
network with one address. There is one owner of each: what is written to the disk is the IDE drive's, the cable is the
card's. The PV device waits (Initialising) until its twin was unplugged by Xen's protocol (hv/devices/xen_platform.py);
a reset of the machine plugs all twins in again, and PV devices begin anew. So there is one way to a disk at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hv.devices.pc import ide_disks
from hv.toolstack.pv_specs import CardSpec, DriveSpec
from hv.xenstore.errors import StoreError
from hv.xenstore.permissions import PRIVILEGED

if TYPE_CHECKING:
    from hv.backend.block import BlockBackend
    from hv.backend.net import NetBackend
    from hv.backend.xenbus import Bus, XenbusDevice
    from hv.devices.ide import Ide
    from hv.devices.nic import NicDevice
    from hv.devices.platform import Platform
    from hv.devices.xen_platform import XenPlatform
    from hv.domain import Domain
    from hv.net.port import Port
    from hv.xenstore.store import Store

PRODUCTS = {
    1: "xensource-windows", 2: "gplpv-windows", 3: "linux", 4: "xenserver-windows-v7.0+", 5: "xenserver-windows-v7.2+",
    0xFFFF: "experimental",
}  # fmt: skip
"""Names of guests' drivers in the blacklist. Source: xen/include/public/hvm/pvdrivers.h."""
BLACKLIST = "/mh/driver-blacklist"
"""In xenstore: a node PRODUCT/BUILD below it has those drivers leave emulated devices alone."""


def platform_device(domain: Domain) -> XenPlatform | None:
    """The domain's Xen platform device; None: it has none."""
    platform = domain.platform
    return None if platform is None else cast("XenPlatform | None", platform.devices.get("xen-platform"))


def blacklisted(store: Store, product: int, build: int) -> bool:
    """Whether the store says so of a guest's drivers."""
    name = PRODUCTS.get(product)
    if name is None:
        return False
    try:
        store.read(PRIVILEGED, f"{BLACKLIST}/{name}/{build}")
    except StoreError:
        return False
    return True


def specs(domain: Domain) -> list[DriveSpec | CardSpec]:
    """What a domain's PC has of devices that can be unplugged."""
    machine = domain.machine
    if machine is None or platform_device(domain) is None:
        return []
    drives = [DriveSpec(number) for number, disk in enumerate(ide_disks(machine)) if not disk.cdrom]
    return [*drives, *(CardSpec(number) for number in range(len(machine.nics)))]


def make_drive(bus: Bus, domain: Domain, spec: DriveSpec) -> BlockBackend:
    """A hard disk of the IDE controller as a PV disk."""
    from hv.backend.block import BlockBackend
    from hv.backend.names import ide_number

    drive = cast("Ide", _platform(domain).devices["ide"]).drives[spec.number]
    assert drive is not None and drive.disk is not None
    return BlockBackend(
        bus, domain, ide_number(spec.number), drive.disk, twin=lambda: bool(drive.state.present)
    )  # fmt: skip


def make_card(bus: Bus, domain: Domain, spec: CardSpec) -> NetBackend:
    """A network card as a PV interface."""
    from hv.backend.net import NetBackend

    pci, card = _platform(domain).bus, _card(domain, spec)
    return NetBackend(bus, domain, spec.number, twin=lambda: pci.present(card))


def take_cable(domain: Domain, spec: CardSpec, device: XenbusDevice) -> None:
    """Have the cable of a card lead to the card, or to its twin if it was unplugged."""
    from hv.net.attach import port_name

    port, card = cast("Port", _platform(domain).devices[port_name(spec.number)]), _card(domain, spec)
    port.plug(card if _platform(domain).bus.present(card) else cast("NetBackend", device))


def _platform(domain: Domain) -> Platform:
    return cast("Platform", domain.platform)


def _card(domain: Domain, spec: CardSpec) -> NicDevice:
    return cast("NicDevice", _platform(domain).devices[f"nic{spec.number}"])
