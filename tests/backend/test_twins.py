"""The disk and the card of a PC as PV devices: whose turn it is, through snapshots, forks and resets."""

from __future__ import annotations

import struct
from typing import cast

import pytest

from hv import abi
from hv.devices.ata_drive import DRQ
from hv.devices.ide import Ide
from hv.devices.pc import PcDisk
from hv.devices.platform import Platform
from hv.devices.xen_platform import BLACKLISTED, DISKS, MAGIC, NICS, PORT
from hv.disk.disk import Disk
from hv.domain import Domain
from hv.net.options import NicOptions
from hv.testing.build import build_guest, find_guest
from hv.toolstack.backends import attach_nic, backends_of
from hv.toolstack.launch import Guest, GuestConfig, launch
from hv.toolstack.twins import BLACKLIST
from tests.backend.frontend import BlockFront, NetFront, numbered
from tests.backend.test_backends import CONNECTED, INIT_WAIT, first_byte, written

INITIALISING = abi.XenbusStateInitialising
LAN = NicOptions(switch="lan", mac=bytes.fromhex("001600000001"))
FRAME = bytes.fromhex("001600000002 001600000001 0800") + bytes(50)


@pytest.fixture
def pc() -> Guest:
    firmware = build_guest(find_guest("hvm_op"), "hvm64")
    return launch(None, GuestConfig(
        kind="hvm", memory_mib=16, machine_mib=64, firmware=firmware, drives=(PcDisk(numbered()),), nics=(LAN,)
    ))  # fmt: skip


def platform(domain: Domain) -> Platform:
    return cast(Platform, domain.platform)


def image_of(domain: Domain) -> Disk:
    """What is in the first IDE drive."""
    drive = cast(Ide, platform(domain).devices["ide"]).drives[0]
    assert drive is not None and drive.disk is not None
    return drive.disk


def unplug(domain: Domain, what: int) -> None:
    platform(domain).ports.write(PORT, 2, what)


def states(domain: Domain) -> list[int]:
    """Of disk and interface."""
    return [device.xenbus for device in backends_of(domain).devices.values()]


def block(domain: Domain) -> BlockFront:
    return BlockFront(domain, backends_of(domain).devices[f"vbd/{domain.domid}/768"])


def net(domain: Domain) -> NetFront:
    return NetFront(domain, backends_of(domain).devices[f"vif/{domain.domid}/0"])


def ide_status(domain: Domain) -> int:
    return platform(domain).ports.read(0x1F7, 1)


def test_a_front_end_comes_too_early_and_hears_of_it_in_time(pc: Guest) -> None:
    domain = pc.domain
    disk = block(domain)
    assert disk.connect() == INITIALISING and disk.device.link is None
    unplug(domain, NICS)
    assert states(domain) == [INITIALISING, INIT_WAIT]
    assert disk.state(abi.XenbusStateInitialising) == INITIALISING
    unplug(domain, DISKS)
    assert states(domain) == [INIT_WAIT] * 2
    assert disk.connect() == CONNECTED
    assert first_byte(disk, 9) == 9


def test_one_disk(pc: Guest) -> None:
    domain = pc.domain
    ports = platform(domain).ports
    for register, value in enumerate((1, 7, 0, 0, 0xE0, 0x30), 2):  # WRITE SECTORS, sector 7
        ports.write(0x1F0 + register, 1, value)
    pc.hv.run(until_ns=pc.hv.now_ns + 100_000)
    assert ide_status(domain) & DRQ
    unplug(domain, DISKS)  # in the middle of a command: nothing of it comes
    assert ide_status(domain) == 0
    before = pc.hv.snapshot()
    disk = block(domain)
    assert disk.connect() == CONNECTED, disk.error
    assert first_byte(disk, 7) == 7
    written(disk, 7, 0x77)
    image = image_of(domain)
    assert image.read(7, 1)[0] == 0x77 and image.overlay.count == 1
    assert backends_of(domain).save()[0][1][2] is None  # the drive keeps what was written, and nobody else
    pc.hv.restore(before)
    assert image.overlay.count == 0 and states(domain)[0] == INIT_WAIT


def test_snapshots_and_forks_over_unplugging(pc: Guest) -> None:
    domain = pc.domain
    plugged, first = pc.hv.snapshot(), pc.hv.state_hash
    unplug(domain, DISKS | NICS)
    disk, nic = block(domain), net(domain)
    assert disk.connect() == CONNECTED and nic.connect() == CONNECTED
    nic.post(4)
    written(disk, 3, 0x33)
    unplugged, second = pc.hv.snapshot(), pc.hv.state_hash
    port = domain.services["net0"]
    assert port.nic is nic.device
    pc.hv.restore(plugged)
    assert pc.hv.state_hash == first and states(domain) == [INITIALISING] * 2
    assert port.nic is domain.services["nic0"] and ide_status(domain) != 0
    child = pc.hv.fork()
    pc.hv.restore(unplugged)
    assert pc.hv.state_hash == second and port.nic is nic.device and ide_status(domain) == 0
    assert first_byte(disk, 3) == 0x33
    (other,) = child.domains.values()
    assert child.state_hash == first and states(other) == [INITIALISING] * 2
    unplug(other, DISKS)
    twin = block(other)
    assert twin.connect() == CONNECTED and first_byte(twin, 3) == 3


def test_one_cable(pc: Guest) -> None:
    domain = pc.domain
    far = launch(build_guest(find_guest("hello")), GuestConfig(memory_mib=8, name="far"), beside=pc)
    there = NetFront(far.domain, attach_nic(far.domain, NicOptions(switch="lan")))
    assert there.connect() == CONNECTED
    there.post(4)
    unplug(domain, NICS)
    here = net(domain)
    assert here.connect() == CONNECTED, here.error
    here.post(4)
    assert here.transmit(FRAME)[0][1] == abi.NETIF_RSP_OKAY
    there.transmit(FRAME[6:12] + FRAME[:6] + FRAME[12:])
    pc.hv.run(until_ns=pc.hv.now_ns + 50_000)
    assert there.received() == [FRAME] and here.received() == [FRAME[6:12] + FRAME[:6] + FRAME[12:]]
    platform(domain).reset()
    assert states(domain) == [INITIALISING] * 2
    assert domain.services["net0"].nic is domain.services["nic0"]
    there.transmit(FRAME[6:12] + FRAME[:6] + FRAME[12:])
    pc.hv.run(until_ns=pc.hv.now_ns + 50_000)
    assert here.received() == []


def test_a_reset_plugs_all_in_again(pc: Guest) -> None:
    domain = pc.domain
    unplug(domain, DISKS | NICS)
    disk = block(domain)
    assert disk.connect() == CONNECTED
    written(disk, 5, 0x55)
    platform(domain).reset()
    assert states(domain) == [INITIALISING] * 2 and disk.device.link is None and not domain.host_ports.get(disk.port)
    assert disk.get("state") == "1" and disk.get("sectors") == ""
    assert ide_status(domain) != 0 and image_of(domain).read(5, 1)[0] == 0x55


def test_the_blacklist_is_in_xenstore(pc: Guest) -> None:
    ports, store = platform(pc.domain).ports, backends_of(pc.domain).store
    store.write(0, f"{BLACKLIST}/linux/257", b"")
    for product, build, magic in ((3, 256, MAGIC), (3, 257, BLACKLISTED), (77, 257, MAGIC), (1, 257, MAGIC)):
        ports.write(PORT + 2, 2, product)
        ports.write(PORT, 4, build)
        assert ports.read(PORT, 2) == magic, struct.pack("<HI", product, build)
