"""The DSDT: what ACPI tells a guest of the devices of an HVM domain, and how PCI interrupts are wired.

The ISA devices are a table; a machine names those that it has. The interrupt links are PIIX3's: their methods read and
write its PIRQRC registers (hv/devices/piix3.py).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from hv.arch.x86.builder import aml
from hv.arch.x86.builder.aml import ARG0, LOCAL0, ONE, ZERO, number, path
from hv.devices.layout import HPET, IOAPIC, VGA
from hv.devices.pci_bus import LINKS, PINS, SLOTS, Wiring
from hv.devices.piix3 import PIRQ_OFF, PIRQRC

HPET_DEVICE, FW_CFG_DEVICE = "HPET", "FWCF"
LINK_CHOICES = (5, 10, 11)
"""ISA interrupts that a link may be given by the guest; SeaBIOS and hvmloader choose from the same."""
PRESENT, OFF = 0x0B, 0x09
"""What _STA says: present, shown and working; not enabled."""
PM_PORTS, GPE_PORTS, APM_PORT = 0x40, 4, 0xB2


class IsaDevice(NamedTuple):
    """A device whose resources never change."""

    hid: str
    resources: tuple[bytes, ...]


ISA_DEVICES = {
    "PIC": IsaDevice("PNP0000", (aml.io(0x20, 2), aml.io(0xA0, 2), aml.io(0x4D0, 2), aml.irq(2))),
    "TMR": IsaDevice("PNP0100", (aml.io(0x40, 4), aml.irq(0))),
    "DMAC": IsaDevice("PNP0200", (aml.io(0x00, 16), aml.io(0x81, 15), aml.io(0xC0, 32), aml.dma(4))),
    "KBD": IsaDevice("PNP0303", (aml.io(0x60, 1), aml.io(0x64, 1), aml.irq(1))),
    "MOU": IsaDevice("PNP0F13", (aml.irq(12),)),
    "COM1": IsaDevice("PNP0501", (aml.io(0x3F8, 8, 8), aml.irq(4))),
    "FDC0": IsaDevice("PNP0700", (aml.io(0x3F2, 4), aml.io(0x3F7, 1), aml.irq(6), aml.dma(2))),
    "SPKR": IsaDevice("PNP0800", (aml.io(0x61, 1),)),
    "RTC": IsaDevice("PNP0B00", (aml.io(0x70, 2), aml.irq(8))),
    "FPU": IsaDevice("PNP0C04", (aml.io(0xF0, 16), aml.irq(13))),
}
USUAL_DEVICES = frozenset({*ISA_DEVICES, HPET_DEVICE, FW_CFG_DEVICE} - {"FDC0"})
"""What a PC has; the floppy controller is left out."""


def processors(count: int) -> bytes:
    """The processors; their numbers are those of the MADT."""
    return aml.scope("\\_SB", *(aml.processor(f"C{n:03X}", n) for n in range(count)))


def pc(count: int, devices: Collection[str], window: int, wiring: Wiring, pm_base: int, gpe_base: int) -> bytes:
    """All definitions of a PC with `count` processors.

    devices: keys of ISA_DEVICES, HPET_DEVICE and FW_CFG_DEVICE. window: where addresses for PCI devices begin below
    4 GiB, up to the IOAPIC. ValueError: a device that is in no table."""
    unknown = set(devices) - {*ISA_DEVICES, HPET_DEVICE, FW_CFG_DEVICE}
    if unknown:
        raise ValueError(f"no ACPI description for {', '.join(sorted(unknown))}")
    system = [_pci_root(window, wiring), *(_link(index) for index in range(LINKS)), _system_ports(pm_base, gpe_base)]
    system.append(_isa_bridge([one for one in ISA_DEVICES if one in devices]))
    if HPET_DEVICE in devices:
        system.append(_device(HPET_DEVICE, aml.eisa_id("PNP0103"), aml.memory(HPET, 0x400)))
    if FW_CFG_DEVICE in devices:
        system.append(_device(FW_CFG_DEVICE, aml.text("QEMU0002"), aml.io(0x510, 12)))
    return b"".join([
        aml.name("\\PICD", ZERO),
        aml.method("\\_PIC", 1, aml.store(ARG0, path("\\PICD"))),
        aml.name("\\_S5", aml.package([ZERO, ZERO, ZERO, ZERO])),
        processors(count),
        aml.scope("\\_SB", *system),
    ])  # fmt: skip


def _device(called: str, hid: bytes, *resources: bytes) -> bytes:
    return aml.device(
        called,
        aml.name("_HID", hid),
        aml.name("_STA", number(PRESENT)),
        aml.name("_CRS", aml.resources(*resources)),
    )


def _system_ports(pm_base: int, gpe_base: int) -> bytes:
    """Ports that belong to no device with a driver, so that a guest gives them to nobody."""
    ports = aml.io(pm_base, PM_PORTS), aml.io(gpe_base, GPE_PORTS), aml.io(APM_PORT, 2), aml.io(0x92, 1)
    return _device("SYSR", aml.eisa_id("PNP0C02"), *ports)


# ---- PCI ----


def _pci_root(window: int, wiring: Wiring) -> bytes:
    windows = aml.resources(
        aml.bus_window(0, 0xFF),
        aml.io(0xCF8, 8),
        aml.io_window(0, 0xCF7),
        aml.io_window(0xD00, 0xFFFF),
        aml.memory_window(VGA.start, VGA.stop - 1),
        aml.memory_window(window, IOAPIC - 1),
    )
    return aml.device(
        "PCI0",
        aml.name("_HID", aml.eisa_id("PNP0A03")),
        aml.name("_UID", ZERO),
        aml.name("_CRS", windows),
        aml.name("APRT", aml.package(_routes(wiring, apic=True))),
        aml.name("PPRT", aml.package(_routes(wiring, apic=False))),
        aml.method("_PRT", 0, aml.if_(path("\\PICD"), aml.give(path("APRT"))), aml.give(path("PPRT"))),
    )


def _routes(wiring: Wiring, apic: bool) -> list[bytes]:
    """A row for each pin of each slot but the host bridge's: {address, pin, link or 0, 0 or IOAPIC input}."""
    rows = []
    for slot in range(1, SLOTS):
        for pin in range(1, PINS + 1):
            source = ZERO if apic else path("\\_SB." + _link_name(wiring.link(slot, pin)))
            index = number(wiring.gsi(slot, pin)) if apic else ZERO
            rows.append(aml.package([number(slot << 16 | 0xFFFF), number(pin - 1), source, index]))
    return rows


