"""SeaBIOS as Debian builds it, over our bridges and fw_cfg: it takes the tables and boots what it is told to.

Around them are the least that it needs of a PC: CMOS registers, the PM timer, a debug port.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from hv.arch.x86.builder import e820
from hv.arch.x86.builder.boot_rom import ROM_FILE
from hv.arch.x86.builder.firmware_items import FirmwareMachine, machine_items, rom_path
from hv.arch.x86.builder.hvm import build_hvm, start
from hv.arch.x86.builder.linux_boot import linux_items
from hv.devices.bus import Region
from hv.devices.fw_cfg import FwCfg
from hv.devices.i440fx import HostBridge
from hv.devices.pci_bus import PciBus
from hv.devices.piix3 import IsaBridge
from hv.devices.platform import Platform
from hv.hypervisor import Hypervisor
from hv.native import lib
from tests.arch.x86.builder.test_linux_boot import kernel
from tests.real import packages

pytestmark = pytest.mark.real

MEMORY_MIB, MIB = 64, 1 << 20
DEBUG_PORTS, PM_TIMER, PM_HZ = (0x402, 0xE9), 0x608, 3_579_545
QUANTUM = 9_973
"""Not a multiple of SeaBIOS's spin loop, which lets go of its lock for two of eight instructions."""
SETUP_CODE = bytes.fromhex(
    "be0000"      # mov si, 0
    "b80020"      # mov ax, 0x2000
    "8ed8"        # mov ds, ax: the command line
    "ba0204"      # mov dx, 0x402
    "ac"          # lodsb
    "84c0"        # test al, al
    "7403"        # jz +3
    "ee"          # out dx, al
    "ebf8"        # jmp lodsb
    "f4"          # hlt
    "ebfd"        # jmp hlt
)


class Board(Platform):
    """A main board with bridges, fw_cfg, and doubles for the rest."""

    def __init__(self, domain: Any, contents: dict[str, bytes], registers: dict[int, int]) -> None:
        super().__init__(domain)
        self.said = b""
        self.add(PciBus(self))
        for device in (HostBridge(self), IsaBridge(self, self.bus)):
            self.add_pci(device)
        self.add(FwCfg(self, contents))
        self._index, self._cmos = 0, registers
        self.ports.map(Region("cmos", 2, self._read_cmos, self._write_cmos), 0x70)
        self.ports.map(Region("timer", 4, lambda offset, size: self.now_ns * PM_HZ // 10**9 & 0xFFFFFF,
                              lambda offset, size, value: None, (4,)), PM_TIMER)  # fmt: skip
        for port in DEBUG_PORTS:
            self.ports.map(Region(f"debug {port:#x}", 1, lambda offset, size: 0xE9, self._say), port)

    def _read_cmos(self, offset: int, size: int) -> int:
        return self._cmos.get(self._index, 0) if offset else 0xFF

    def _write_cmos(self, offset: int, size: int, value: int) -> None:
        if offset:
            self._cmos[self._index] = value
        else:
            self._index = value & 0x7F

    def _say(self, offset: int, size: int, value: int) -> None:
        self.said += bytes([value])


def boot(vcpus: int = 1, boot_order: Sequence[str] = (), more: dict[str, bytes] | None = None) -> tuple[str, Board]:
    """Run SeaBIOS until nothing happens any more; what it said."""
    firmware = (packages.package("seabios") / "usr/share/seabios/bios-256k.bin").read_bytes()
    hv = Hypervisor(memory_mib=MEMORY_MIB + 16, quantum=QUANTUM)
    domain = hv.create_domain("pc", memory_mib=MEMORY_MIB, kind="hvm", vcpus=vcpus)
    built = build_hvm(domain, firmware)
    state = lib.hv_hvm_domain(hv.native, domain.c)
    state.has_pic = state.has_ioapic = 1
    machine = FirmwareMachine(vcpus, MEMORY_MIB * MIB)
    contents = machine_items(machine, boot=boot_order) | (more or {})
    registers = e820.cmos_registers(machine.memory, vcpus, machine.hole) | {0x0A: 0x26, 0x0B: 2, 0x0D: 0x80}
    board = Board(domain, contents, registers)
    board.reset()
    start(domain, built)
    hv.run(max_insns=100_000_000)
    return board.said.decode("latin-1"), board


