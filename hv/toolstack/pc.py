"""A guest under full virtualisation: firmware found or given, a kernel put in the firmware's hands, disks opened."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hv.arch import architecture
from hv.builder.image import BuilderError, KernelImage
from hv.builder.load import load_kernel, read_file
from hv.devices.pc import MOST_DRIVES, PcDisk, PcMachine
from hv.net.options import PV_MODEL
from hv.toolstack.restart import origin_of, remember

if TYPE_CHECKING:
    from hv.domain import Domain
    from hv.net.options import NicOptions
    from hv.toolstack.launch import GuestConfig

FOLDERS = ("/usr/share/seabios", "/usr/share/qemu", "/usr/local/share/seabios")
"""Where distributions put SeaBIOS."""
FOLDERS_VARIABLE = "XENLAB_FIRMWARE"
"""Environment variable: further folders, before these, as PATH has them; for the cards' option ROMs too."""
FIRMWARE, VIDEO_BIOS = "bios-256k.bin", "vgabios-stdvga.bin"


def find_firmware(name: str) -> Path | None:
    """A file of SeaBIOS's, where it is installed."""
    return next((path for folder in (*_own_folders(), *map(Path, FOLDERS)) if (path := folder / name).is_file()), None)


def _own_folders() -> list[Path]:
    return [Path(folder) for folder in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if folder]


def firmware_of(config: GuestConfig) -> Path | None:
    """The BIOS image of a PC: the one that was asked for, or SeaBIOS where it is installed."""
    return Path(config.firmware) if config.firmware is not None else find_firmware(FIRMWARE)


def find_video_bios(firmware: str | Path) -> Path | None:
    """The video BIOS that goes with a BIOS image: the one beside it, or where SeaBIOS is installed."""
    beside = Path(firmware).with_name(VIDEO_BIOS)
    return beside if beside.is_file() else find_firmware(VIDEO_BIOS)


def start_hvm(domain: Domain, config: GuestConfig, kernel: str | Path | None) -> Callable[[], KernelImage]:
    """Build a PC in the empty `domain` and switch it on. What reads the kernel's image, for symbols. BuilderError."""
    firmware = firmware_of(config)
    if firmware is None:
        problem = f"there is no {FIRMWARE} in {', '.join(FOLDERS)}"
        raise BuilderError("--firmware", problem, "install the package seabios, or give a BIOS image")
    video = find_video_bios(firmware)
    cards = tuple(nic for nic in config.nics if nic.model != PV_MODEL)
    data = read_file(firmware, "firmware")
    machine = PcMachine(
        config.vcpus, config.memory_mib << 20, _drives(config), cards, config.usb, config.boot or "cdn",
        video.read_bytes() if video is not None and config.vga else b"", vga=config.vga,
        serial_console=config.serial_console, nic_roms=_nic_roms(cards, config.boot), xen_platform=config.xen_platform,
    )  # fmt: skip
    arch = architecture(domain.abi, "firmware")
    symbols: bool = arch.power_on(
        domain, machine, data, str(firmware), arch.Given(kernel, config.cmdline, config.ramdisk)
    )  # fmt: skip
    remember(domain, origin_of(config._replace(firmware=firmware), "hvm", firmware=data))
    return functools.partial(_symbols, domain.abi, firmware if kernel is None and symbols else kernel)


def _drives(config: GuestConfig) -> tuple[PcDisk, ...]:
    from hv.disk.image import ImageError
    from hv.disk.opening import open_cd, open_image

    drives = list(config.drives)
    for disk in config.disks:
        if disk.bus == "xvd":
            continue
        try:
            image = open_cd(disk.path) if disk.cdrom else open_image(disk.path, disk.format)
        except ImageError as error:
            raise BuilderError("--cdrom" if disk.cdrom else "--disk", *str(error).rsplit("; ", 1)) from None
        drives.append(PcDisk(image, disk.read_only, disk.cdrom, disk.bus == "usb"))
    on_usb = sum(drive.usb for drive in drives)
    if len(drives) - on_usb > MOST_DRIVES:
        remedy = f"an IDE controller has {MOST_DRIVES}: give the others bus=xvd or bus=usb"
        raise BuilderError("--disk", f"{len(drives) - on_usb} drives", remedy)
    on_usb += len(config.usb)
    if on_usb:
        from hv.devices.pc_usb import MOST_USB

        if on_usb > MOST_USB:
            raise BuilderError("--disk", f"{on_usb} USB devices", f"there is room for {MOST_USB}: give fewer")
    return tuple(drives)


def _nic_roms(nics: tuple[NicOptions, ...], boot: str) -> tuple[bytes, ...]:
    """What the cards boot from the network with, where iPXE is installed; boot: the order that was asked for, if any.
    BuilderError: it names the network, and no card can boot from there."""
    if not nics:
        if boot == "n":
            raise BuilderError("--boot n", "the PC has no network card", "give it one, as --nic user")
        return ()
    from hv.net.attach import DEFAULT_CARD
    from hv.net.roms import INSTALLED, KINDS, find_rom

    models = [nic.model or DEFAULT_CARD for nic in nics]
    roms = tuple(find_rom(model, _own_folders()) or b"" for model in models)
    if "n" in boot and not any(roms):
        problem = f"there is no {KINDS[0]}-{models[0]}.rom in {', '.join(INSTALLED)}"
        remedy = f"install the package ipxe-qemu, or name a folder in {FOLDERS_VARIABLE}"
        raise BuilderError("--boot n", problem, remedy)
    return roms


def _symbols(abi: str, kernel: str | Path | None) -> KernelImage:
    """What the debugger takes symbols from; a kernel that only firmware can read has none."""
    none = KernelImage("firmware", architecture(abi, "boot").MACHINES[0], 64, 0, (), None, "firmware", (), "")
    try:
        return none if kernel is None else load_kernel(kernel)
    except BuilderError:
        return none
