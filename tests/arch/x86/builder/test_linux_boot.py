"""`-kernel` over a BIOS: the items, the boot ROM, and the ROM's code in an emulator with our fw_cfg device."""

import struct
from typing import Any

import capstone
import pytest
import unicorn
from unicorn import x86_const as x86

from hv.arch.x86.builder.boot_rom import CMDLINE, CODE_AT, LINUX, LOADER, MULTIBOOT, ROM_FILE, SETUP, Listing, boot_rom
from hv.arch.x86.builder.firmware_items import FirmwareMachine, disk_path, machine_items, rom_path
from hv.arch.x86.builder.linux_boot import KERNEL, linux_items
from hv.builder.image import BuilderError
from hv.devices.fw_cfg import ITEMS, FwCfg
from tests.devices.machine import TestMachine

LOW_END = 64 << 20


def kernel(protocol: int = 0x20F, sectors: int = 4, body: bytes = b"KERNEL" * 1000, flags: int = 1) -> bytes:
    """A bzImage with nothing in it."""
    image = bytearray((sectors + 1) * 512)
    image[0x1F1], image[0x211] = sectors, flags
    image[0x1FE:0x200], image[0x202:0x206] = b"\x55\xaa", b"HdrS"
    struct.pack_into("<H", image, 0x206, protocol)
    struct.pack_into("<I", image, 0x22C, 0x7FFFFFFF)
    struct.pack_into("<I", image, 0x238, 2047)
    struct.pack_into("<QI", image, 0x258, 0x1000000, 0x800000)
    return bytes(image) + body


def number(items: dict[str, bytes], name: str) -> int:
    return int.from_bytes(items[name], "little")


def test_items() -> None:
    items = linux_items("k", kernel(), cmdline="quiet", ramdisk=b"R" * 5000, low_end=LOW_END)
    assert [number(items, f"{part}_addr") for part in ("setup", "kernel", "cmdline")] == [SETUP, KERNEL, CMDLINE]
    assert items["kernel_data"] == b"KERNEL" * 1000 and items["cmdline_data"] == b"quiet\0"
    assert all(number(items, f"{part}_size") == len(items[f"{part}_data"])
               for part in ("setup", "kernel", "cmdline", "initrd"))  # fmt: skip
    setup, ramdisk_at = items["setup_data"], number(items, "initrd_addr")
    assert struct.unpack_from("<II", setup, 0x218) == (ramdisk_at, 5000)
    assert ramdisk_at % 4096 == 0 and ramdisk_at + 5000 <= LOW_END - (4 << 20)
    assert struct.unpack_from("<HHI", setup, 0x224) == (0xFE00, 0, CMDLINE)
    assert setup[0x210] == 0xB0 and setup[0x211] == 0x81


@pytest.mark.parametrize(("cmdline", "mode"), [
    ("quiet", 0xABCD), ("vga=0x315 quiet", 0x315), ("quiet vga=791", 791), ("vga=01425", 0x315), ("vga=ask", 0xFFFD),
    ("vga=ext", 0xFFFE), ("vga=1 vga=normal", 0xFFFF), ("video=vga=1", 0xABCD),
])  # fmt: skip
def test_the_setup_code_is_told_the_video_mode(cmdline: str, mode: int) -> None:
    image = bytearray(kernel())
    struct.pack_into("<H", image, 0x1FA, 0xABCD)
    items = linux_items("k", bytes(image), cmdline=cmdline, low_end=LOW_END)
    assert struct.unpack_from("<H", items["setup_data"], 0x1FA) == (mode,)
    assert items["cmdline_data"] == cmdline.encode() + b"\0"


def test_a_ramdisk_stays_where_the_kernel_can_take_it() -> None:
    items = linux_items("k", kernel(protocol=0x202), ramdisk=b"R", low_end=0xE0000000)
    assert number(items, "initrd_addr") == 0x37FFF000


