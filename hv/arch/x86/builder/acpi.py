"""The ACPI tables of an HVM or PVH domain: RSDP, RSDT, XSDT, FADT, FACS, MADT, HPET and DSDT.

    tables = acpi_tables(AcpiMachine(vcpus=4, memory=512 << 20))
    contents |= firmware_files(tables)                  # firmware puts them into memory: fw_cfg's table loader
    rsdp, data = placed(tables, e820.ACPI_TABLES)       # or the builder does: data lies there, the RSDP first

Addresses of registers are those that Xen gives an HVM domain (xen/include/public/hvm/ioreq.h, tools/libacpi). Source:
ACPI Specification 6.4, chapter 5.2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from hv.arch.x86.builder import dsdt
from hv.arch.x86.builder.e820 import low_end
from hv.arch.x86.builder.linked import FSEG, HIGH, Checksum, File, Linked, Pointer
from hv.devices.layout import HPET, IOAPIC, LAPIC, MMIO_HOLE
from hv.devices.pci_bus import PIIX_WIRING, Wiring

TABLES, RSDP, LOADER = "etc/acpi/tables", "etc/acpi/rsdp", "etc/table-loader"
PM_BASE, GPE_BASE, SCI, RESET_PORT, RESET_VALUE = 0xB000, 0xAFE0, 9, 0xCF9, 0x06
SEABIOS_PM_BASE = 0x600
"""Where SeaBIOS moves the power management ports to (PMBASE of PIIX4) as soon as it is given a table loader."""
IOAPIC_ID = 1
HPET_ID = 0x8086A201
"""Of the HPET's capabilities register, the lower half: 3 comparators, 64 bits, legacy routing, revision 1."""
OEM, OEM_TABLE, CREATOR = b"Xen   ", b"HVM     ", b"HVML"
HYPERVISOR = b"XenVMM\0\0"
"""Hypervisor vendor identity."""
HEADER = 36
_LENGTH, _CHECKSUM = 4, 9
_SYSTEM_MEMORY, _SYSTEM_IO = 0, 1

# FADT flags: WBINVD works; C1 on every processor; the power button is a fixed one, the sleep button is not there; the
# RTC's wake status is no fixed feature; RESET_REG is there. HW_REDUCED: none of the fixed hardware is.
_WBINVD, _PROC_C1, _NO_SLEEP_BUTTON, _NO_FIX_RTC, _RESET, _HW_REDUCED = 1 << 0, 1 << 2, 1 << 5, 1 << 6, 1 << 10, 1 << 20
_BOOT_LEGACY, _BOOT_8042, _BOOT_NO_VGA, _BOOT_NO_CMOS = 1 << 0, 1 << 1, 1 << 2, 1 << 5


@dataclass(frozen=True)
class AcpiMachine:
    """What the tables describe. `memory` in bytes; `hole`: where memory below 4 GiB ends at most. pc: a whole PC; else
    a PVH domain, which has local APICs and nothing else. pm_base: the power management ports; SEABIOS_PM_BASE where
    that firmware moves them. smi_port: where the guest switches to ACPI mode; 0: it always is, as in Xen."""

    vcpus: int
    memory: int
    hole: int = MMIO_HOLE.start
    pc: bool = True
    devices: frozenset[str] = field(default=dsdt.USUAL_DEVICES)
    wiring: Wiring = PIIX_WIRING
    pm_base: int = PM_BASE
    gpe_base: int = GPE_BASE
    smi_port: int = 0


def acpi_tables(machine: AcpiMachine) -> Linked:
    """The tables, not yet anywhere. ValueError: a device that no table knows, or more than 128 vcpus."""
    if not 1 <= machine.vcpus <= 128:
        raise ValueError(f"ACPI tables for {machine.vcpus} processors: 1 to 128 have a local APIC")
    linker = _Linker()
    facs = linker.add(_facs(), align=64, has_checksum=False)
    code = linker.add(_table(b"DSDT", 2, _definitions(machine)))
    fadt = linker.add(_table(b"FACP", 6, _fadt(machine)))
    for at, size, to in ((36, 4, facs), (40, 4, code), (140, 8, code)):
        linker.point(fadt + at, size, to)
    listed = [fadt, linker.add(_table(b"APIC", 3, _madt(machine)))]
    if machine.pc and dsdt.HPET_DEVICE in machine.devices:
        listed.append(linker.add(_table(b"HPET", 1, _hpet())))
    roots = []
    for signature, size in ((b"RSDT", 4), (b"XSDT", 8)):
        roots.append(linker.add(_table(signature, 1, bytes(size * len(listed)))))
        for index, to in enumerate(listed):
            linker.point(roots[-1] + HEADER + size * index, size, to)
    return linker.finish(*roots)


def firmware_files(tables: Linked) -> dict[str, bytes]:
    """The files of fw_cfg from which SeaBIOS and OVMF put the tables into memory."""
    return {name: one.data for name, one in tables.files.items()} | {LOADER: tables.loader_script()}


def placed(tables: Linked, address: int) -> tuple[int, bytes]:
    """The RSDP's address, and the bytes to be written at `address`, a multiple of 64."""
    data = tables.place({RSDP: address, TABLES: address + 64})
    return address, data[RSDP].ljust(64, b"\0") + data[TABLES]