def _isa_bridge(devices: list[str]) -> bytes:
    """The ISA bridge below the root, its devices, and its PIRQRC registers for the links."""
    return aml.scope("PCI0", aml.device(
        "ISA",
        aml.name("_ADR", number(1 << 16)),
        aml.region("PIRQ", aml.PCI_CONFIG, PIRQRC, LINKS),
        aml.scope("\\_SB", aml.fields("PCI0.ISA.PIRQ", aml.BYTE_ACCESS, *((_route(i), 8) for i in range(LINKS)))),
        *(_device(called, aml.eisa_id(ISA_DEVICES[called].hid), *ISA_DEVICES[called].resources) for called in devices),
    ))  # fmt: skip


def _link_name(index: int) -> str:
    return f"LNK{'ABCD'[index]}"


def _route(index: int) -> str:
    return f"PRQ{index}"


def _link(index: int) -> bytes:
    """Interrupt link: its interrupt is bits 3:0 of a register, whose bit 7 says that there is none."""
    route, line = path(_route(index)), path("LINE")
    off = aml.and_(route, number(PIRQ_OFF))
    mask = aml.word_field(path("NOW"), 1, "LINE")
    return aml.device(
        _link_name(index),
        aml.name("_HID", aml.eisa_id("PNP0C0F")),
        aml.name("_UID", number(index)),
        aml.name("_PRS", aml.resources(aml.shared_irq(*LINK_CHOICES))),
        aml.method("_STA", 0, aml.if_(off, aml.give(number(OFF))), aml.give(number(PRESENT))),
        aml.method("_DIS", 0, aml.or_(route, number(PIRQ_OFF), route)),
        aml.method(
            "_CRS", 0,
            aml.name("NOW", aml.resources(aml.shared_irq())),
            mask,
            aml.if_(off, aml.store(ZERO, line)),
            aml.else_(aml.shift_left(ONE, aml.and_(route, number(0x0F)), line)),
            aml.give(path("NOW")),
            serialized=True,
        ),
        aml.method(
            "_SRS", 1,
            aml.word_field(ARG0, 1, "LINE"),
            aml.lowest_bit(line, LOCAL0),
            aml.decrement(LOCAL0),
            aml.store(LOCAL0, route),
            serialized=True,
        ),
    )  # fmt: skip
