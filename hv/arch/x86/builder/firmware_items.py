"""What firmware is told of a domain by the fw_cfg device (hv/devices/fw_cfg.py): sizes, tables, where to boot from.

    contents = machine_items(FirmwareMachine(vcpus=2, memory=256 << 20), boot=[cd_path, disk_path])
    machine.add(FwCfg(machine, contents))

SeaBIOS takes the size of low memory from CMOS registers (e820.cmos_registers() beside this file), all else from here.
Facts: SeaBIOS, docs/Runtime_config.md and src/boot.c; QEMU, hw/i386/fw_cfg.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from hv.arch.x86.builder import acpi, e820, smbios
from hv.arch.x86.builder.dsdt import USUAL_DEVICES
from hv.devices.layout import MMIO_HOLE
from hv.devices.pci_bus import PIIX_WIRING, Wiring

_ROOT = "/pci@i0cf8"
SYSTEM_STATES = bytes([0x80, 0, 0, 0, 0, 0x80])
"""etc/system-states: of S0 to S5, only S0 and S5 are there; S5 is sleep type 0."""


@dataclass(frozen=True)
class FirmwareMachine:
    """What the firmware is told. `memory` in bytes."""

    vcpus: int
    memory: int
    hole: int = MMIO_HOLE.start
    uuid: UUID = smbios.NO_UUID
    devices: frozenset[str] = USUAL_DEVICES
    wiring: Wiring = PIIX_WIRING
    pm_base: int = acpi.SEABIOS_PM_BASE
    smi_port: int = 0


def machine_items(
    machine: FirmwareMachine, *, boot: Sequence[str] = (), menu_wait_ms: int | None = None, only_listed: bool = False
) -> dict[str, bytes]:
    """The items for FwCfg. boot: device paths (disk_path() and so on), the first choice first. menu_wait_ms: how long
    SeaBIOS offers its menu; None: not at all. only_listed: nothing is booted that is not in `boot`."""
    hardware = acpi.AcpiMachine(
        machine.vcpus, machine.memory, machine.hole, True, machine.devices, machine.wiring, machine.pm_base,
        smi_port=machine.smi_port,
    )  # fmt: skip
    described = smbios.SmbiosMachine(machine.vcpus, machine.memory, machine.uuid)
    ranges = e820.memory_map(machine.memory, hole=machine.hole)
    order = [*boot, *(["HALT"] if only_listed else [])]
    return {
        "uuid": machine.uuid.bytes,
        "ram_size": _little(machine.memory, 8),
        "nographic": _little(0, 2),
        "nb_cpus": _little(machine.vcpus, 2),
        # SeaBIOS makes its MP table, and looks for processors, up to the highest APIC identifier.
        "max_cpus": _little(2 * machine.vcpus - 1, 2),
        "numa": _little(0, 8),
        "irq0_override": _little(1, 4),
        "boot_menu": _little(menu_wait_ms is not None, 2),
        "etc/boot-menu-wait": _little(menu_wait_ms or 0, 2),
        "etc/boot-fail-wait": _little(0xFFFFFFFF, 4),
        "etc/e820": e820.pack_e820(ranges),
        "etc/system-states": SYSTEM_STATES,
        **({"bootorder": "\n".join(order).encode() + b"\0"} if order else {}),
        **acpi.firmware_files(acpi.acpi_tables(hardware)),
        **smbios.firmware_files(smbios.smbios(described)),
    }


def _little(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


# ---- device paths ----


def disk_path(channel: int, drive: int, slot: int = 1, function: int = 1) -> str:
    """A disk or CD-ROM drive of the IDE controller: channel 0 or 1, drive 0 (master) or 1."""
    return f"{_ROOT}/ide@{slot:x},{function:x}/drive@{channel:x}/disk@{drive:x}"


def usb_path(port: int, function: int, slot: int = 1) -> str:
    """A disk at a port of a USB controller."""
    return f"{_ROOT}/usb@{slot:x},{function:x}/storage@{port + 1:x}/*@0/*@0,0"


def network_path(slot: int) -> str:
    """A network card: its boot ROM."""
    return f"{_ROOT}/ethernet@{slot:x}/ethernet-phy@0"


def rom_path(file: str) -> str:
    """A boot ROM that is a file of fw_cfg, such as genroms/kernel.bin."""
    return f"/rom@{file}"
