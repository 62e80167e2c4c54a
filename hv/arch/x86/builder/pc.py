"""The PC that an HVM domain is: its devices, of one description (hv.devices.pc), and what its firmware is told of them.

    machine = PcMachine(vcpus=1, memory=256 << 20, disks=(PcDisk(open_image("disk.img")),))
    platform = make_pc(domain, machine)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.arch.x86.builder.boot_rom import ROM_FILE
from hv.arch.x86.builder.e820 import cmos_registers
from hv.arch.x86.builder.firmware_items import (
    FirmwareMachine,
    disk_path,
    machine_items,
    network_path,
    rom_path,
    usb_path,
)
from hv.arch.x86.builder.hvm import HvmDomain, build_hvm, start
from hv.devices.debug_ports import DebugConsole, PostCode
from hv.devices.fw_cfg import FwCfg
from hv.devices.hpet import Hpet
from hv.devices.i440fx import HostBridge
from hv.devices.i8042 import I8042
from hv.devices.ide import Ide
from hv.devices.pc import PcDisk, PcMachine, ide_disks
from hv.devices.pci_bus import PciBus
from hv.devices.piix3 import IsaBridge
from hv.devices.piix4_pm import Piix4Pm
from hv.devices.pit import Pit
from hv.devices.platform import Platform
from hv.devices.ps2_keyboard import Ps2Keyboard
from hv.devices.ps2_mouse import Ps2Mouse
from hv.devices.rtc import Rtc
from hv.devices.system_control import SystemControl
from hv.devices.uart import COM1, COM2, Uart
from hv.devices.vga import MEMORY_BYTES, Vga
from hv.devices.xen_platform import XenPlatform
from hv.native import lib

if TYPE_CHECKING:
    from hv.devices.ata_drive import Drive
    from hv.domain import Domain

FIRST_NIC_SLOT = 4


def make_pc(domain: Domain, machine: PcMachine) -> Platform:
    """Put the devices of `machine` around a domain's processors; they are to be reset before the guest runs.
    MemoryError: there is no room for video memory."""
    platform = Platform(domain)
    domain.machine = machine
    _equip(platform, machine)
    platform.add(PciBus(platform))
    platform.add_pci(HostBridge(platform))
    platform.add_pci(IsaBridge(platform, platform.bus))
    drives = [_drive(number, disk) for number, disk in enumerate(ide_disks(machine))]
    platform.add_pci(Ide(platform, drives))
    if machine.has_usb:
        from hv.devices.pc_usb import add_usb

        add_usb(platform, machine)
    platform.add_pci(Piix4Pm(platform))
    if machine.vga:
        platform.add_pci(Vga(platform, rom=machine.video_bios))
    _add_nics(platform, machine)
    if machine.xen_platform:  # behind what it unplugs: a reset of the machine comes to it last
        platform.add_pci(XenPlatform(platform, platform.bus))
    _add_legacy(platform, machine, int(domain.hv.state.wallclock_ns))
    platform.add(FwCfg(platform, firmware_items(machine)))
    return platform


def switch_on(domain: Domain, firmware: bytes, name: str) -> HvmDomain:
    """Build an empty domain again whose devices are there already, and switch it on. BuilderError; MemoryError:
    there is no room for video memory."""
    built = build_hvm(domain, firmware, name)
    _equip(domain.platform, domain.machine)
    domain.platform.reset()
    start(domain, built)
    return built


def _equip(platform: Platform, machine: PcMachine) -> None:
    """What of the machine lies in the arena and in frames."""
    state = lib.hv_hvm_domain(platform.domain.hv.native, platform.domain.c)
    state.has_pic = state.has_ioapic = 1
    if machine.vga and not state.video_frames:
        platform.take_video_memory(MEMORY_BYTES)


def firmware_items(machine: PcMachine) -> dict[str, bytes]:
    """What the firmware of the machine is told."""
    told = FirmwareMachine(machine.vcpus, machine.memory)
    return machine_items(told, boot=_boot_paths(machine)) | dict(machine.items)


def _drive(number: int, disk: PcDisk) -> Drive:
    from hv.devices.ata_disk import HardDisk
    from hv.devices.atapi import CdRom
    from hv.disk.disk import Disk

    serial = f"XL{number:05}"
    if disk.cdrom:
        return CdRom(None if disk.image is None else Disk(disk.image, read_only=True), serial=serial)
    assert disk.image is not None
    return HardDisk(Disk(disk.image, disk.read_only), serial=serial)


def _add_nics(platform: Platform, machine: PcMachine) -> None:
    from hv.net.attach import attach

    domain = platform.domain
    for number, options in enumerate(machine.nics):
        slot = FIRST_NIC_SLOT + number
        rom = machine.nic_roms[number] if number < len(machine.nic_roms) else b""
        attached = attach(
            platform, domain.hv.networks, options, domain=domain.name, number=number, slot=slot, rom=rom
        )  # fmt: skip
        platform.bus.add(attached.nic)


def _add_legacy(platform: Platform, machine: PcMachine, wallclock_ns: int) -> None:
    pit = Pit(platform)
    rtc = Rtc(platform, wallclock_ns, cmos_registers(machine.memory, machine.vcpus))
    control = SystemControl(platform)
    keyboard, mouse = Ps2Keyboard(platform), Ps2Mouse(platform)
    for device in (
        pit, rtc, Hpet(platform, (pit, rtc)),
        Uart(platform, "serial0", *COM1, None if machine.serial_console else _nowhere),
        Uart(platform, "serial1", *COM2, _nowhere),
        control, keyboard, mouse, I8042(platform, keyboard, mouse, control), PostCode(platform),
        DebugConsole(platform, "seabios", _nowhere), DebugConsole(platform, "bochs"),
        *(() if machine.xen_platform else (DebugConsole(platform, "xen"),)),
    ):  # fmt: skip
        platform.add(device)


def _nowhere(data: bytes) -> None:
    """Of ports that nobody reads: the firmware's own messages, the second serial port."""


def _boot_paths(machine: PcMachine) -> list[str]:
    """Device paths in the order of `boot`; a kernel comes before all."""
    numbered = list(enumerate(ide_disks(machine)))
    usb_disks: list[str] = []
    if machine.has_usb:
        from hv.devices.pc_usb import usb_disk_places

        usb_disks = [usb_path(port, function) for port, function in usb_disk_places(machine)]
    paths = {
        "c": [*(disk_path(n // 2, n % 2) for n, disk in numbered if not disk.cdrom), *usb_disks],
        "d": [disk_path(n // 2, n % 2) for n, disk in numbered if disk.cdrom],
        "n": [network_path(FIRST_NIC_SLOT + n) for n in range(len(machine.nics))],
    }
    first = [rom_path(ROM_FILE)] if machine.kernel else []
    return first + [path for letter in machine.boot for path in paths[letter]]