@pytest.fixture(scope="module")
def plain() -> tuple[str, Board]:
    return boot()


@pytest.mark.parametrize("said", [
    "Running on QEMU (i440fx)", "Found QEMU fw_cfg", "DMA interface supported", "Found 2 PCI devices",
    "len 0x0000000003f00000 [RAM]", "elcr=00 0c", "Copying SMBIOS", "Copying MPTABLE", "ACPI: parse DSDT",
    "Found 1 cpu(s) max supported 1 cpu(s)", "0000000000100000 - 0000000003ffe000 = 1 RAM", "No bootable device",
])  # fmt: skip
def test_it_takes_what_it_is_told(plain: tuple[str, Board], said: str) -> None:
    assert said in plain[0]


def test_the_tables_lie_in_memory(plain: tuple[str, Board]) -> None:
    low = plain[1].dma_read(0xF0000, 0x10000)
    rsdp = low.index(b"RSD PTR ")
    assert sum(low[rsdp : rsdp + 36]) & 0xFF == 0
    xsdt = int.from_bytes(low[rsdp + 24 : rsdp + 32], "little")
    head = plain[1].dma_read(xsdt, 36)
    table = plain[1].dma_read(xsdt, int.from_bytes(head[4:8], "little"))
    assert table[:4] == b"XSDT" and sum(table) & 0xFF == 0
    listed = [plain[1].dma_read(int.from_bytes(table[at : at + 8], "little"), 4) for at in range(36, len(table), 8)]
    assert listed == [b"FACP", b"APIC", b"HPET"]
    entry = low.index(b"_SM_")
    assert sum(low[entry : entry + 31]) & 0xFF == 0 and low[entry + 16 : entry + 21] == b"_DMI_"


def test_it_routes_interrupts_as_the_bus_is_wired(plain: tuple[str, Board]) -> None:
    """Its $PIR table and PIRQRC registers against our wiring: slot 1, INTA# is the first link."""
    board = plain[1]
    low = board.dma_read(0xF0000, 0x10000)
    table = low.index(b"$PIR")
    end = table + int.from_bytes(low[table + 6 : table + 8], "little")
    slots = [low[at : at + 16] for at in range(table + 32, end, 16)]
    assert len(slots) == 6
    for slot in slots:
        links = [slot[2 + 3 * pin] - 0x60 for pin in range(4)]
        assert links == [board.bus.wiring.link(slot[1] >> 3, pin) for pin in (1, 2, 3, 4)]
    assert board.bus.router is not None and board.bus.router.link_interrupts() == (10, 10, 11, 11)


def test_all_processors_come_up() -> None:
    assert "Found 4 cpu(s) max supported 7 cpu(s)" in boot(vcpus=4)[0]


def test_a_kernel_is_booted_without_a_disk() -> None:
    """Our boot ROM loads it; its setup code writes the command line to the debug port."""
    image = bytearray(kernel())
    image[0x268 : 0x268 + len(SETUP_CODE)] = SETUP_CODE
    image[0x200:0x202] = b"\xeb\x66"
    text = "hello from the setup code"
    items = linux_items("k", bytes(image), cmdline=text, ramdisk=b"RAMDISK", low_end=MEMORY_MIB * MIB)
    said, board = boot(boot_order=[rom_path(ROM_FILE)], more=items)
    assert "Booting from ROM..." in said and said.endswith(text)
    assert board.dma_read(0x100000, 6) == b"KERNEL"
    assert board.dma_read(int.from_bytes(items["initrd_addr"], "little"), 7) == b"RAMDISK"
