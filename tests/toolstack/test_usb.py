"""`--usb`, `--disk FILE,bus=usb`, and where a VNC client's pointer and keys go."""

from pathlib import Path
from typing import cast

import pytest

from hv.arch.x86.builder.pc import firmware_items
from hv.builder.image import BuilderError
from hv.devices.pc import PcDisk, PcMachine
from hv.devices.pc_usb import MOST_USB
from hv.devices.uhci import Uhci
from hv.devices.usb import UsbDevice
from hv.disk.opening import open_image
from hv.toolstack.devices import DiskOptions, parse_disk, parse_usb
from hv.toolstack.launch import Guest, GuestConfig, launch
from hv.toolstack.vnc.gate import GateInputs
from hv.toolstack.vnc.inputs import LEFT, Pointer


def image(folder: Path) -> Path:
    (folder / "disk").write_bytes(bytes(4096))
    return folder / "disk"


def pc(folder: Path, disks: int = 0, usb: tuple[str, ...] = ()) -> Guest:
    """A PC whose firmware does nothing."""
    firmware = folder / "firmware"
    firmware.write_bytes(bytes(65536))
    options = (DiskOptions(str(image(folder)), bus="usb"),) * disks
    return launch(None, GuestConfig(kind="hvm", memory_mib=8, firmware=firmware, disks=options, usb=usb))


def test_texts() -> None:
    assert parse_disk("a.img,bus=usb").bus == "usb"
    assert parse_usb("tablet") == ("tablet",) and parse_usb("keyboard,tablet") == ("keyboard", "tablet")
    for wrong in ("", "mouse", "tablet,tablet", "tablet,"):
        with pytest.raises(ValueError, match="remedy: one or more of tablet, keyboard"):
            parse_usb(wrong)


def test_two_devices_for_each_controller(tmp_path: Path) -> None:
    guest = pc(tmp_path, 3, ("tablet", "keyboard"))
    controllers = [device for device in guest.domain.platform.devices.values() if isinstance(device, Uhci)]
    assert [(one.name, one.function) for one in controllers] == [("uhci", 2), ("uhci1", 4), ("uhci2", 5)]
    assert [[None if device is None else device.name for device in one.devices] for one in controllers] == [
        ["usb-tablet", "usb-keyboard"], ["usb-disk0", "usb-disk1"], ["usb-disk2", None]]  # fmt: skip


def test_without_devices_there_is_no_controller(tmp_path: Path) -> None:
    assert "uhci" not in pc(tmp_path).domain.services


def test_too_many(tmp_path: Path) -> None:
    with pytest.raises(BuilderError, match=f"11 USB devices; there is room for {MOST_USB}: give fewer"):
        pc(tmp_path, 10, ("tablet",))


def test_firmware_is_told_where_to_boot_from(tmp_path: Path) -> None:
    disk = PcDisk(open_image(str(image(tmp_path))), usb=True)
    items = firmware_items(PcMachine(1, 8 << 20, (disk, disk), usb=("tablet",)))
    order = b"/pci@i0cf8/usb@1,2/storage@2/*@0/*@0,0\n/pci@i0cf8/usb@1,4/storage@1/*@0/*@0,0"
    assert items["bootorder"] == order + b"\0"


def test_usb_comes_first_once_a_driver_has_taken_it(tmp_path: Path) -> None:
    domain = pc(tmp_path, usb=("tablet", "keyboard")).domain
    inputs = GateInputs(domain)
    event = Pointer(100, 50, 201, 101, 3, 4, LEFT, 0)
    for configured in (0, 1):
        for name in ("usb-tablet", "usb-keyboard"):
            cast(UsbDevice, domain.services[name]).state.configuration = configured
        inputs.key("a", True)
        inputs.pointer(event)
        inputs.pointer(event._replace(buttons=0))
    entered = [(entry.service, entry.data.decode().split("\n")[:2]) for entry in domain.hv.inputs]
    assert entered == [
        ("keyboard", ["press a", ""]), ("mouse", ["move 3 4", "press left"]), ("mouse", ["move 3 4", "release left"]),
        ("usb-keyboard", ["press a", ""]), ("usb-tablet", ["at 16383 16383", "press left"]),
        ("usb-tablet", ["at 16383 16383", "release left"]),
    ]  # fmt: skip


def test_a_domain_that_is_no_pc(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hv.cli.main import main
    from hv.testing.build import build_guest, find_guest

    kernel = str(build_guest(find_guest("hello")))
    assert main(["run", kernel, "--usb", "tablet"]) == 2
    assert "only an HVM domain has a USB" in capsys.readouterr().err
    (tmp_path / "disk").write_bytes(bytes(512))
    assert main(["run", kernel, "--disk", f"{tmp_path}/disk,bus=usb"]) == 2
    assert "only an HVM domain has a USB" in capsys.readouterr().err
