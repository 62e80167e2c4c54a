"""What PV devices are made of, as data that never changes, and their first nodes in xenstore.

Nodes are those that Xen's toolstack writes (tools/libs/light/libxl_disk.c, libxl_nic.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hv.disk.image import Image
    from hv.domain import Domain
    from hv.net.options import NicOptions

Nodes = dict[str, object]


class DiskSpec(NamedTuple):
    """What a disk was made of. `number`: 0 is xvda. `limit`: bytes that the guest may write, None: hv.disk's own."""

    number: int
    image: Image
    read_only: bool = False
    cdrom: bool = False
    limit: int | None = None


class NicSpec(NamedTuple):
    """What a network interface was made of. `timer`: of the domain's timers, the one of its cable's other end."""

    number: int
    mac: bytes
    options: NicOptions
    timer: int


class DriveSpec(NamedTuple):
    """A hard disk on a PC's IDE controller, as a PV disk besides: `number` 0 is hda."""

    number: int


class CardSpec(NamedTuple):
    """A network card of a PC, as a PV interface besides, by its number."""

    number: int


Spec = DiskSpec | NicSpec | DriveSpec | CardSpec
DISKS = (DiskSpec, DriveSpec)
"""Kinds that share their numbers: Linux calls hda xvda."""
NICS = (NicSpec, CardSpec)


def nodes(domain: Domain, device: int, spec: Spec) -> tuple[Nodes, Nodes]:
    """Nodes of back and front end of the device of that virtual device number."""
    from hv.backend.names import disk_name, ide_name
    from hv.net.options import default_mac

    machine = domain.machine
    if isinstance(spec, DiskSpec):
        return _disk(device, spec.image, disk_name(spec.number), spec.read_only, spec.cdrom)
    if isinstance(spec, NicSpec):
        return _nic(spec.number, spec.mac, spec.options)
    assert machine is not None
    if isinstance(spec, DriveSpec):
        from hv.devices.pc import ide_disks

        disk = ide_disks(machine)[spec.number]
        assert disk.image is not None
        return _disk(device, disk.image, ide_name(spec.number), disk.read_only, False)
    options = machine.nics[spec.number]
    return _nic(spec.number, options.mac or default_mac(domain.name, spec.number), options)


def _nic(number: int, mac: bytes, options: NicOptions) -> tuple[Nodes, Nodes]:
    common: Nodes = {"handle": number, "mac": mac.hex(":")}
    return {**common, "bridge": options.switch or "nat", "type": "vif", "hotplug-status": "connected"}, common


def _disk(device: int, image: Image, name: str, read_only: bool, cdrom: bool) -> tuple[Nodes, Nodes]:
    kind = "cdrom" if cdrom else "disk"
    # The image by its plain name: where it lies on the host is none of the guest's business.
    plain = image.name.rpartition("/")[2]
    back: Nodes = {
        "params": f"{image.format}:{plain}",
        "type": "qdisk",
        "dev": name,
        "mode": "r" if read_only or cdrom else "w",
        "device-type": kind,
        "bootable": 1,
        "removable": int(cdrom),
        "discard-enable": 0,
        "hotplug-status": "connected",
    }
    return back, {"virtual-device": device, "device-type": kind}