class _Linker:
    """Lays the tables out in one file and remembers what is to be fixed up."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._linked = Linked()
        self._sums: list[Checksum] = []

    def add(self, table: bytes, align: int = 8, has_checksum: bool = True) -> int:
        """Append a table; where it is."""
        self._data += bytes(-len(self._data) % align)
        at = len(self._data)
        self._data += table
        if has_checksum:
            self._sums.append(Checksum(TABLES, at + _CHECKSUM, at, len(table)))
        return at

    def point(self, at: int, size: int, to: int) -> None:
        """The address of the table at `to` belongs into `size` bytes at `at`."""
        self._data[at : at + size] = to.to_bytes(size, "little")
        self._linked.pointers.append(Pointer(TABLES, at, size, TABLES))

    def finish(self, rsdt: int, xsdt: int) -> Linked:
        """With an RSDP of revision 2: the first 20 bytes have a checksum of their own."""
        rsdp = struct.pack("<8sB6sBIIQB3x", b"RSD PTR ", 0, OEM, 2, rsdt, 36, xsdt, 0)
        linked = self._linked
        linked.files |= {TABLES: File(bytes(self._data), 64, HIGH), RSDP: File(rsdp, 16, FSEG)}
        linked.pointers += [Pointer(RSDP, 16, 4, TABLES), Pointer(RSDP, 24, 8, TABLES)]
        linked.checksums += [*self._sums, Checksum(RSDP, 8, 0, 20), Checksum(RSDP, 32, 0, 36)]
        return linked


def _table(signature: bytes, revision: int, body: bytes) -> bytes:
    head = struct.pack("<4sIBB6s8sI4sI", signature, HEADER + len(body), revision, 0, OEM, OEM_TABLE, 1, CREATOR, 1)
    return head + body


def _facs() -> bytes:
    """Firmware control structure, version 1."""
    return struct.pack("<4sIIIIIQB31x", b"FACS", 64, 0, 0, 0, 0, 0, 1)


def _definitions(machine: AcpiMachine) -> bytes:
    if not machine.pc:
        return dsdt.processors(machine.vcpus)
    window = low_end(machine.memory, machine.hole)
    return dsdt.pc(
        machine.vcpus, machine.devices, window, machine.wiring, machine.pm_base, machine.gpe_base
    )


def _register(address: int, length: int, space: int = _SYSTEM_IO) -> bytes:
    """Generic address structure of a register of `length` bytes; 0 for none."""
    if not address:
        return bytes(12)
    access = {1: 1, 2: 2, 4: 3}.get(length, 0)
    return struct.pack("<BBBBQ", space, 8 * length, 0, access, address)


def _little(*values: tuple[int, int]) -> bytes:
    """(value, size in bytes) after each other."""
    return b"".join(value.to_bytes(size, "little") for value, size in values)


def _fadt(machine: AcpiMachine) -> bytes:
    """FADT, revision 6. Both forms of each register's address say the same; the pointers are set by the linker."""
    pc, pm = machine.pc, machine.pm_base if machine.pc else 0
    event, control, timer, gpe = pm, pm and pm + 4, pm and pm + 8, machine.gpe_base if pc else 0
    lengths = ((4, 1), (2, 1), (0, 1), (4, 1), (4, 1), (0, 1)) if pc else ((0, 1),) * 6
    boot = _BOOT_LEGACY if pc else _BOOT_NO_VGA | _BOOT_NO_CMOS
    if pc and "KBD" in machine.devices:
        boot |= _BOOT_8042
    flags = _WBINVD | _PROC_C1 | _NO_SLEEP_BUTTON | _NO_FIX_RTC | (_RESET if pc else _HW_REDUCED)
    head = _little(
        (0, 4), (0, 4),                                       # FACS, DSDT
        (0, 1), (0, 1), (SCI if pc else 0, 2),
        (machine.smi_port, 4), (0xF1 if machine.smi_port else 0, 1), (0xF0 if machine.smi_port else 0, 1), (0, 2),
        (event, 4), (0, 4), (control, 4), (0, 4), (0, 4), (timer, 4), (gpe, 4), (0, 4), *lengths,
        (0, 1), (0, 1), (0xFFF, 2), (0xFFF, 2),               # GPE1 base, CST; no C2, no C3
        (0, 2), (0, 2), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (boot, 2), (0, 1), (flags, 4),
    )  # fmt: skip
    reset = _register(RESET_PORT if pc else 0, 1) + _little((RESET_VALUE if pc else 0, 1), (0, 2), (0, 1))
    blocks = ((event, 4), (0, 0), (control, 2), (0, 0), (0, 0), (timer, 4), (gpe, 4), (0, 0), (0, 0), (0, 0))
    return head + reset + bytes(16) + b"".join(_register(*block) for block in blocks) + HYPERVISOR


def _madt(machine: AcpiMachine) -> bytes:
    """Interrupt controllers: a local APIC for each vcpu, whose identifier is twice the vcpu's number, as in Xen."""
    entries: list[bytes] = [struct.pack("<BBBBI", 0, 8, n, 2 * n, 1) for n in range(machine.vcpus)]
    if machine.pc:
        entries += [
            struct.pack("<BBBxII", 1, 12, IOAPIC_ID, IOAPIC, 0),
            _override(0, 2, 0),
            _override(SCI, SCI, 0b1101),
        ]
    entries.append(struct.pack("<BBBHB", 4, 6, 0xFF, 0, 1))   # NMI at LINT1 of every processor
    return _joined(struct.pack("<II", LAPIC, 1 if machine.pc else 0), entries)


def _override(irq: int, gsi: int, flags: int) -> bytes:
    """ISA interrupt `irq` is IOAPIC input `gsi`. flags: polarity in bits 1:0 (1: high), trigger in 3:2 (3: level)."""
    return struct.pack("<BBBBIH", 2, 10, 0, irq, gsi, flags)


def _joined(head: bytes, entries: Iterable[bytes]) -> bytes:
    return head + b"".join(entries)


def _hpet() -> bytes:
    return struct.pack("<I", HPET_ID) + struct.pack("<BBBBQ", _SYSTEM_MEMORY, 64, 0, 0, HPET) + _little(
        (0, 1), (0, 2), (0, 1)
    )