@pytest.mark.parametrize(("image", "options", "problem"), [
    (b"", {}, "no bzImage"), (b"\x7fELF" + bytes(4096), {}, "no bzImage"), (kernel(0x201), {}, "no bzImage"),
    (kernel(flags=0), {}, "no bzImage"), (kernel()[:2560], {}, "ends before its kernel"),
    (kernel(), {"cmdline": "x" * 2048}, "more than the kernel takes"),
    *((kernel(), {"cmdline": f"vga={mode}"}, "no video mode") for mode in ("", "x", "-1", "0x10000", "08")),
    (kernel(), {"ramdisk": bytes(60 << 20)}, "needs memory up to 0x1800000"),
    (kernel(), {"low_end": 16 << 20}, "needs memory up to"),
])  # fmt: skip
def test_what_cannot_be_booted(image: bytes, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(BuilderError, match=problem):
        linux_items("k", image, **({"low_end": LOW_END} | options))


@pytest.mark.parametrize("listing", [LINUX, MULTIBOOT])
def test_the_listing_is_what_the_bytes_mean(listing: Listing) -> None:
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_16)
    code = b"".join(bytes.fromhex(encoded) for encoded, _ in LOADER + listing)
    listed = [f"{one.mnemonic} {one.op_str}".strip() for one in decoder.disasm(code, CODE_AT)]
    assert listed == [text for _, text in LOADER + listing]


def test_the_rom_is_one() -> None:
    rom = boot_rom(b"Linux", LINUX)
    assert rom[:3] == b"\x55\xaa\x01" and len(rom) == 512 and sum(rom) & 0xFF == 0
    (header,) = struct.unpack_from("<H", rom, 0x1A)
    assert rom[header : header + 4] == b"$PnP" and sum(rom[header : header + 32]) & 0xFF == 0
    assert struct.unpack_from("<H", rom, header + 26) == (CODE_AT,)
    maker, product = struct.unpack_from("<HH", rom, header + 14)
    assert rom[maker:].startswith(b"xenlab\0") and rom[product:].startswith(b"Linux\0")


def test_the_rom_loads_everything_and_enters_the_setup_code() -> None:
    items = linux_items("k", kernel(), cmdline="quiet", ramdisk=b"RAMDISK", low_end=LOW_END)
    emulator = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_16)
    emulator.mem_map(0, LOW_END)
    machine = TestMachine()
    machine.dma_read = lambda address, length: bytes(emulator.mem_read(address, length))  # type: ignore[method-assign]
    machine.dma_write = emulator.mem_write  # type: ignore[method-assign]
    FwCfg(machine, items)
    emulator.hook_add(
        unicorn.UC_HOOK_INSN, lambda uc, port, size, value, _: machine.out(port, value, size),
        None, 1, 0, x86.UC_X86_INS_OUT,
    )  # fmt: skip
    emulator.mem_write(0xC8000, boot_rom(b"Linux", LINUX))
    emulator.mem_write(0x7C20, b"\xf4")
    emulator.reg_write(x86.UC_X86_REG_CS, 0xC800)
    emulator.reg_write(x86.UC_X86_REG_SS, 0)
    emulator.reg_write(x86.UC_X86_REG_SP, 0x7000)
    emulator.emu_start(0xC8000 + CODE_AT, SETUP + 0x200, count=10_000)
    assert emulator.reg_read(x86.UC_X86_REG_CS) == (SETUP >> 4) + 0x20
    assert emulator.reg_read(x86.UC_X86_REG_IP) == 0
    segments = (x86.UC_X86_REG_DS, x86.UC_X86_REG_ES, x86.UC_X86_REG_FS, x86.UC_X86_REG_GS, x86.UC_X86_REG_SS)
    assert {emulator.reg_read(one) for one in segments} == {SETUP >> 4}
    assert emulator.reg_read(x86.UC_X86_REG_ESP) == CMDLINE - SETUP - 16
    for part in ("setup", "kernel", "initrd", "cmdline"):
        data = items[f"{part}_data"]
        assert bytes(emulator.mem_read(number(items, f"{part}_addr"), len(data))) == data, part


def test_items_of_a_machine() -> None:
    contents = machine_items(
        FirmwareMachine(vcpus=4, memory=512 << 20), boot=[rom_path(ROM_FILE), disk_path(1, 0)], only_listed=True
    )
    order = b"/rom@genroms/kernel.bin\n/pci@i0cf8/ide@1,1/drive@1/disk@0\nHALT\0"
    assert contents["bootorder"] == order
    assert [number(contents, name) for name in ("nb_cpus", "max_cpus", "ram_size")] == [4, 7, 512 << 20]
    assert {name for name in contents if name not in ITEMS} == {
        "bootorder", "etc/acpi/rsdp", "etc/acpi/tables", "etc/boot-fail-wait", "etc/boot-menu-wait", "etc/e820",
        "etc/smbios/smbios-anchor", "etc/smbios/smbios-tables", "etc/system-states", "etc/table-loader",
    }  # fmt: skip
    assert "bootorder" not in machine_items(FirmwareMachine(1, 64 << 20))
